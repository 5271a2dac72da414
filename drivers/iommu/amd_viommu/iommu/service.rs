// SPDX-License-Identifier: GPL-2.0

//! Commands given and waited for, events taken and reported.

use super::{outbox::Outbox, plain, stats::Stats, Iommu, Sbdf};
use crate::trace;
use hw::{
    command::Command,
    event::{Event, Kind, RawEvent},
    regs::{self, Status},
};
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, Arc},
    time::{delay::fsleep, Delta, Instant, Monotonic},
};
use kernel_ext::{irq, pages, syscore};

use super::{command_ring::Ticket, event_log::Next};

/// How long the hardware may take to execute a command.
const TIMEOUT: Delta = Delta::from_millis(1000);

/// How often a caller that waits looks at the event log: a command that cannot be executed stops
/// the engine, and the interrupt that says so may be off on this CPU.
const LOOK: Delta = Delta::from_millis(1);

/// Events taken in one go. A device can make them faster than they are read.
const ROUND: usize = 1024;

/// Pause between rounds that do not end.
pub(super) const PAUSE: Delta = Delta::from_millis(1);

/// What is left in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// Events, maybe.
    More,
    /// An event whose content has not arrived yet.
    Late,
}

/// An event that has been taken from the log.
struct Taken {
    raw: RawEvent,
    event: Event,
    /// It waits to be told to a guest's VMM, or was counted as missed.
    is_left: bool,
}

impl Iommu {
    /// Gives commands to the hardware; they have taken effect when [`Iommu::wait`] returns.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware takes no commands.
    pub(super) fn submit(&self, commands: &[Command]) -> Result<Ticket> {
        let trace = |command: &Command| trace::command(self.index, command);
        let mut ticket = None;
        self.poll(|| match self.ring.add(&self.registers, commands, trace) {
            Err(error) if error == EAGAIN => false,
            added => {
                ticket = Some(added);
                true
            }
        })?;
        self.stats.commands.add(commands.len() as u64 + 1, Relaxed);
        ticket.unwrap_or(Err(EIO))
    }

    /// Waits for a batch of commands.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not execute it.
    pub(super) fn wait(&self, ticket: Ticket) -> Result {
        Stats::count(&self.stats.completion_waits);
        self.poll(|| self.ring.is_done(ticket))
    }

    /// Polls until `done`, for a bounded time; any context.
    fn poll(&self, mut done: impl FnMut() -> bool) -> Result {
        let start = Instant::<Monotonic>::now();
        let mut looked = start;
        while self.is_alive() {
            if done() {
                return Ok(());
            }
            if looked.elapsed() > LOOK {
                self.drain(ROUND);
                looked = Instant::now();
            }
            if start.elapsed() > TIMEOUT {
                // Once more: the events just read may have started the engine again.
                if done() {
                    return Ok(());
                }
                Stats::count(&self.stats.completion_timeouts);
                self.give_up();
            }
            kernel::processor::cpu_relax();
        }
        Err(EIO)
    }

    /// Stops asking hardware that does not answer: everybody would wait for nothing.
    fn give_up(&self) {
        if self.dead.xchg(true, Relaxed) {
            return;
        }
        dev_err!(
            self.dev,
            "command buffer does not respond (head 0x{:x} tail 0x{:x} status 0x{:x}), giving up\n",
            self.registers.read(regs::CMD_HEAD),
            self.registers.read(regs::CMD_TAIL),
            self.registers.read(regs::STATUS)
        );
    }

    /// Takes what is in the event log, and answers its interrupt; true if there may be more already.
    ///
    /// The status bit is cleared first and read again last: while it is set no further interrupt
    /// comes (OQ-36).
    pub(super) fn round(&self) -> bool {
        if self.registers.is_gone() {
            self.close();
            return false;
        }
        self.registers.acknowledge(Status::EVENT_LOG_INT);
        self.report_all() != Left::Nothing || self.registers.status().event_log_int()
    }

    /// Takes what is in the event log, up to a limit, and tells everybody. Sleeps.
    pub(super) fn report_all(&self) -> Left {
        let mut left = Left::More;
        for _ in 0..ROUND / Outbox::ROUND {
            left = self.drain(Outbox::ROUND);
            self.outbox.tell(|event| self.tell(event));
            if left != Left::More {
                break;
            }
        }
        left
    }

    /// Takes events from the log, at most so many. Any context: what is about guests is told later.
    fn drain(&self, most: usize) -> Left {
        for _ in 0..most {
            match self.log.take(&self.registers, |raw| self.leave(raw)) {
                Next::Event(taken) => self.report(taken),
                // A log that is full would overflow again at once.
                Next::Late => return Left::Late,
                Next::Nothing => {
                    self.resume_log();
                    return Left::Nothing;
                }
            }
        }
        self.resume_log();
        Left::More
    }

    fn resume_log(&self) {
        let status = self.registers.status();
        if !status.is_gone() && status.event_overflow() {
            // Before the bit goes, for which the interrupt's thread has been woken.
            self.suspect_all();
            self.restart_log();
        }
    }

    fn restart_log(&self) {
        let restarted = self.log.restart(&self.registers);
        // Whoever else is restarting it will finish, and reports it.
        if restarted.is_err_and(|error| error == EBUSY) {
            return;
        }
        Stats::count(&self.stats.event_overflows);
        if self.overflows.allows() {
            dev_warn!(self.dev, "event log overflow, events were lost\n");
        }
        if restarted.is_err() {
            dev_err!(self.dev, "event log does not restart\n");
        }
    }

