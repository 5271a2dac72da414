// SPDX-License-Identifier: GPL-2.0

//! Registration of a PCI driver that user space cannot bind and unbind.

use crate::bindings;
use kernel::{
    driver::{DriverLayout, RegistrationOps},
    pci,
    prelude::*,
    str::CStr,
    types::Opaque,
};

/// Like [`pci::Adapter`], with `suppress_bind_attrs` set.
///
/// For drivers whose removal is only safe after steps that an unbind through sysfs would skip.
pub struct FixedAdapter<T: pci::Driver>(pci::Adapter<T>);

// SAFETY: All values are those of the wrapped adapter.
unsafe impl<T: pci::Driver> DriverLayout for FixedAdapter<T> {
    type DriverType = <pci::Adapter<T> as DriverLayout>::DriverType;
    type DriverData<'bound> = <pci::Adapter<T> as DriverLayout>::DriverData<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = <pci::Adapter<T> as DriverLayout>::DEVICE_DRIVER_OFFSET;
}

// SAFETY: Registration and its undoing are those of the wrapped adapter.
unsafe impl<T: pci::Driver> RegistrationOps for FixedAdapter<T> {
    // SAFETY: The contract is the trait's.
    unsafe fn register(
        driver: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let raw: *mut bindings::pci_driver = driver.get();
        // SAFETY: The structure is not registered yet, so nobody else looks at it.
        unsafe { (*raw).driver.suppress_bind_attrs = true };
        // SAFETY: Same contract as this function's.
        unsafe { <pci::Adapter<T> as RegistrationOps>::register(driver, name, module) }
    }

    // SAFETY: The contract is the trait's.
    unsafe fn unregister(driver: &Opaque<Self::DriverType>) {
        // SAFETY: Same contract as this function's.
        unsafe { <pci::Adapter<T> as RegistrationOps>::unregister(driver) }
    }
}
