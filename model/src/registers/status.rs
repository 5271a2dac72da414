// SPDX-License-Identifier: GPL-2.0

//! The status register, MMIO 2020h, the interrupts that hang on it, and the latched hardware
//! event. A guest's VF page has the same status register.

use crate::bits::mask;
use crate::config::InterruptEdge;
use crate::registers::Registers;
use crate::system::{Interrupt, System};
use crate::Iommu;

/// Value of a status register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u64);

/// EventOverflow.
pub const EVENT_OVERFLOW: u64 = 1 << 0;
/// EventLogInt.
pub const EVENT_INTERRUPT: u64 = 1 << 1;
/// ComWaitInt.
pub const COMPLETION_INTERRUPT: u64 = 1 << 2;
/// EventLogRun.
pub const EVENT_RUN: u64 = 1 << 3;
/// CmdBufRun.
pub const COMMAND_RUN: u64 = 1 << 4;

/// Bits that the model can set.
pub(crate) const VALID: u64 = mask(4, 0);
/// Bits with a meaning in some part (hardware.md 3.1).
pub(crate) const KNOWN: u64 = 0x7_9fff;
/// Bits that a written 1 clears; the Run bits ignore writes.
const CLEARED_BY_ONE: u64 = EVENT_OVERFLOW | EVENT_INTERRUPT | COMPLETION_INTERRUPT;

/// HEV: an event is latched.
const HEV: u64 = 1 << 0;
/// HEO: a later event replaced the one latched first.
const HEO: u64 = 1 << 1;

impl Status {
    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u64) -> bool {
        self.0 & bits == bits
    }

    /// Sets or clears `bits`.
    pub fn put(&mut self, bits: u64, on: bool) {
        if on {
            self.0 |= bits;
        } else {
            self.0 &= !bits;
        }
    }

    /// A write by software.
    pub fn clear_by_one(&mut self, written: u64) {
        self.0 &= !(written & CLEARED_BY_ONE);
    }
}

impl Iommu {
    /// Sets interrupt or overflow bits of the status register (EventOverflow, EventLogInt,
    /// ComWaitInt) and raises the interrupt if it is enabled (OQ-36).
    ///
    /// The bits are set whether or not the interrupt is enabled. All of them share one message,
    /// MsiNum 0.
    pub(crate) fn signal(&mut self, system: &mut dyn System, bits: u64) {
        let enabled = self.registers.interrupt_enables();
        let before = self.registers.status;
        self.registers.status.put(bits, true);
        let raising = match self.config.readings.interrupt_edge {
            InterruptEdge::Rising => bits & !before.0,
            InterruptEdge::Every => bits,
        };
        if raising & enabled != 0 {
            self.counters.interrupts = self.counters.interrupts.saturating_add(1);
            system.interrupt(Interrupt::Msi { number: 0 });
        }
    }

    /// Latches an event of codes 3, 4 or 6 in 0040-0050 if the part has these registers.
    pub(crate) fn latch_hardware_error(&mut self, entry: [u32; 4]) {
        if self.config.features.hardware_error() {
            self.registers.latch_hardware_error(entry);
        }
    }
}

impl Registers {
    /// Status bits whose interrupt is enabled.
    fn interrupt_enables(&self) -> u64 {
        let events = u64::from(self.control.event_interrupt());
        let completions = u64::from(self.control.completion_interrupt());
        (events * (EVENT_OVERFLOW | EVENT_INTERRUPT)) | (completions * COMPLETION_INTERRUPT)
    }

    fn latch_hardware_error(&mut self, [dw0, dw1, dw2, dw3]: [u32; 4]) {
        let [upper, lower, status] = &mut self.hardware_error;
        *status |= if *status & HEV == 0 { HEV } else { HEO };
        *upper = u64::from(dw1) << 32 | u64::from(dw0);
        *lower = u64::from(dw3) << 32 | u64::from(dw2);
    }

    /// A write to the hardware event status: ignored while nothing is latched.
    pub(super) fn clear_hardware_error(&mut self, written: u64) {
        let [_, _, status] = &mut self.hardware_error;
        if *status & HEV != 0 {
            *status &= !written;
        }
    }
}
