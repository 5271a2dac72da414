// SPDX-License-Identifier: GPL-2.0

//! The event log (hardware reference 3.2 and 3.5).

use super::registers::Registers;
use hw::{
    event::RawEvent,
    regs::{self, RingBase, Status},
    ring::Ring,
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::SpinLockIrq,
    time::{Delta, Instant, Monotonic},
};
use kernel_ext::pages::Pages;

/// Size of the log: 512 events.
const BYTES: usize = 8 << 10;

/// How long the content of an entry may lag behind the tail.
const LAG: Delta = Delta::from_micros(100);

/// The log of one IOMMU.
///
/// # Invariants
///
/// `shape` describes the whole of `mem`.
#[pin_data]
pub(super) struct EventLog {
    mem: Pages,
    shape: Ring,
    /// Where the next event is read.
    #[pin]
    head: SpinLockIrq<u32>,
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
            head <- new_spinlock_irq!(0, "amd_viommu::event_log"),
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
    pub(super) fn take(&self, registers: &Registers) -> Option<RawEvent> {
        let mut head = self.head.lock();
        let tail = self.shape.pointer(registers.read(regs::EVENT_TAIL))?;
        if *head == tail {
            return None;
        }
        let event = self.arrived(*head);
        *head = self.shape.next(*head);
        registers.write(regs::EVENT_HEAD, (*head).into());
        event
    }

    /// Reads an entry, waiting for content that comes late, and zeroes it so that the next one
    /// in its place can be waited for too (erratum 732, hardware reference 3.2).
    fn arrived(&self, pointer: u32) -> Option<RawEvent> {
        let at = pointer as usize;
        let start = Instant::<Monotonic>::now();
        let mut event = self.read(at)?;
        while event.pending() && start.elapsed() < LAG {
            kernel::processor::cpu_relax();
            event = self.read(at)?;
        }
        self.mem.write64(at, 0).ok()?;
        self.mem.write64(at + 8, 0).ok()?;
        Some(event)
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
    /// # Errors
    ///
    /// `ETIMEDOUT` when the log does not stop or start.
    pub(super) fn restart(&self, registers: &Registers) -> Result {
        registers.control(|control| control.with_event_log_en(false).with_event_int_en(false));
        let stopped = registers.settle(|status| !status.event_log_run());
        registers.acknowledge(Status::EVENT_OVERFLOW);
        registers.control(|control| control.with_event_int_en(true));
        registers.control(|control| control.with_event_log_en(true));
        let started = registers.settle(|status| status.event_log_run());
        stopped.and(started)
    }
}
