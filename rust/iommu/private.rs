// SPDX-License-Identifier: GPL-2.0

//! A page table that a driver fills itself, for what the hardware fetches on its own behalf.

use super::{Driver, PagingDomain};
use crate::bindings;
use core::ops::Deref;
use kernel::{error::to_result, new_mutex, prelude::*, sync::Mutex};

/// What the hardware may do with a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Only read.
    Read,
    /// Read and write.
    ReadWrite,
}

impl From<Access> for i32 {
    fn from(access: Access) -> Self {
        let flags = match access {
            Access::Read => bindings::IOMMU_READ,
            Access::ReadWrite => bindings::IOMMU_READ | bindings::IOMMU_WRITE,
        };
        flags as i32
    }
}

/// A domain that the core does not know, and its owner maps.
///
/// Memory has to stay allocated until its mapping is removed; the hardware follows the table, not
/// the types of Rust.
#[pin_data]
pub struct PrivateDomain<D: Driver> {
    domain: Pin<KBox<PagingDomain<D>>>,
    /// The page table takes no lock of its own against changes of the same range.
    #[pin]
    changing: Mutex<()>,
}

impl<D: Driver> PrivateDomain<D> {
    /// Takes over a domain that has just been made.
    pub fn new(domain: Pin<KBox<PagingDomain<D>>>) -> impl PinInit<Self> {
        pin_init!(Self {
            domain,
            changing <- new_mutex!((), "kernel_ext::iommu::PrivateDomain"),
        })
    }

    /// Maps `bytes` bytes of memory, with entries as large as the addresses allow.
    ///
    /// # Errors
    ///
    /// `EINVAL` when an address or the size is not a multiple of the page size, `EADDRINUSE` when
    /// part of the range is mapped, `ENOMEM`; nothing is mapped then.
    pub fn map(&self, iova: u64, phys: u64, bytes: usize, access: Access) -> Result {
        if !is_aligned(iova) || !is_aligned(phys) || !is_sound(iova, bytes) {
            return Err(EINVAL);
        }
        let _changing = self.changing.lock();
        let domain = self.domain.as_raw();
        // SAFETY: The domain is live and initialised, and nobody else changes its table.
        to_result(unsafe {
            bindings::iommu_map(
                domain,
                iova as usize,
                phys,
                bytes,
                access.into(),
                bindings::GFP_KERNEL,
            )
        })
    }

    /// Removes mappings, and returns when the hardware has forgotten them
    /// ([`Paging::flush`](super::Paging::flush)).
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range is not made of whole entries that are all mapped. What was mapped in
    /// front of the first gap is gone then; so is all of an entry that ends behind the range.
    pub fn unmap(&self, iova: u64, bytes: usize) -> Result {
        if !is_aligned(iova) || !is_sound(iova, bytes) {
            return Err(EINVAL);
        }
        let _changing = self.changing.lock();
        // SAFETY: As in `map`.
        let gone = unsafe { bindings::iommu_unmap(self.domain.as_raw(), iova as usize, bytes) };
        (gone == bytes).then_some(()).ok_or(EINVAL)
    }
}

fn is_aligned(address: u64) -> bool {
    address % bindings::PAGE_SIZE as u64 == 0
}

/// Whether a range is not empty, made of whole pages and does not wrap.
fn is_sound(start: u64, bytes: usize) -> bool {
    bytes != 0 && is_aligned(bytes as u64) && start.checked_add(bytes as u64 - 1).is_some()
}

impl<D: Driver> Deref for PrivateDomain<D> {
    type Target = PagingDomain<D>;

    fn deref(&self) -> &PagingDomain<D> {
        &self.domain
    }
}

impl<D: Driver> PagingDomain<D> {
    fn as_raw(&self) -> *mut bindings::iommu_domain {
        // The table is the first thing in the structure, and starts with the core's.
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Whether somebody made this domain to map it by himself, like VFIO does; false for the one
    /// of the DMA API.
    pub fn is_unmanaged(&self) -> bool {
        // SAFETY: The domain is live. The core sets its type before it attaches anything.
        unsafe { (*self.as_raw()).type_ == bindings::__IOMMU_DOMAIN_PAGING }
    }
}
