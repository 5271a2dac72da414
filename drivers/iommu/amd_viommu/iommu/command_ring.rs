// SPDX-License-Identifier: GPL-2.0

//! The command ring (hardware reference 3.4 and 3.9).
//!
//! Software owns the entries from the tail up to the head, the hardware those from the head up to
//! the tail. Each batch ends with a COMPLETION_WAIT that stores a sequence number; the number
//! belongs to the locked ring, so it grows in the order in which the hardware executes.

use super::registers::Registers;
use hw::{
    command::{Command, CompletionWait, Store},
    regs::{self, RingBase},
    ring::Ring,
};
use kernel::prelude::*;
use kernel_ext::{
    new_raw_spinlock_irq,
    pages::{self, Pages},
    raw_spinlock::RawSpinLockIrq,
};

/// Size of the ring: 512 commands.
const BYTES: usize = 8 << 10;

/// How often a command may stop the engine before that is taken for good.
const STOPS: u32 = 3;

/// What a batch has to wait for.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

struct State {
    /// Where the next command goes.
    tail: u32,
    /// Where the hardware was when it was last asked.
    head: u32,
    /// Number of the last COMPLETION_WAIT.
    sequence: u64,
    /// The engine is being restarted; nothing may be added meanwhile.
    restarting: bool,
    /// Where it stopped last, and how often in a row.
    stopped: (u32, u32),
}

/// The ring of one IOMMU.
///
/// # Invariants
///
/// `shape` describes the whole of `mem`.
#[pin_data]
pub(super) struct CommandRing {
    mem: Pages,
    shape: Ring,
    /// Where COMPLETION_WAITs store their number.
    completed: Pages,
    #[pin]
    state: RawSpinLockIrq<State>,
}

