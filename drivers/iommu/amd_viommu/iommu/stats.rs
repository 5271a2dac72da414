// SPDX-License-Identifier: GPL-2.0

//! Counters.

use kernel::sync::atomic::{Atomic, Relaxed};

/// What one IOMMU has done since it was started.
pub(crate) struct Stats {
    pub(super) commands: Atomic<u64>,
    pub(super) completion_waits: Atomic<u64>,
    pub(super) completion_timeouts: Atomic<u64>,
    pub(super) invalidate_pages: Atomic<u64>,
    pub(super) invalidate_devtab: Atomic<u64>,
    pub(super) invalidate_interrupts: Atomic<u64>,
    pub(super) invalidate_all: Atomic<u64>,
    pub(super) events: Atomic<u64>,
    pub(super) faults: Atomic<u64>,
    pub(super) guest_events: Atomic<u64>,
    pub(super) event_overflows: Atomic<u64>,
    pub(super) command_errors: Atomic<u64>,
    /// Devices that are claimed now.
    pub(crate) devices: Atomic<u64>,
    /// Domains made for devices of this IOMMU that exist now.
    pub(crate) domains: Atomic<u64>,
    /// Requester IDs whose interrupts are remapped now.
    pub(super) remapped: Atomic<u64>,
    /// Interrupts that have an entry now.
    pub(super) interrupts: Atomic<u64>,
}

impl Stats {
    /// All zero.
    pub(super) fn new() -> Self {
        Self {
            commands: Atomic::new(0),
            completion_waits: Atomic::new(0),
            completion_timeouts: Atomic::new(0),
            invalidate_pages: Atomic::new(0),
            invalidate_devtab: Atomic::new(0),
            invalidate_interrupts: Atomic::new(0),
            invalidate_all: Atomic::new(0),
            events: Atomic::new(0),
            faults: Atomic::new(0),
            guest_events: Atomic::new(0),
            event_overflows: Atomic::new(0),
            command_errors: Atomic::new(0),
            devices: Atomic::new(0),
            domains: Atomic::new(0),
            remapped: Atomic::new(0),
            interrupts: Atomic::new(0),
        }
    }

    /// Adds one.
    pub(crate) fn count(counter: &Atomic<u64>) {
        counter.add(1, Relaxed);
    }

    /// Takes one away.
    pub(crate) fn uncount(counter: &Atomic<u64>) {
        counter.fetch_sub(1, Relaxed);
    }

    /// All counters with their names, in the order of the debugfs file.
    pub(super) fn list(&self) -> [(&'static str, u64); 16] {
        let value = |counter: &Atomic<u64>| counter.load(Relaxed);
        [
            ("commands", value(&self.commands)),
            ("completion_waits", value(&self.completion_waits)),
            ("completion_timeouts", value(&self.completion_timeouts)),
            ("invalidate_pages", value(&self.invalidate_pages)),
            ("invalidate_devtab", value(&self.invalidate_devtab)),
            ("invalidate_interrupts", value(&self.invalidate_interrupts)),
            ("invalidate_all", value(&self.invalidate_all)),
            ("events", value(&self.events)),
            ("faults", value(&self.faults)),
            ("guest_events", value(&self.guest_events)),
            ("event_overflows", value(&self.event_overflows)),
            ("command_errors", value(&self.command_errors)),
            ("devices", value(&self.devices)),
            ("domains", value(&self.domains)),
            ("remapped", value(&self.remapped)),
            ("interrupts", value(&self.interrupts)),
        ]
    }
}
