// SPDX-License-Identifier: GPL-2.0

//! ACPI tables as plain bytes.

use crate::bindings;
use kernel::prelude::*;

/// A copy of the first ACPI table with this signature.
///
/// The copy is as long as the table's own header says; nothing else of it has been checked.
///
/// # Errors
///
/// `ENODEV` when there is no such table, `EINVAL` when it is shorter than a table header,
/// `ENOMEM`.
pub fn table(signature: [u8; 4]) -> Result<KVec<u8>> {
    let mut name = [signature[0], signature[1], signature[2], signature[3], 0];
    let mut header: *mut bindings::acpi_table_header = core::ptr::null_mut();
    // SAFETY: `name` is a nul-terminated string and `header` a place for the result; both outlive
    // the call.
    let status = unsafe { bindings::acpi_get_table(name.as_mut_ptr().cast(), 1, &mut header) };
    if status != 0 || header.is_null() {
        return Err(ENODEV);
    }
    // SAFETY: On success `header` points to a mapped table until it is put.
    let copied = unsafe { copy(header) };
    // SAFETY: Pairs with the successful `acpi_get_table`.
    unsafe { bindings::acpi_put_table(header) };
    copied
}

/// # Safety
///
/// `header` points to a mapped ACPI table.
unsafe fn copy(header: *const bindings::acpi_table_header) -> Result<KVec<u8>> {
    // SAFETY: By the function's contract the header is readable; it may be unaligned.
    let len = unsafe { (&raw const (*header).length).read_unaligned() } as usize;
    if len < core::mem::size_of::<bindings::acpi_table_header>() {
        return Err(EINVAL);
    }
    // SAFETY: ACPICA maps a table to the length in its header.
    let bytes = unsafe { core::slice::from_raw_parts(header.cast::<u8>(), len) };
    let mut copy = KVec::with_capacity(len, GFP_KERNEL)?;
    copy.extend_from_slice(bytes, GFP_KERNEL)?;
    Ok(copy)
}
