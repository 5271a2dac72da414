// SPDX-License-Identifier: GPL-2.0

//! Events about guests, from the moment when they are taken from the log until somebody has been told.
//!
//! Events are taken in any context, with any lock held, by whoever waits for a command. Telling takes
//! locks and wakes processes, so that is done by the interrupt's thread, and by those who need to
//! know that it is done.

use super::stats::Stats;
use hw::event::RawEvent;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Mutex,
    },
};
use kernel_ext::{new_raw_spinlock_irq, raw_spinlock::RawSpinLockIrq};

/// How many events wait at most.
const PLACES: usize = 256;

/// The events that wait.
#[pin_data]
pub(super) struct Outbox {
    #[pin]
    waiting: RawSpinLockIrq<KVec<RawEvent>>,
    /// Memory to put in the place of that of `waiting`. Held until everybody has been told.
    #[pin]
    telling: Mutex<KVec<RawEvent>>,
    /// Events that found no place.
    missed: Atomic<u64>,
}

impl Outbox {
    /// How many events may be taken from the log between two calls of [`Outbox::tell`], if others take
    /// some meanwhile.
    pub(super) const ROUND: usize = PLACES / 2;

    /// Nothing waits.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            waiting <- new_raw_spinlock_irq!(
                KVec::with_capacity(PLACES, GFP_KERNEL)?,
                "amd_viommu::outbox"
            ),
            telling <- new_mutex!(
                KVec::with_capacity(PLACES, GFP_KERNEL)?,
                "amd_viommu::telling"
            ),
            missed: Atomic::new(0),
        })
    }

    /// Leaves an event. Any context.
    pub(super) fn put(&self, event: RawEvent) {
        if self.waiting.lock().push_within_capacity(event).is_err() {
            Stats::count(&self.missed);
        }
    }

    /// How many events found no place, ever.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }

    /// Has `tell` tell every event that waits. When this returns nothing is left of those that were put
    /// before the call.
    pub(super) fn tell(&self, tell: impl Fn(&RawEvent)) {
        let mut events = self.telling.lock();
        core::mem::swap(&mut *self.waiting.lock(), &mut *events);
        events.iter().for_each(tell);
        events.clear();
    }
}