    /// Leaves an event to those who tell, if it is about a guest. Under the log's lock: those who find the log
    /// empty tell, and sleep when that is done.
    fn leave(&self, raw: RawEvent) -> Taken {
        let event = raw.decode();
        let is_left = self.is_about_guest(&event);
        if is_left && !self.outbox.put(raw) {
            self.suspect_all();
        }
        Taken {
            raw,
            event,
            is_left,
        }
    }

    fn report(&self, taken: Taken) {
        let Taken {
            raw,
            event,
            is_left,
        } = taken;
        trace::event(self.index, &raw);
        Stats::count(&self.stats.events);
        if event.kind() == Kind::IoPageFault {
            Stats::count(&self.stats.faults);
        }
        if !is_left && self.messages.allows() {
            self.print(&event);
        }
        match event.kind() {
            Kind::IllegalCommandError | Kind::CommandHardwareError => self.recover(&event),
            Kind::DevTabHardwareError | Kind::PageTabHardwareError => self.clear_hardware_error(),
            _ => {}
        }
    }

    /// Tells the guest that an event is about, if there is one, and the log.
    fn tell(&self, raw: &RawEvent) {
        let event = raw.decode();
        let told = self.tell_guest(&event);
        if told.unwrap_or_else(|| self.messages.allows()) {
            self.print(&event);
        }
    }

    /// Makes room for the next hardware error in the registers that hold one (hardware reference 3.9).
    fn clear_hardware_error(&self) {
        if self.efr.he_sup() {
            let latched = self.registers.read(regs::HW_EVENT_STATUS);
            self.registers.write(regs::HW_EVENT_STATUS, latched);
        }
    }

    fn print(&self, event: &Event) {
        match event.device_id() {
            Some(devid) => {
                let device = Sbdf {
                    segment: self.sbdf.segment,
                    devid,
                };
                dev_err!(
                    self.dev,
                    "{} device={} {}\n",
                    event.name(),
                    plain!(device),
                    plain!(event)
                );
            }
            None => dev_err!(self.dev, "{} {}\n", event.name(), plain!(event)),
        }
    }

    /// Starts the command engine again after it refused a command.
    ///
    /// A guest's engine that stops is the guest's affair: restarting our own would look for the
    /// guest's command in our ring. The flags of the event tell the two apart, and so does our engine,
    /// whatever the flags mean (OQ-9): one that runs has refused nothing.
    fn recover(&self, event: &Event) {
        self.clear_hardware_error();
        if event.engine().bits() != 0 || self.registers.status().cmd_buf_run() {
            return;
        }
        Stats::count(&self.stats.command_errors);
        // What a COMPLETION_WAIT could not store to is no place in the ring.
        let failed = match event.kind() {
            Kind::CommandHardwareError => None,
            _ => event.address().map(pages::plain),
        };
        match self
            .ring
            .restart(&self.registers, failed, self.efr.ia_sup())
        {
            Ok(()) => dev_warn!(self.dev, "command engine started again\n"),
            // Whoever else is restarting it will finish.
            Err(error) if error == EBUSY => {}
            Err(_) => self.give_up(),
        }
    }

    fn close(&self) {
        self.dead.store(true, Relaxed);
        self.closed.store(true, Relaxed);
    }

    /// Ends all contact with hardware that is being removed. Translation stays on, with whatever
    /// the device table says then: forwarding would let devices reach any memory.
    pub(crate) fn abandon(&self) {
        self.block_interrupts();
        self.close();
        self.registers.control(|control| {
            control
                .with_cmd_buf_en(false)
                .with_event_log_en(false)
                .with_event_int_en(false)
        });
    }

    /// Switches the hardware off: from now on everything is forwarded.
    pub(crate) fn stop(&self) {
        self.close();
        self.registers.control(|control| control.quiesced());
        if !self.registers.is_gone() && self.registers.settle(|status| !status.running()).is_err() {
            dev_err!(
                self.dev,
                "engines still run after being disabled: their memory is lost\n"
            );
            self.table.keep();
            self.ring.keep();
            self.log.keep();
        }
    }

    /// Leaves the hardware, stopped or not, to whoever probes it next. A domain with devices of other IOMMUs keeps its
    /// reference to this one for as long as it lives.
    pub(crate) fn release_registers(&self) {
        self.registers.release();
    }
}

impl irq::Handler for Iommu {
    fn handle(&self) {
        // Events go on being reported when the command engine is dead.
        while !self.closed.load(Relaxed) {
            let more = self.round();
            let begun = Instant::<Monotonic>::now();
            let ask_again = self.ask_suspects();
            let asked = begun.elapsed();
            let resting = self.end_rests();
            if !more && !ask_again && !resting {
                break;
            }
            // A look at many guests, again and again, takes half of a CPU's time at most.
            fsleep(asked.max(PAUSE));
        }
    }
}

/// Leaves the hardware off for the next kernel.
pub(crate) struct Shutdown(pub(crate) Arc<Iommu>);

impl syscore::Shutdown for Shutdown {
    fn shutdown(&self) {
        self.0.stop();
    }
}
