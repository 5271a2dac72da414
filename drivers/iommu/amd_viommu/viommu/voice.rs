// SPDX-License-Identifier: GPL-2.0

//! How a guest's IOMMU makes itself heard: by its VMM, and in the kernel's log.

use super::guest::Guest;
use crate::iommu::{Heard, Listener};
use hw::{
    event::{Event, Kind},
    viommu::{
        report::{Cause, News},
        storm::Storm,
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
    /// How often the hardware's log had overflowed when something was said last.
    overflows: Atomic<u64>,
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
    /// Tells the VMM. Returns whether it will read that. Does not sleep.
    pub(super) fn say(&self, news: News) -> bool {
        let overflows = self.hardware.iommu().overflow_count();
        let overflow = self.voice.overflows.xchg(overflows, Relaxed) != overflows;
        self.vm.reports().push(self.handle, news, overflow)
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

    fn hushed(&self, device: u16) -> bool {
        self.say(News::Hushed { id: device })
    }

    fn look(&self) {
        if self.registers.finds_halt() {
            self.say(News::Queue(None));
        }
    }

    fn interrupt(&self) {
        self.voice.signal_if(|| self.registers.is_pending());
    }
}
