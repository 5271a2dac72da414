// SPDX-License-Identifier: GPL-2.0

//! Events about guests, from the moment when they are taken from the log until somebody has been told.
//!
//! Events are taken in any context, with any lock held, by whoever waits for a command. Telling takes
//! locks and wakes processes, so that is done by the interrupt's thread, and by those who need to
//! know that it is done.

use super::stats::Stats;
use hw::{event::RawEvent, viommu::backlog::Backlog};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Mutex,
    },
};
use kernel_ext::{new_raw_spinlock_irq, raw_spinlock::RawSpinLockIrq};

/// How many events wait at most. Half of the places are for events of devices: as many as the hardware's log
/// has, all of which somebody who waits for a command takes in one go.
const PLACES: usize = 1024;

/// The events that wait.
type Waiting = Backlog<KVec<RawEvent>>;

fn nothing() -> Result<Waiting> {
    let places = KVec::from_elem(RawEvent::default(), PLACES, GFP_KERNEL)?;
    Ok(Backlog::new(places))
}

/// The events that wait, and those that are being told.
#[pin_data]
pub(super) struct Outbox {
    #[pin]
    waiting: RawSpinLockIrq<Waiting>,
    /// Memory to put in the place of that of `waiting`. Held until everybody has been told.
    #[pin]
    telling: Mutex<Waiting>,
    /// Events that found no place.
    missed: Atomic<u64>,
}

impl Outbox {
    /// How many events may be taken from the log between two calls of [`Outbox::tell`], if others take
    /// some meanwhile. Few, so that a device that causes too many is soon kept quiet.
    pub(super) const ROUND: usize = 128;

    /// Nothing waits.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            waiting <- new_raw_spinlock_irq!(nothing()?, "amd_viommu::outbox"),
            telling <- new_mutex!(nothing()?, "amd_viommu::telling"),
            missed: Atomic::new(0),
        })
    }

    /// Leaves an event. Returns whether it found a place. Any context.
    pub(super) fn put(&self, event: RawEvent) -> bool {
        let is_put = self.waiting.lock().put(event);
        if !is_put {
            Stats::count(&self.missed);
        }
        is_put
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
        events.events().iter().for_each(tell);
        events.clear();
    }
}
