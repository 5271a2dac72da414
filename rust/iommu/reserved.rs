// SPDX-License-Identifier: GPL-2.0

//! Address ranges that a device's domains have to respect.

use crate::bindings::{self, shim};
use kernel::prelude::*;

/// Why a range is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reserved {
    /// Must be mapped one to one at all times, with these rights.
    Direct {
        /// The device may read.
        read: bool,
        /// The device may write.
        write: bool,
    },
    /// Writes are interrupts and never translated.
    Msi,
    /// Must not be used.
    Unusable,
}

/// The list that the core hands out.
///
/// # Invariants
///
/// `list` points to an initialised list head.
pub struct Regions {
    list: *mut bindings::list_head,
}

impl Regions {
    /// # Safety
    ///
    /// `list` points to an initialised list head that nobody else uses.
    pub(super) unsafe fn from_raw(list: *mut bindings::list_head) -> Self {
        // INVARIANT: By the function's contract.
        Self { list }
    }

    /// Adds the range from `start` to `last`, both included.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` for an empty range or one that is larger than any address space.
    pub fn add(&mut self, start: u64, last: u64, kind: Reserved) -> Result {
        let length = last
            .checked_sub(start)
            .and_then(|length| length.checked_add(1))
            .ok_or(EINVAL)?;
        let (raw, rights) = match kind {
            Reserved::Direct { read, write } => (
                bindings::iommu_resv_type_IOMMU_RESV_DIRECT,
                u32::from(read) * bindings::IOMMU_READ + u32::from(write) * bindings::IOMMU_WRITE,
            ),
            Reserved::Msi => (bindings::iommu_resv_type_IOMMU_RESV_MSI, 0),
            Reserved::Unusable => (bindings::iommu_resv_type_IOMMU_RESV_RESERVED, 0),
        };
        // SAFETY: Plain allocation; failure is a null pointer.
        let region = unsafe {
            bindings::iommu_alloc_resv_region(
                start,
                length as usize,
                rights as i32,
                raw,
                bindings::GFP_KERNEL,
            )
        };
        if region.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: The region is new and not on a list; by the type invariant `list` is a head.
        unsafe { shim::list_add_tail(&raw mut (*region).list, self.list) };
        Ok(())
    }
}
