// SPDX-License-Identifier: GPL-2.0

//! What differs between kernel versions, and nothing else.
//!
//! Written for 7.3. The Rust interfaces of the kernel change with every release; what a future version
//! needs otherwise belongs here, behind a `cfg` that `Kbuild` sets from the version of the kernel.

use kernel::{ModuleMetadata, ThisModule};

/// This module, as the kernel knows it.
pub(crate) fn this_module() -> &'static ThisModule {
    &<crate::AmdViommu as ModuleMetadata>::THIS_MODULE
}

/// The table of PCI functions that the driver binds to.
macro_rules! pci_table {
    ($name:ident, [$($id:expr),* $(,)?]) => {
        ::kernel::pci_device_table!($name, @none, [$($id),*]);
    };
}

pub(crate) use pci_table;
