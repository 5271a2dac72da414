// SPDX-License-Identifier: GPL-2.0

//! Interrupts that the IOMMU makes itself and remaps: those of guests' logs (hardware reference 6.4).
//!
//! The kernel gives a vector of a CPU, and moves it when it likes. Who owns the entries that point to it
//! follows.

use super::{pure, Host, Iommu};
use hw::interrupt;
use kernel::{
    prelude::*,
    str::CStr,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};
use kernel_ext::irq::{
    own::OwnIrq,
    parent::{Entry, Message, Route},
    Handler,
};

/// Who owns the entries of an interrupt.
pub(crate) trait Follower: Send + Sync + 'static {
    /// Sends the interrupt along `route`, or nowhere, and returns when nothing comes along the route before
    /// any more. Raw locks may be held, and interrupts are off.
    ///
    /// # Errors
    ///
    /// Those of the hardware. When the interrupt comes into use, it stays out of use then.
    fn follow(&self, route: Option<interrupt::Route>) -> Result;
}

/// An interrupt, of which the kernel knows neither device nor message.
pub(in crate::iommu) struct Own {
    number: u32,
    follower: Arc<dyn Follower>,
}

impl Entry for Own {
    fn number(&self) -> u32 {
        self.number
    }

    fn message(&self) -> Message {
        let none = interrupt::Message::naming(0);
        Message {
            address: none.address,
            data: none.data,
        }
    }

    fn activate(&self, route: Route) -> Result {
        self.follower.follow(Some(pure(route)))
    }

    fn redirect(&self, route: Route) {
        // What the hardware does not confirm has been reported.
        let _ = self.follower.follow(Some(pure(route)));
    }

    fn deactivate(&self) {
        let _ = self.follower.follow(None);
    }
}

/// A vector that the kernel has given, and its handler.
pub(crate) struct HostVector<T: Handler> {
    _irq: OwnIrq<Host, T>,
}

/// Numbers of vectors, so that no two have the same.
static NUMBER: Atomic<u32> = Atomic::new(0);

impl Iommu {
    /// Takes a vector, tells `follower` where it is, and has `handler` called in a thread. Until the
    /// vector is dropped the follower hears of every move; the last word is that it goes nowhere.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the IOMMU does not remap interrupts, `ENOSPC` when the CPUs have no vectors left,
    /// `ENOMEM`, and those of the follower.
    pub(crate) fn host_vector<T: Handler>(
        &self,
        name: &'static CStr,
        follower: Arc<dyn Follower>,
        handler: Arc<T>,
    ) -> Result<HostVector<T>> {
        let parent = self.remapper.parent.lock().clone().ok_or(ENODEV)?;
        let number = NUMBER.fetch_add(1, Relaxed) & 0xFFFF;
        // The IOMMU's own ID has no table in which a device's interrupt could be.
        let number = u32::from(self.sbdf.devid) << 16 | number;
        let own = super::Either::Own(Own { number, follower });
        OwnIrq::new(parent, own, self.node, name, handler).map(|irq| HostVector { _irq: irq })
    }
}
