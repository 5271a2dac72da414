// SPDX-License-Identifier: GPL-2.0

//! Register windows whose physical address comes from firmware and not from a PCI BAR.

use crate::bindings;
use core::ptr::NonNull;
use kernel::{ffi::c_void, prelude::*, str::CStr};

/// A claimed and mapped window of device registers.
///
/// # Invariants
///
/// `base` maps `len` bytes at physical address `phys`, and the resource of that range is held.
pub struct Window {
    base: NonNull<c_void>,
    phys: u64,
    len: usize,
}

// SAFETY: The mapping is valid on every CPU.
unsafe impl Send for Window {}
// SAFETY: Register accesses are single accesses of one word; their order is the caller's business.
unsafe impl Sync for Window {}

impl Window {
    /// Claims and maps `len` bytes of registers at `phys`.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody else holds the range or there is no memory to hold it, which the kernel
    /// does not tell apart, `EINVAL` when it is empty or wraps, `ENOMEM` when it cannot be mapped.
    pub fn new(phys: u64, len: usize, name: &'static CStr) -> Result<Self> {
        if len == 0 || phys.checked_add(len as u64).is_none() {
            return Err(EINVAL);
        }
        // SAFETY: `name` is a static string; a null result means that the range is taken.
        let held = unsafe { bindings::request_mem_region(phys, len as u64, name.as_char_ptr()) };
        if held.is_null() {
            return Err(EBUSY);
        }
        // SAFETY: The range has just been claimed, so nobody else drives it.
        let base = unsafe { bindings::ioremap(phys, len) };
        match NonNull::new(base.cast()) {
            // INVARIANT: Claimed and mapped above.
            Some(base) => Ok(Self { base, phys, len }),
            None => {
                // SAFETY: Claimed above.
                unsafe { bindings::release_mem_region(phys, len as u64) };
                Err(ENOMEM)
            }
        }
    }

    fn at(&self, offset: usize, size: usize) -> Option<*mut c_void> {
        let fits = offset % size == 0 && offset.checked_add(size)? <= self.len;
        fits.then(|| self.base.as_ptr().wrapping_byte_add(offset))
    }

    /// Reads a 64-bit register; outside the window, or misaligned, reads as all ones like an
    /// absent device.
    pub fn read64(&self, offset: usize) -> u64 {
        match self.at(offset, 8) {
            // SAFETY: `at` returns aligned addresses inside the mapping.
            Some(addr) => unsafe { bindings::readq(addr) },
            None => u64::MAX,
        }
    }

    /// Writes a 64-bit register; outside the window, or misaligned, nothing is written.
    pub fn write64(&self, offset: usize, value: u64) {
        if let Some(addr) = self.at(offset, 8) {
            // SAFETY: `at` returns aligned addresses inside the mapping.
            unsafe { bindings::writeq(value, addr) };
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this is the mapping.
        unsafe { bindings::iounmap(self.base.as_ptr().cast()) };
        // SAFETY: By the type invariant the range is held.
        unsafe { bindings::release_mem_region(self.phys, self.len as u64) };
    }
}
