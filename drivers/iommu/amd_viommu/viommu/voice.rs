// SPDX-License-Identifier: GPL-2.0

//! How a guest's IOMMU makes itself heard: by its VMM, and in the kernel's log.

use super::guest::Guest;
use crate::iommu::{Heard, Listener};
use hw::{
    event::{Event, Kind},
    viommu::{
        report::{Cause, News},
        storm::Storm,
        watch::Look,
    },
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        SpinLockIrq,
    },
    time::{Instant, Monotonic},
};
use kernel_ext::{eventfd::EventFd, ratelimit::RateLimit};

/// Seconds, and messages about one guest in them.
const MESSAGES: (u32, u32) = (5, 10);

/// The voice of one guest's IOMMU.
#[pin_data]
pub(super) struct Voice {
    /// How often events had been lost when something was said last that somebody will read.
    overflows: Atomic<u64>,
    /// The hardware has been told to keep quiet about a device, and its VMM may not have room to hear that.
    unsaid: Atomic<bool>,
    /// When it began.
    since: Instant<Monotonic>,
    #[pin]
    messages: RateLimit,
    /// How many events there are of the guest's devices.
    #[pin]
    storm: SpinLockIrq<Storm>,
    /// What takes the interrupts of the guest's IOMMU to the guest.
    #[pin]
    eventfd: SpinLockIrq<Option<EventFd>>,
}

impl Voice {
    /// A voice on an IOMMU whose log has overflowed so often.
    pub(super) fn new(overflows: u64) -> impl PinInit<Self> {
        let (seconds, burst) = MESSAGES;
        pin_init!(Self {
            overflows: Atomic::new(overflows),
            unsaid: Atomic::new(false),
            since: Instant::now(),
            messages <- RateLimit::new(c"amd_viommu a guest's events", seconds, burst),
            storm <- new_spinlock_irq!(Storm::default(), "amd_viommu::storm"),
            eventfd <- new_spinlock_irq!(None, "amd_viommu::eventfd"),
        })
    }
}

impl Voice {
    /// Sets or takes away what interrupts are taken to the guest by.
    pub(super) fn set_eventfd(&self, new: Option<EventFd>) {
        let old = core::mem::replace(&mut *self.eventfd.lock(), new);
        // Dropped with no lock held.
        drop(old);
    }

    /// Whether one more event of a device is one too many.
    fn is_storm(&self) -> bool {
        let now = Instant::<Monotonic>::now();
        let ms = (now - self.since).as_millis();
        self.storm.lock().hit(ms as u64)
    }

    /// Interrupts the guest if it `is_pending`, which is not asked where nobody takes it there.
    fn signal_if(&self, is_pending: impl FnOnce() -> bool) {
        if let Some(eventfd) = &*self.eventfd.lock() {
            if is_pending() {
                eventfd.signal();
            }
        }
    }
}

impl Guest {
    /// Tells the VMM, if it has room. Does not sleep.
    pub(super) fn say(&self, news: News) {
        let overflows = self.hardware.iommu().overflow_count();
        let overflow = self.voice.overflows.load(Relaxed) != overflows;
        if self.vm.reports().push(self.handle, news, overflow) {
            self.voice.overflows.store(overflows, Relaxed);
        }
    }

    /// Tells the VMM, which has room again, of the devices that the hardware keeps quiet about. Those of which it
    /// has not read yet it is not told again.
    pub(super) fn say_what_is_hushed(&self) {
        if !self.voice.unsaid.xchg(false, Relaxed) {
            return;
        }
        let Ok(inner) = self.alive() else {
            return;
        };
        for device in inner.devices.iter() {
            let (devids, ids) = device.ids(&inner);
            let is_quiet = |devid: &u16| self.hardware.iommu().is_quiet_until_read(*devid, ids);
            if devids.iter().any(is_quiet) {
                self.hushed(device.guest);
            }
        }
    }
}

impl Listener for Guest {
    fn translate_id(&self) -> u16 {
        self.translate_id
    }

    fn hear(&self, event: &Event, device: Option<u16>) -> Heard {
        let cause = Cause::of(event);
        let mut storm = false;
        match device {
            _ if event.kind() == Kind::ViommuHardwareError => {
                if self.registers.fail() {
                    self.say(News::Hardware(cause));
                }
            }
            Some(id) if event.engine().bits() == 0 => {
                self.say(News::Device { id, cause });
                storm = self.voice.is_storm();
            }
            _ => {
                self.say(News::Queue(Some(cause)));
            }
        }
        let print = self.voice.messages.allows();
        Heard { print, storm }
    }

    fn hushed(&self, device: u16) {
        // In this order: the VMM may read everything between the two.
        self.voice.unsaid.store(true, Relaxed);
        self.say(News::Hushed { id: device });
    }

    fn look(&self) -> bool {
        let look = self.registers.look();
        if look == Look::Halted {
            self.say(News::Queue(None));
        }
        look == Look::Early
    }

    fn interrupt(&self) {
        self.voice.signal_if(|| self.registers.is_pending());
    }
}
