// SPDX-License-Identifier: GPL-2.0

//! What a driver asks about devices that are not its own.

use crate::bindings::{self, shim};
use kernel::{device::Device, sync::aref::ARef};

/// The C structure behind `dev`.
pub(crate) fn as_raw(dev: &Device) -> *mut bindings::device {
    core::ptr::from_ref(dev).cast_mut().cast()
}

/// NUMA node of `dev`, negative when it has none.
pub fn node(dev: &Device) -> i32 {
    // SAFETY: A reference to a device is a valid pointer to one.
    unsafe { shim::dev_to_node(as_raw(dev)) }
}

/// Whether a driver is bound to `dev` at this moment.
///
/// Without the device lock the answer may be stale as soon as it is given.
pub fn has_driver(dev: &Device) -> bool {
    // SAFETY: The pointer is read once and only compared.
    !unsafe { (&raw const (*as_raw(dev)).driver).read_volatile() }.is_null()
}

/// Whether the IOMMU core has put `dev` into a group.
pub fn has_iommu_group(dev: &Device) -> bool {
    // SAFETY: The pointer is read once and only compared.
    !unsafe { (&raw const (*as_raw(dev)).iommu_group).read_volatile() }.is_null()
}

/// Holds the lock of a device: nobody binds or unbinds a driver meanwhile.
///
/// # Invariants
///
/// The lock of `dev` is held by this guard.
pub struct LockedDevice {
    dev: ARef<Device>,
}

impl LockedDevice {
    /// Takes the lock if it is free.
    ///
    /// Trying and giving up is what allows one caller to hold the locks of several devices: the
    /// driver core defines no order between them.
    pub fn try_new(dev: ARef<Device>) -> Option<Self> {
        // SAFETY: A counted reference keeps the device, and its lock, in place.
        let taken = unsafe { shim::device_trylock(as_raw(&dev)) } != 0;
        // INVARIANT: Only made when the lock has been taken.
        taken.then(|| Self { dev })
    }

    /// Whether it is the lock of this device.
    pub fn is_of(&self, dev: &Device) -> bool {
        core::ptr::eq(&*self.dev, dev)
    }
}

impl core::ops::Deref for LockedDevice {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.dev
    }
}

impl Drop for LockedDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held.
        unsafe { shim::device_unlock(as_raw(&self.dev)) };
    }
}
