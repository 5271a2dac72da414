// SPDX-License-Identifier: GPL-2.0

//! Which guest an event is about (hardware reference 3.5, 6.5, OQ-7, OQ-9 and OQ-14).
//!
//! Some events name the guest. For those about a device the device table knows. Errors of a guest's
//! command queue name neither: all guests are asked then, later and once for many events. They are as well
//! when events were lost, so that no guest's failure hides behind the storm of another.

use super::{
    listeners::Listener,
    service::{Left, PAUSE},
    stats::Stats,
    Iommu,
};
use hw::{
    dte::Dte,
    event::{Event, Kind},
};
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, Arc},
    time::{delay::fsleep, Delta, Instant, Monotonic},
};

/// How long to wait for events that were logged before a moment: longer than for one whose content is late.
const CATCH_UP: Delta = Delta::from_millis(1000);

impl Iommu {
    /// Has a guest's events told to somebody.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn listen_to(&self, gid: u16, listener: Arc<dyn Listener>) -> Result {
        self.listeners.add(gid, listener)
    }

    /// The reverse of [`Iommu::listen_to`].
    pub(crate) fn unlisten(&self, gid: u16) {
        self.listeners.remove(gid);
    }

    /// How often events of whomever were lost.
    pub(crate) fn overflow_count(&self) -> u64 {
        self.stats.event_overflows.load(Relaxed) + self.outbox.missed()
    }

    /// Reports what has been logged up to now, and waits for content that comes late. Sleeps. To be called before
    /// a device or a guest ID gets a new owner, who would hear of what the old one did.
    ///
    /// Content that has not come after a second is not waited for any longer: the hardware promises no time, and whoever
    /// gets the device cannot wait for ever. The new owner may hear of that one event.
    pub(crate) fn catch_up(&self) {
        let start = Instant::<Monotonic>::now();
        while self.is_alive() && self.report_all() == Left::Late && start.elapsed() < CATCH_UP {
            fsleep(PAUSE);
        }
    }

    /// Whether an event may be about a guest. Any context.
    pub(super) fn is_about_guest(&self, event: &Event) -> bool {
        let entry = event.device_id().and_then(|id| self.entry(id));
        event.kind() == Kind::ViommuHardwareError
            || event.engine().bits() != 0
            || entry.is_some_and(Dte::v_imu_en)
    }

    /// Tells an event to the guest that it is about. Returns whether it may be printed; `None` if it is
    /// about no guest.
    pub(super) fn tell_guest(&self, event: &Event) -> Option<bool> {
        let told = self.tell_named(event).or_else(|| self.tell_engine(event));
        if told.is_some() {
            Stats::count(&self.stats.guest_events);
        }
        // A limit for each guest, and one for all, so that they do not take the host's.
        told.map(|may_print| may_print && self.guest_messages.allows())
    }

    /// The event names the guest, or one of its devices.
    fn tell_named(&self, event: &Event) -> Option<bool> {
        if let Some(gid) = event.guest_id() {
            let heard = self.listeners.with(gid, |guest| guest.hear(event, None));
            return heard.map(|heard| heard.print);
        }
        let devid = event.device_id()?;
        let entry = self.entry(devid)?;
        let ids = entry.guest_ids()?;
        let heard = self
            .listeners
            .with(ids.guest_id, |guest| guest.hear(event, Some(ids.device_id)))?;
        if heard.storm && !entry.is_hushed(ids) {
            self.hush_storm(devid, ids);
        }
        Some(heard.print)
    }

    /// The hardware failed at something that it did for a guest.
    fn tell_engine(&self, event: &Event) -> Option<bool> {
        if event.engine().bits() == 0 {
            return None;
        }
        let told = event.device_id().and_then(|id| {
            self.listeners
                .with_translate_id(id, |guest| guest.hear(event, None).print)
        });
        if told.is_none() {
            self.suspect_all();
        }
        Some(told.unwrap_or(true))
    }

    /// The command queue of any guest may have stopped: an event did not name the guest, or is lost. Any
    /// context.
    pub(super) fn suspect_all(&self) {
        self.suspects.store(true, Relaxed);
    }

    /// Asks all guests whether their command queue has stopped, if there has been a reason since the last time.
    /// Returns whether they have to be asked again, soon.
    pub(super) fn ask_suspects(&self) -> bool {
        if !self.suspects.xchg(false, Relaxed) || self.registers.is_gone() {
            return false;
        }
        let again = self.listeners.look();
        if again {
            self.suspect_all();
        }
        again
    }
}
