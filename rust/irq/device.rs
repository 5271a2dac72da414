// SPDX-License-Identifier: GPL-2.0

//! Which domain the interrupts of a device come from.

use super::parent::{MsiParent, Unit};
use crate::{
    bindings::{self, shim},
    device::{self, LockedDevice},
    pci::as_raw,
};
use kernel::{
    pci::Device,
    sync::{aref::ARef, Arc},
};

/// How many message-signalled interrupts a device can have.
pub fn capacity(pdev: &Device) -> usize {
    let raw = as_raw(pdev);
    // SAFETY: The device is live; what it does not have is reported by a negative number.
    let counts = unsafe {
        [
            bindings::pci_msi_vec_count(raw),
            bindings::pci_msix_vec_count(raw),
        ]
    };
    let count = |count: i32| usize::try_from(count).unwrap_or(0);
    counts.map(count).into_iter().max().unwrap_or(0)
}

/// A device whose interrupts go through a unit. Dropping it gives the device back the domain that it had
/// before.
///
/// Interrupts that exist, and what a driver needs to make some, keep the domain that they were made from, and go
/// with the driver. So there is none when the device changes its domain.
pub struct Assigned<U: Unit> {
    pdev: ARef<Device>,
    before: *mut bindings::irq_domain,
    parent: Arc<MsiParent<U>>,
}

// SAFETY: The pointer is only given back to the device.
unsafe impl<U: Unit> Send for Assigned<U> {}
// SAFETY: There are no methods that take a shared reference.
unsafe impl<U: Unit> Sync for Assigned<U> {}

impl<U: Unit> Assigned<U> {
    /// Puts a device behind a unit. `None` if something else than the CPUs' vectors is behind the
    /// device already, or if it has a driver or interrupts now, which go on as they are.
    ///
    /// The lock is that of the device: it keeps drivers away.
    pub fn new(pdev: &Device, lock: &LockedDevice, parent: Arc<MsiParent<U>>) -> Option<Self> {
        if !lock.is_of(pdev.as_ref()) || device::has_driver(lock) {
            return None;
        }
        let raw = as_raw(pdev);
        // SAFETY: The device is live.
        let before = unsafe {
            if !shim::msi_is_plain(raw) || shim::msi_in_use(raw) {
                return None;
            }
            shim::msi_domain(raw)
        };
        // SAFETY: The device is live, and the domain is kept by `parent` until the device has its old
        // one again.
        unsafe { shim::set_msi_domain(raw, parent.as_raw()) };
        Some(Self {
            pdev: pdev.into(),
            before,
            parent,
        })
    }

    /// Whether the device can have interrupts at all.
    pub fn can_interrupt(&self) -> bool {
        capacity(&self.pdev) > 0
    }

    /// Whether the device has a driver now that may have interrupts.
    pub fn is_in_use(&self) -> bool {
        self.can_interrupt() && device::has_driver(self.pdev.as_ref())
    }
}

impl<U: Unit> Drop for Assigned<U> {
    fn drop(&mut self) {
        // Whoever gives a device back that has a driver nevertheless leaves it the unit for good, and the
        // code that its interrupts call. That happens if the core gives up a device that a driver has got
        // since it was claimed.
        if self.is_in_use() {
            core::mem::forget(self.parent.clone());
            shim::msi_parent_keep_code();
        }
        // SAFETY: A counted reference keeps the device; the domain before is that of its bus, which
        // outlives it.
        unsafe { shim::set_msi_domain(as_raw(&self.pdev), self.before) };
    }
}
