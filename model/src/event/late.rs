// SPDX-License-Identifier: GPL-2.0

//! Entries of the event log that become visible later than the tail that announces them
//! (hardware.md 3.2, erratum 732), or never.
//!
//! In an asynchronous model that happens at random and soon. One event can be chosen for which it
//! takes as long as a test wants, in a synchronous model too.

use crate::event::bytes;
use crate::system::System;
use crate::Iommu;

/// The event that is chosen to be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateEvent {
    /// Which one: the first one that gets into the log after a reset is number 1.
    pub number: u64,
    /// Nanoseconds between the tail and the content; `None`: it never comes.
    pub delay: Option<u64>,
}

/// An entry that is not written yet.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) base: u64,
    pub(super) address: u64,
    pub(super) entry: [u32; 4],
}

impl Late {
    /// A write that fails loses the event and nothing else: no further event is raised for it
    /// (hardware.md 3.9, Rings).
    pub(super) fn write(&self, system: &mut dyn System) {
        let _ = system.write(self.address, &bytes(self.entry));
    }
}

/// The same with the time at which it is to be written.
#[derive(Debug)]
pub(super) struct Delayed {
    time: u64,
    late: Late,
}

impl Iommu {
    /// Whether the event that took its place last is the one that is chosen to be late.
    pub(super) fn is_chosen(&self) -> bool {
        self.config
            .late_event
            .is_some_and(|chosen| chosen.number == self.events.placed)
    }

    /// Puts the chosen entry aside, or forgets it.
    pub(super) fn delay(&mut self, system: &mut dyn System, late: Late) {
        let Some(delay) = self.config.late_event.and_then(|chosen| chosen.delay) else {
            return;
        };
        let time = system.now().saturating_add(delay);
        self.events.delayed = Some(Delayed { time, late });
        self.wake_after(system, delay);
    }

    /// Writes the chosen entry if its time has come, or else asks to be called again.
    pub(crate) fn bring_delayed(&mut self, system: &mut dyn System) {
        let Some(delayed) = self.events.delayed.take() else {
            return;
        };
        let left = delayed.time.saturating_sub(system.now());
        if left == 0 {
            self.write_late(system, &delayed.late);
        } else {
            self.events.delayed = Some(delayed);
            self.wake_after(system, left);
        }
    }

    /// Writes a late entry, unless software has switched the log off or moved it: its memory may
    /// be in use for something else by then.
    pub(super) fn write_late(&mut self, system: &mut dyn System, late: &Late) {
        let registers = &self.registers;
        if registers.control.runs_event_log() && registers.event.base == late.base {
            late.write(system);
        }
    }
}
