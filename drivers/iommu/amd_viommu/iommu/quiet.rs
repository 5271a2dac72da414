// SPDX-License-Identifier: GPL-2.0

//! Devices of guests that the hardware keeps quiet about, since they have caused too many events.
//!
//! That ends when the guest's VMM has read it and the device has rested, so that a VMM that reads at once does not keep
//! a storm going. Whoever of the two comes last ends it: who has read, or the thread of the event log, which goes on
//! looking while a device rests. It comes to that: the event that was one too many has woken it, and it waits for those
//! who tell.

use super::{stats::Stats, Iommu};
use hw::{
    command::Command,
    dte::{Dte, GuestIds},
    viommu::rest::{self, Rest, Resting},
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    new_spinlock_irq,
    prelude::*,
    sync::SpinLockIrq,
    time::{Instant, Monotonic},
};

/// How many devices rest at the same time. That of another ends too early if one more begins.
const PLACES: usize = 128;

/// The rests of devices behind one IOMMU.
#[pin_data]
pub(super) struct Rests {
    /// When it began.
    since: Instant<Monotonic>,
    #[pin]
    rests: SpinLockIrq<rest::Rests<KVec<Rest>>>,
}

impl Rests {
    /// No device rests.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            since: Instant::now(),
            rests <- new_spinlock_irq!(
                rest::Rests::new(KVec::from_elem(Rest::default(), PLACES, GFP_KERNEL)?),
                "amd_viommu::rests"
            ),
        })
    }

    fn now(&self) -> u64 {
        let now = Instant::<Monotonic>::now();
        (now - self.since).as_millis() as u64
    }

    fn begin(&self, device: Resting) -> Option<Resting> {
        let now = self.now();
        self.rests.lock().begin(device, now)
    }

    fn end_one(&self) -> Option<Resting> {
        let now = self.now();
        self.rests.lock().end_one(now)
    }
}

impl Iommu {
    /// Has the hardware report no more faults of a guest's device for a time, and says so.
    pub(super) fn hush_storm(&self, devid: u16, ids: GuestIds) {
        let device = Resting { devid, ids };
        // In this order: it may be read at once.
        if let Some(other) = self.rests.begin(device) {
            let _ = self.hush(other, false);
        }
        // What the hardware does not confirm is in the entry nevertheless.
        let _ = self.hush(device, true);
        if self.is_hushed(device) {
            self.listeners
                .with(ids.guest_id, |guest| guest.hushed(ids.device_id));
        }
    }

    /// A VMM has read that the hardware keeps quiet about its guest's device: that ends, now or when the device has
    /// rested. Nothing happens if the guest has the device no more.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond the end of the table; `EIO` when the hardware does not confirm.
    pub(crate) fn unhush(&self, devid: u16, ids: GuestIds) -> Result {
        let device = Resting { devid, ids };
        if self.rests.rests.lock().read(device) {
            return Ok(());
        }
        self.hush(device, false)
    }

    /// Whether the hardware keeps quiet about a guest's device until its VMM has read that.
    pub(crate) fn is_quiet_until_read(&self, devid: u16, ids: GuestIds) -> bool {
        let device = Resting { devid, ids };
        !self.rests.rests.lock().is_read(device) && self.is_hushed(device)
    }

    /// Ends the rests that have been long enough. Returns whether there are others, so that somebody has to look again.
    pub(super) fn end_rests(&self) -> bool {
        while let Some(device) = self.rests.end_one() {
            let _ = self.hush(device, false);
        }
        !self.rests.rests.lock().is_empty()
    }

    /// Says whether the hardware keeps quiet about the faults of a guest's device, until the entry of the
    /// device gets a new meaning.
    fn hush(&self, device: Resting, yes: bool) -> Result {
        let new = |old: Dte| old.with_hush(device.ids, yes);
        self.table.change(device.devid, new, || {
            Stats::count(&self.stats.invalidate_devtab);
            self.run(&[Command::invalidate_devtab_entry(device.devid)])
        })
    }

    fn is_hushed(&self, device: Resting) -> bool {
        let entry = self.entry(device.devid);
        entry.is_some_and(|entry| entry.is_hushed(device.ids))
    }
}
