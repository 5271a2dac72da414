// SPDX-License-Identifier: GPL-2.0

//! Attribute files of devices.

use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    device::{Bound, Device},
    error::to_result,
    ffi::c_char,
    fmt::{self, Write},
    prelude::*,
    str::{as_char_ptr_in_const_context, CStr, Formatter},
    sync::aref::ARef,
};

/// A file that takes commands.
pub trait Command: 'static {
    /// File name.
    const NAME: &'static CStr;

    /// Handles one write to the file of `dev`.
    ///
    /// # Errors
    ///
    /// The error is what the writer gets.
    fn store(dev: &Device, input: &[u8]) -> Result;
}

/// Write-only attribute, for root.
const fn command<C: Command>() -> bindings::device_attribute {
    // SAFETY: All zeroes is an attribute without callbacks.
    let mut attribute: bindings::device_attribute = unsafe { core::mem::zeroed() };
    attribute.attr.name = as_char_ptr_in_const_context(C::NAME);
    attribute.attr.mode = 0o200;
    attribute.__bindgen_anon_2.store = Some(store::<C>);
    attribute
}

/// Read-only attribute, for everybody.
pub(crate) const fn readable(
    name: &'static CStr,
    show: unsafe extern "C" fn(
        *mut bindings::device,
        *mut bindings::device_attribute,
        *mut c_char,
    ) -> isize,
) -> bindings::device_attribute {
    // SAFETY: All zeroes is an attribute without callbacks.
    let mut attribute: bindings::device_attribute = unsafe { core::mem::zeroed() };
    attribute.attr.name = as_char_ptr_in_const_context(name);
    attribute.attr.mode = 0o444;
    attribute.__bindgen_anon_1.show = Some(show);
    attribute
}

/// Formats `value` and a newline into the page that sysfs hands to a show callback.
///
/// # Safety
///
/// `page` points to `PAGE_SIZE` writable bytes.
pub(crate) unsafe fn emit(page: *mut c_char, value: fmt::Arguments<'_>) -> isize {
    // SAFETY: By the function's contract.
    let page = unsafe { core::slice::from_raw_parts_mut(page.cast::<u8>(), bindings::PAGE_SIZE) };
    let mut out = Formatter::new(page);
    match out.write_fmt(value) {
        Ok(()) => out.bytes_written() as isize,
        Err(_) => EOVERFLOW.to_errno() as isize,
    }
}

/// A [`Command`] file that exists on a device.
///
/// # Invariants
///
/// The file is created on `dev`.
pub struct CommandFile<C: Command> {
    dev: ARef<Device>,
    _command: PhantomData<fn(C)>,
}

impl<C: Command> CommandFile<C> {
    const ATTRIBUTE: bindings::device_attribute = command::<C>();

    /// Creates the file.
    ///
    /// # Errors
    ///
    /// What sysfs answers.
    pub fn new(dev: &Device<Bound>) -> Result<Self> {
        let dev: &Device = dev;
        let attribute: &'static _ = &Self::ATTRIBUTE;
        // SAFETY: The attribute is static, the device live and bound.
        to_result(unsafe { bindings::device_create_file(crate::device::as_raw(dev), attribute) })?;
        // INVARIANT: Created above.
        Ok(Self {
            dev: dev.into(),
            _command: PhantomData,
        })
    }
}

impl<C: Command> Drop for CommandFile<C> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the file exists. The call waits for writers.
        unsafe { bindings::device_remove_file(crate::device::as_raw(&self.dev), &Self::ATTRIBUTE) };
    }
}

/// # Safety
///
/// Called by sysfs: `dev` is live and `buf` holds `count` bytes.
unsafe extern "C" fn store<C: Command>(
    dev: *mut bindings::device,
    _attribute: *mut bindings::device_attribute,
    buf: *const c_char,
    count: usize,
) -> isize {
    // SAFETY: By the function's contract.
    let dev = unsafe { Device::from_raw(dev) };
    // SAFETY: By the function's contract.
    let input = unsafe { core::slice::from_raw_parts(buf.cast::<u8>(), count) };
    match C::store(dev, input.trim_ascii()) {
        Ok(()) => count as isize,
        Err(error) => error.to_errno() as isize,
    }
}
