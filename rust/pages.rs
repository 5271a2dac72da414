// SPDX-License-Identifier: GPL-2.0

//! Physically contiguous memory that a device reads and writes on its own.

use crate::bindings::{self, shim};
use core::{
    ptr::NonNull,
    sync::atomic::{AtomicBool, Ordering},
};
use kernel::{prelude::*, sync::barrier};

/// A physical address the way a device has to see it: with the memory encryption bit where the
/// host uses one.
pub fn encrypted(phys: u64) -> u64 {
    phys | shim::sme_mask()
}

/// A physical address without the memory encryption bit.
pub fn plain(address: u64) -> u64 {
    address & !shim::sme_mask()
}

/// Whether the CPU can store 16 bytes in one piece.
pub fn can_store128() -> bool {
    shim::has_store128()
}

/// Zeroed, physically contiguous pages shared with a device.
///
/// The device may access the memory at any time, so every access of the CPU is a volatile one of
/// a single naturally aligned word.
///
/// # Invariants
///
/// `mem` is the start of an allocation of `PAGE_SIZE << order` bytes owned by this value.
pub struct Pages {
    mem: NonNull<u8>,
    order: u32,
    kept: AtomicBool,
}

// SAFETY: The allocation is not tied to the thread that made it.
unsafe impl Send for Pages {}
// SAFETY: All accesses are volatile accesses of aligned words, which the device makes too; the
// type promises no more order between threads than it does between CPU and device.
unsafe impl Sync for Pages {}

impl Pages {
    /// Allocates at least `bytes` bytes, near NUMA node `node`, rounded up to a power of two of
    /// pages and aligned to that size.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when no such block is free, `EINVAL` for zero bytes.
    pub fn new(node: i32, bytes: usize) -> Result<Self> {
        if bytes == 0 {
            return Err(EINVAL);
        }
        let pages = bytes.div_ceil(bindings::PAGE_SIZE);
        let order = pages.next_power_of_two().trailing_zeros();
        // SAFETY: Any node and order may be asked for; failure is reported by a null pointer.
        let mem = unsafe { shim::alloc_pages(node, order) };
        let mem = NonNull::new(mem.cast()).ok_or(ENOMEM)?;
        // INVARIANT: The allocation has just been made with this order and belongs to nobody else.
        Ok(Self {
            mem,
            order,
            kept: AtomicBool::new(false),
        })
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        bindings::PAGE_SIZE << self.order
    }

    /// Always false; a block has at least one page.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Physical address.
    pub fn phys(&self) -> u64 {
        // SAFETY: By the type invariant `mem` points to memory in the direct map.
        unsafe { shim::virt_to_phys(self.mem.as_ptr().cast()) }
    }

    /// Address for the device, see [`encrypted`].
    pub fn address(&self) -> u64 {
        encrypted(self.phys())
    }

    /// The first byte, in the direct map.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.mem.as_ptr()
    }

    fn slot<T>(&self, offset: usize) -> Result<*mut T> {
        let size = core::mem::size_of::<T>();
        if offset % size != 0 || offset.checked_add(size).ok_or(EINVAL)? > self.len() {
            return Err(EINVAL);
        }
        Ok(self.mem.as_ptr().wrapping_add(offset).cast())
    }

    /// Reads the 32-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when `offset` is not aligned or not inside.
    pub fn read32(&self, offset: usize) -> Result<u32> {
        let slot = self.slot::<u32>(offset)?;
        // SAFETY: `slot` returns aligned pointers into the allocation, which is initialised.
        Ok(unsafe { slot.read_volatile() })
    }

    /// Reads the 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// As [`Pages::read32`].
    pub fn read64(&self, offset: usize) -> Result<u64> {
        let slot = self.slot::<u64>(offset)?;
        // SAFETY: As in `read32`.
        Ok(unsafe { slot.read_volatile() })
    }

    /// Writes the 32-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// As [`Pages::read32`].
    pub fn write32(&self, offset: usize, value: u32) -> Result {
        let slot = self.slot::<u32>(offset)?;
        // SAFETY: As in `read32`; other accesses are volatile too.
        unsafe { slot.write_volatile(value) };
        Ok(())
    }

    /// Writes the 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// As [`Pages::read32`].
    pub fn write64(&self, offset: usize, value: u64) -> Result {
        let slot = self.slot::<u64>(offset)?;
        // SAFETY: As in `read32`; other accesses are volatile too.
        unsafe { slot.write_volatile(value) };
        Ok(())
    }

    /// Stores 16 bytes at `offset` in one piece: a device never sees half of them.
    ///
    /// # Errors
    ///
    /// As [`Pages::read32`]. `ENODEV` when the CPU cannot store 16 bytes at once.
    pub fn store128(&self, offset: usize, value: u128) -> Result {
        if !shim::has_store128() {
            return Err(ENODEV);
        }
        let slot = self.slot::<u128>(offset)?;
        // SAFETY: The pointer is 16-byte aligned and inside the allocation; the CPU has the
        // instruction.
        unsafe { shim::store128(slot.cast(), value as u64, (value >> 64) as u64) };
        Ok(())
    }

    /// Never gives the memory back: a device may go on using it.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// Makes all earlier writes visible to the device before any later one.
    pub fn publish(&self) {
        barrier::dma_mb(barrier::Write);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.is_kept() {
            return;
        }
        // SAFETY: By the type invariant this is the allocation and its order.
        unsafe { shim::free_pages(self.mem.as_ptr().cast(), self.order) };
    }
}
