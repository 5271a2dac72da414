// SPDX-License-Identifier: GPL-2.0

//! PCI functions seen from outside their driver.

mod driver;
mod topology;

pub use driver::FixedAdapter;
pub use topology::{for_each_alias, is_port, may_share_id, shares_fate};

use crate::bindings::{self, shim};
use core::ptr::NonNull;
use kernel::{
    pci::{Device, DeviceId},
    prelude::*,
    sync::aref::ARef,
};

/// The C structure behind `pdev`.
pub(crate) fn as_raw<Ctx: kernel::device::DeviceContext>(
    pdev: &Device<Ctx>,
) -> *mut bindings::pci_dev {
    core::ptr::from_ref(pdev).cast_mut().cast()
}

/// # Safety
///
/// `raw` points to a live PCI device that outlives `'a`.
unsafe fn from_raw<'a>(raw: *mut bindings::pci_dev) -> &'a Device {
    // SAFETY: `Device` is a transparent wrapper; the rest is the caller's promise.
    unsafe { &*raw.cast() }
}

/// PCI segment (domain) of the function.
pub fn segment(pdev: &Device) -> u32 {
    // SAFETY: A reference to a device is a valid pointer to one, which has a bus.
    unsafe { shim::pci_domain_nr(as_raw(pdev)) }.unsigned_abs()
}

/// Reads an aligned 32-bit word of configuration space.
///
/// # Errors
///
/// `EINVAL` for an offset that is not aligned or beyond 4 KiB, `EIO` when the device is gone.
pub fn read_config(pdev: &Device, offset: u32) -> Result<u32> {
    if offset % 4 != 0 || offset >= 4096 {
        return Err(EINVAL);
    }
    let mut value = 0;
    // SAFETY: The device is live and `value` a place for the result.
    let status =
        unsafe { bindings::pci_read_config_dword(as_raw(pdev), offset as i32, &mut value) };
    if status != 0 {
        return Err(EIO);
    }
    Ok(value)
}

/// Offset of the first capability with this ID.
pub fn find_capability(pdev: &Device, id: u8) -> Option<u32> {
    // SAFETY: The device is live.
    let at = unsafe { bindings::pci_find_capability(as_raw(pdev), id.into()) };
    (at != 0).then_some(at.into())
}

fn find_extended_capability(pdev: &Device, id: u32) -> Option<u32> {
    // SAFETY: The device is live.
    let at = unsafe { bindings::pci_find_ext_capability(as_raw(pdev), id as i32) };
    (at != 0).then_some(at.into())
}

/// 24-bit class code: base class, subclass, programming interface.
pub fn class(pdev: &Device) -> u32 {
    // SAFETY: The device is live; the class never changes.
    unsafe { (*as_raw(pdev)).class }
}

/// Whether the function is a host bridge, bridge or port: its driver manages it and starts no DMA of
/// its own. Other members of the class, such as non-transparent bridges, do.
pub fn is_bridge(pdev: &Device) -> bool {
    matches!(
        class(pdev) >> 8,
        bindings::PCI_CLASS_BRIDGE_HOST
            | bindings::PCI_CLASS_BRIDGE_ISA
            | bindings::PCI_CLASS_BRIDGE_PCI
    )
}

/// Whether the function is a virtual one (SR-IOV).
pub fn is_virtual(pdev: &Device) -> bool {
    // SAFETY: The device is live.
    unsafe { shim::pci_is_virtfn(as_raw(pdev)) }
}

/// The function with this segment and requester ID.
pub fn find(segment: u16, devid: u16) -> Option<ARef<Device>> {
    let (bus, devfn) = (devid >> 8, devid & 0xff);
    // SAFETY: Any numbers may be asked for; absence is reported by a null pointer.
    let raw =
        unsafe { bindings::pci_get_domain_bus_and_slot(segment.into(), bus.into(), devfn.into()) };
    let raw = NonNull::new(raw.cast::<Device>())?;
    // SAFETY: The call returns a counted reference, which goes to the caller. `Device` is a
    // transparent wrapper.
    Some(unsafe { ARef::from_raw(raw) })
}

/// All PCI functions of the system, each with a counted reference.
///
/// A function that appears or goes meanwhile may or may not be seen.
pub fn devices() -> Devices {
    Devices { last: None }
}

/// Iterator of [`devices`].
pub struct Devices {
    last: Option<ARef<Device>>,
}

impl Iterator for Devices {
    type Item = ARef<Device>;

    fn next(&mut self) -> Option<ARef<Device>> {
        let from = match self.last.take() {
            Some(pdev) => {
                let raw = as_raw(&pdev);
                // `pci_get_device` drops the reference to its starting point itself.
                core::mem::forget(pdev);
                raw
            }
            None => core::ptr::null_mut(),
        };
        let any = bindings::PCI_ANY_ID as u32;
        // SAFETY: `from` is null or carries the reference that was just let go of.
        let raw = unsafe { bindings::pci_get_device(any, any, from) };
        if raw.is_null() {
            return None;
        }
        // SAFETY: The call returns a live device, and its reference outlives this borrow.
        let pdev: ARef<Device> = unsafe { from_raw(raw) }.into();
        // One reference stays with the iterator (the one the call took), one goes to the caller.
        let kept = pdev.clone();
        // SAFETY: The reference that `pci_get_device` took is surplus now that both are counted.
        unsafe { bindings::pci_dev_put(raw) };
        self.last = Some(kept);
        Some(pdev)
    }
}

/// A device ID that matches every function of a class from one vendor, like the C macro
/// `PCI_DEVICE_CLASS` with a vendor. For classes that the kernel crate has no name for.
pub const fn id_from_class(class: u32, mask: u32, vendor: u16) -> DeviceId {
    let any = bindings::PCI_ANY_ID as u32;
    let id = bindings::pci_device_id {
        vendor: vendor as u32,
        device: any,
        subvendor: any,
        subdevice: any,
        class,
        class_mask: mask,
        driver_data: 0,
        override_only: 0,
    };
    // SAFETY: `DeviceId` is a transparent wrapper of this structure without invariants.
    unsafe { core::mem::transmute::<bindings::pci_device_id, DeviceId>(id) }
}
