// SPDX-License-Identifier: GPL-2.0

//! Those who hear of what the hardware reports about guests.
//!
//! A guest's events are found by its ID, so guests are kept in buckets by that, and interrupts are never
//! kept off for longer than a look at one bucket takes.

use hw::event::Event;
use kernel::{new_spinlock_irq, prelude::*, sync::Arc, sync::SpinLockIrq};

/// How many buckets there are.
pub(super) const BUCKETS: usize = 64;

/// Hears about one guest. Called with interrupts off.
pub(crate) trait Listener: Send + Sync {
    /// The requester ID by which the hardware reaches the guest's memory.
    fn translate_id(&self) -> u16;

    /// An event about the guest: about the device that it knows by this ID, else about its IOMMU.
    fn hear(&self, event: &Event, device: Option<u16>) -> Heard;

    /// The hardware reports no more faults of the guest's device.
    fn hushed(&self, device: u16);

    /// The command queue of some guest has stopped. Finds out whether it is this one's; returns whether it is too
    /// early to tell.
    fn look(&self) -> bool;

    /// An interrupt of some guest's IOMMU has come. Finds out whether it is this one's.
    fn interrupt(&self);
}

/// What becomes of an event that a listener has heard of.
#[derive(Clone, Copy)]
pub(crate) struct Heard {
    /// It may be printed.
    pub(crate) print: bool,
    /// It is one of too many of a device.
    pub(crate) storm: bool,
}

struct Entry {
    gid: u16,
    listener: Arc<dyn Listener>,
}

/// The listeners of the guests with some of the IDs.
#[pin_data]
struct Bucket {
    #[pin]
    entries: SpinLockIrq<KVec<Entry>>,
}

impl Bucket {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            entries <- new_spinlock_irq!(KVec::new(), "amd_viommu::listeners"),
        })
    }

    /// Adds an entry if there is room for it and those in `room`, which becomes the list's memory if
    /// it is larger.
    fn add(&self, entry: Entry, room: &mut KVec<Entry>) -> Result<(), Entry> {
        let mut entries = self.entries.lock();
        if room.capacity() > entries.capacity() {
            core::mem::swap(&mut *entries, room);
            for old in room.drain_all() {
                // There is room for more than there were.
                let _ = entries.push_within_capacity(old);
            }
        }
        entries.push_within_capacity(entry).map_err(|full| full.0)
    }

    fn remove(&self, gid: u16) -> Option<Entry> {
        let mut entries = self.entries.lock();
        let at = entries.iter().position(|entry| entry.gid == gid)?;
        entries.remove(at).ok()
    }

    fn find<T>(
        &self,
        is_it: impl Fn(&Entry) -> bool,
        then: impl FnOnce(&dyn Listener) -> T,
    ) -> Option<T> {
        let entries = self.entries.lock();
        let entry = entries.iter().find(|entry| is_it(entry))?;
        Some(then(&*entry.listener))
    }
}

/// The listeners of one IOMMU.
#[pin_data]
pub(super) struct Listeners {
    #[pin]
    buckets: [Bucket; BUCKETS],
}

impl Listeners {
    /// None.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            buckets <- pin_init::pin_init_array_from_fn(|_| Bucket::new()),
        })
    }

    fn bucket(&self, gid: u16) -> Option<&Bucket> {
        self.buckets.get(usize::from(gid) % BUCKETS)
    }

    /// Adds the listener of a guest.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn add(&self, gid: u16, listener: Arc<dyn Listener>) -> Result {
        let bucket = self.bucket(gid).ok_or(EINVAL)?;
        let (mut entry, mut room) = (Entry { gid, listener }, KVec::new());
        loop {
            entry = match bucket.add(entry, &mut room) {
                Ok(()) => return Ok(()),
                Err(entry) => entry,
            };
            // Nothing is allocated under the lock.
            let wanted = bucket.entries.lock().len() + 1;
            room = KVec::with_capacity(wanted.next_power_of_two(), GFP_KERNEL)?;
        }
    }

    /// Takes the listener of a guest away. It hears nothing after that.
    pub(super) fn remove(&self, gid: u16) {
        // What is dropped is dropped with no lock held.
        drop(self.bucket(gid).and_then(|bucket| bucket.remove(gid)));
    }

    /// Does something with the listener of a guest; `None` if there is none.
    pub(super) fn with<T>(&self, gid: u16, then: impl FnOnce(&dyn Listener) -> T) -> Option<T> {
        self.bucket(gid)?.find(|entry| entry.gid == gid, then)
    }

    /// As [`Listeners::with`], for the guest with a translate ID.
    pub(super) fn with_translate_id<T>(
        &self,
        id: u16,
        mut then: impl FnMut(&dyn Listener) -> T,
    ) -> Option<T> {
        let mut buckets = self.buckets.iter();
        buckets
            .find_map(|bucket| bucket.find(|entry| entry.listener.translate_id() == id, &mut then))
    }

    /// Tells the listeners of every `step`th bucket from `first` on that there was an interrupt.
    pub(super) fn interrupt(&self, first: usize, step: usize) {
        for bucket in self.buckets.iter().skip(first).step_by(step.max(1)) {
            for entry in bucket.entries.lock().iter() {
                entry.listener.interrupt();
            }
        }
    }

    /// Has every listener look at its guest's command queue. Returns whether any has to look again.
    pub(super) fn look(&self) -> bool {
        let mut again = false;
        for bucket in &self.buckets {
            for entry in bucket.entries.lock().iter() {
                again |= entry.listener.look();
            }
        }
        again
    }
}
