// SPDX-License-Identifier: GPL-2.0

//! The event log (hardware reference 3.2 and 3.5).

use super::registers::Registers;
use hw::{
    event::RawEvent,
    regs::{self, RingBase, Status},
    ring::Ring,
};
use kernel::{
    prelude::*,
    time::{Delta, Instant, Monotonic},
};
use kernel_ext::{new_raw_spinlock_irq, pages::Pages, raw_spinlock::RawSpinLockIrq};

/// Size of the log: 512 events.
const BYTES: usize = 8 << 10;

/// How long the content of an entry may lag behind the tail before it is given up. No source says how
/// long it takes. What stands behind it may be the error that stopped the command engine, which has to be
/// read before those who wait for a command lose patience.
const LAG: Delta = Delta::from_millis(500);

/// Where the next event is read.
struct Reader {
    pointer: u32,
    /// Since when its content has been missing.
    late_since: Option<Instant<Monotonic>>,
    /// The log is being restarted.
    restarting: bool,
}

impl Reader {
    /// Whether to go on waiting for the content.
    fn waits(&mut self) -> bool {
        self.late_since.get_or_insert_with(Instant::now).elapsed() < LAG
    }
}

/// What there is to read.
pub(super) enum Next<T> {
    /// What has been made of the oldest event.
    Event(T),
    /// An event whose content has not arrived yet (erratum 732, hardware reference 3.2).
    Late,
    /// No event.
    Nothing,
}

/// The log of one IOMMU.
///
/// # Invariants
///
/// `shape` describes the whole of `mem`.
#[pin_data]
pub(super) struct EventLog {
    mem: Pages,
    shape: Ring,
    #[pin]
    reader: RawSpinLockIrq<Reader>,
}

impl EventLog {
    /// An empty log.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(node: i32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            mem: Pages::new(node, BYTES)?,
            shape: Ring::new(BYTES as u32).ok_or(EINVAL)?,
            reader <- new_raw_spinlock_irq!(
                Reader { pointer: 0, late_since: None, restarting: false },
                "amd_viommu::event_log"
            ),
        })
    }

    /// Leaves the memory to hardware that does not let go of it.
    pub(super) fn keep(&self) {
        self.mem.keep();
    }

    /// Value of the base register.
    pub(super) fn base(&self) -> Option<RingBase> {
        RingBase::new(self.mem.address(), BYTES)
    }

    /// Takes the oldest event. Each one is given out once, whoever asks.
    ///
    /// `leave` puts it where others look for it. It runs under the log's lock: whoever finds the log without the
    /// event finds it there, and never in nobody's hands.
    ///
    /// An entry is zeroed, so that the content of the next one in its place can be waited for too. Nobody
    /// waits here: callers may have interrupts off.
    pub(super) fn take<T>(
        &self,
        registers: &Registers,
        leave: impl FnOnce(RawEvent) -> T,
    ) -> Next<T> {
        let mut reader = self.reader.lock();
        let pointer = reader.pointer;
        let tail = self.shape.pointer(registers.read(regs::EVENT_TAIL));
        if tail.is_none_or(|tail| tail == pointer) {
            return Next::Nothing;
        }
        let Some(event) = self.read(pointer as usize) else {
            return Next::Nothing;
        };
        if event.pending() && reader.waits() {
            return Next::Late;
        }
        self.clear(pointer as usize);
        reader.late_since = None;
        reader.pointer = self.shape.next(pointer);
        registers.write(regs::EVENT_HEAD, reader.pointer.into());
        Next::Event(leave(event))
    }

    fn clear(&self, at: usize) {
        for word in [at, at + 8] {
            // Inside the log like the entry that has just been read.
            let _ = self.mem.write64(word, 0);
        }
    }

    fn read(&self, at: usize) -> Option<RawEvent> {
        // The word with the code comes last in time, so it is read first.
        let dw1 = self.mem.read32(at + 4).ok()?;
        let word = |offset| self.mem.read32(at + offset).ok();
        Some(RawEvent([word(0)?, dw1, word(8)?, word(12)?]))
    }

    /// Makes the hardware log again after an overflow (hardware reference 3.2, OQ-34).
    ///
    /// Both legal ways are taken together: the bit is cleared by writing one, and the enable goes
    /// from 0 to 1. The log is enabled again even if it did not stop: without it nothing would ever
    /// be reported.
    ///
    /// The interrupt thread and everybody who waits for a command may find the same overflow. One of
    /// them at a time takes these steps: mixed with those of another they could end with the log off.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody else is about it already or has just done it, `ETIMEDOUT` when the log
    /// does not stop or start.
    pub(super) fn restart(&self, registers: &Registers) -> Result {
        {
            let mut reader = self.reader.lock();
            if reader.restarting || !registers.status().event_overflow() {
                return Err(EBUSY);
            }
            reader.restarting = true;
        }
        let result = Self::restart_overflowed(registers);
        self.reader.lock().restarting = false;
        result
    }

    fn restart_overflowed(registers: &Registers) -> Result {
        registers.control(|control| control.with_event_log_en(false).with_event_int_en(false));
        let stopped = registers.settle(|status| !status.event_log_run());
        registers.acknowledge(Status::EVENT_OVERFLOW);
        registers.control(|control| control.with_event_int_en(true));
        registers.control(|control| control.with_event_log_en(true));
        let started = registers.settle(|status| status.event_log_run());
        stopped.and(started)
    }
}