impl CommandRing {
    /// An empty ring.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(node: i32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            mem: Pages::new(node, BYTES)?,
            shape: Ring::new(BYTES as u32).ok_or(EINVAL)?,
            completed: Pages::new(node, core::mem::size_of::<u64>())?,
            state <- new_raw_spinlock_irq!(
                State {
                    tail: 0,
                    head: 0,
                    sequence: 0,
                    restarting: false,
                    stopped: (0, 0),
                },
                "amd_viommu::ring"
            ),
        })
    }

    /// Leaves the memory to hardware that does not let go of it.
    pub(super) fn keep(&self) {
        self.mem.keep();
        self.completed.keep();
    }

    /// Value of the base register.
    pub(super) fn base(&self) -> Option<RingBase> {
        RingBase::new(self.mem.address(), BYTES)
    }

    /// Adds `commands` and a COMPLETION_WAIT, and rings the doorbell.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when there is no room, or the engine is being restarted: poll and try again.
    pub(super) fn add(
        &self,
        registers: &Registers,
        commands: &[Command],
        trace: impl Fn(&Command),
    ) -> Result<Ticket> {
        let mut state = self.state.lock();
        if state.restarting || !self.has_room(&mut state, registers, commands.len() + 1) {
            return Err(EAGAIN);
        }
        for command in commands {
            self.put(&mut state, command)?;
            trace(command);
        }
        state.sequence += 1;
        let wait = Command::completion_wait(CompletionWait {
            store: Some(Store {
                address: self.completed.address(),
                data: state.sequence,
            }),
            ..CompletionWait::default()
        });
        self.put(&mut state, &wait)?;
        trace(&wait);
        self.mem.publish();
        registers.write(regs::CMD_TAIL, state.tail.into());
        Ok(Ticket(state.sequence))
    }

    fn has_room(&self, state: &mut State, registers: &Registers, wanted: usize) -> bool {
        let free = |state: &State| self.shape.free(state.head, state.tail) as usize;
        if free(state) < wanted {
            if let Some(head) = self.shape.pointer(registers.read(regs::CMD_HEAD)) {
                state.head = head;
            }
        }
        free(state) >= wanted
    }

    fn put(&self, state: &mut State, command: &Command) -> Result {
        self.write(state.tail, command)?;
        state.tail = self.shape.next(state.tail);
        Ok(())
    }

    fn write(&self, pointer: u32, command: &Command) -> Result {
        for (word, value) in command.0.iter().enumerate() {
            self.mem.write32(pointer as usize + word * 4, *value)?;
        }
        Ok(())
    }

    /// Whether a batch has taken effect.
    pub(super) fn is_done(&self, ticket: Ticket) -> bool {
        self.completed
            .read64(0)
            .is_ok_and(|number| number >= ticket.0)
    }

    /// Starts the engine again after it has stopped at the command at physical address `failed`, or
    /// at the head where the hardware does not say.
    ///
    /// Where the head stands after an error is OQ-33. While the engine is off the head may be
    /// written (hardware reference 3.2), and the driver puts it back on the failed command, so that
    /// what follows is executed in order whatever the hardware had fetched before. The command
    /// itself is replaced by one that does at least as much, see [`CommandRing::replacement`].
    ///
    /// # Errors
    ///
    /// `EINVAL` when no command of the ring is at that address, `EBUSY` when somebody else is
    /// about it already, `ETIMEDOUT` when the engine does not stop, `EIO` when it cannot go on.
    pub(super) fn restart(
        &self,
        registers: &Registers,
        failed: Option<u64>,
        can_invalidate_all: bool,
    ) -> Result {
        {
            let mut state = self.state.lock();
            if state.restarting {
                return Err(EBUSY);
            }
            state.restarting = true;
        }
        let result = self.restart_stopped(registers, failed, can_invalidate_all);
        self.state.lock().restarting = false;
        result
    }

    fn restart_stopped(
        &self,
        registers: &Registers,
        failed: Option<u64>,
        can_invalidate_all: bool,
    ) -> Result {
        registers.control(|control| control.with_cmd_buf_en(false));
        registers.settle(|status| !status.cmd_buf_run())?;
        let at = self.locate(registers, failed)?;
        self.count_stop(at)?;
        self.write(at, &self.replacement(at, can_invalidate_all)?)?;
        self.mem.publish();
        registers.write(regs::CMD_HEAD, at.into());
        if self.shape.pointer(registers.read(regs::CMD_HEAD)) != Some(at) {
            return Err(EIO);
        }
        self.state.lock().head = at;
        registers.control(|control| control.with_cmd_buf_en(true));
        registers.settle(|status| status.cmd_buf_run())
    }

    fn locate(&self, registers: &Registers, failed: Option<u64>) -> Result<u32> {
        let tail = self.state.lock().tail;
        let head = self
            .shape
            .pointer(registers.read(regs::CMD_HEAD))
            .ok_or(EIO)?;
        let Some(failed) = failed else {
            return Ok(head);
        };
        let base = pages::plain(self.base().ok_or(EINVAL)?.address());
        self.shape.failed(base, failed, head, tail).ok_or(EINVAL)
    }

    /// The same place again and again means that nothing helps.
    fn count_stop(&self, at: u32) -> Result {
        let mut state = self.state.lock();
        state.stopped = match state.stopped {
            (before, times) if before == at => (at, times + 1),
            _ => (at, 1),
        };
        if state.stopped.1 > STOPS {
            return Err(EIO);
        }
        Ok(())
    }

    /// What to execute instead of the command at `at`: a COMPLETION_WAIT as it is, since somebody
    /// waits for its store; instead of anything else the invalidation that includes every other, since
    /// somebody frees memory when it is over.
    fn replacement(&self, at: u32, can_invalidate_all: bool) -> Result<Command> {
        let mut failed = Command::default();
        for (word, value) in failed.0.iter_mut().enumerate() {
            *value = self.mem.read32(at as usize + word * 4)?;
        }
        match failed.opcode() {
            Command::COMPLETION_WAIT => Ok(failed),
            _ if can_invalidate_all => Ok(Command::invalidate_iommu_all()),
            _ => Err(EIO),
        }
    }

    /// The words of every entry, for debugfs.
    pub(super) fn entries(&self) -> impl Iterator<Item = [u32; 4]> + '_ {
        (0..BYTES).step_by(16).map(|offset| {
            [0, 4, 8, 12].map(|word| self.mem.read32(offset + word).unwrap_or_default())
        })
    }

    /// Size in bytes.
    pub(super) fn bytes(&self) -> usize {
        BYTES
    }
}
