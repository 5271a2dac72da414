// SPDX-License-Identifier: GPL-2.0

//! The functions of model.h.
//!
//! A model is an opaque pointer that [`viommu_model_new`] gives and that lives as long as the
//! process: QEMU's devices that cannot be unplugged are never freed either. Any thread may call any
//! function.

use std::ffi::{c_char, CStr};

use amd_iommu_model::counters::Aperture;
use amd_iommu_model::request::{Access, Translation};
use amd_iommu_model::{Answer, Delivery, Interrupt, Message, Request};

use crate::device::Device;
use crate::machine::Callbacks;
use crate::settings;

/// `struct viommu_request`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CRequest {
    address: u64,
    pasid: u32,
    requester: u16,
    access: u8,
    has_pasid: bool,
    privileged: bool,
}

/// `struct viommu_translation`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CTranslation {
    address: u64,
    mask: u64,
    read: bool,
    write: bool,
}

/// `struct viommu_message`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CMessage {
    address: u64,
    data: u32,
    pasid: u32,
    requester: u16,
    has_pasid: bool,
}

/// `struct viommu_interrupt`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CInterrupt {
    address: u64,
    data: u32,
    number: u8,
    is_message: bool,
}

/// Copies a text with its end, cut to what there is room for.
///
/// # Safety
///
/// `out` points to `size` bytes that nobody else uses.
unsafe fn give_text(text: &str, out: *mut c_char, size: usize) {
    let Some(room) = size.checked_sub(1) else {
        return;
    };
    let bytes = text.as_bytes();
    let length = bytes.len().min(room);
    // SAFETY: `length` is at most `size - 1`, and a string of ours is none of the caller's memory.
    unsafe { out.copy_from_nonoverlapping(bytes.as_ptr().cast(), length) };
    // SAFETY: `length` is below `size`.
    unsafe { out.add(length).write(0) };
}

/// Gives true, or the error's text and false.
///
/// # Safety
///
/// As [`give_text`].
unsafe fn give(result: Result<(), String>, error: *mut c_char, size: usize) -> bool {
    if let Err(text) = &result {
        // SAFETY: As the caller promises.
        unsafe { give_text(text, error, size) };
    }
    result.is_ok()
}

/// A model with default settings.
#[no_mangle]
pub extern "C" fn viommu_model_new() -> &'static Device {
    Box::leak(Box::default())
}

/// The name of the n-th setting; false behind the last one.
///
/// # Safety
///
/// `name` points to `size` bytes that nobody else uses.
#[no_mangle]
pub unsafe extern "C" fn viommu_model_setting(n: usize, name: *mut c_char, size: usize) -> bool {
    let Some(text) = settings::name(n) else {
        return false;
    };
    // SAFETY: As the caller promises.
    unsafe { give_text(text, name, size) };
    true
}

/// Takes a setting; false, with a sentence in `error`, if it cannot be.
///
/// # Safety
///
/// `name` and `value` are strings; `error` points to `size` bytes that nobody else uses.
#[no_mangle]
pub unsafe extern "C" fn viommu_model_set(
    model: &Device,
    name: *const c_char,
    value: *const c_char,
    error: *mut c_char,
    size: usize,
) -> bool {
    // SAFETY: As the caller promises.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    // SAFETY: As the caller promises.
    let value = unsafe { CStr::from_ptr(value) }.to_string_lossy();
    // SAFETY: As the caller promises.
    unsafe { give(model.set(&name, &value), error, size) }
}

/// Builds the model; false, with a sentence in `error`, if the settings do not fit together.
///
/// # Safety
///
/// The functions of `machine` do as model.h says, at any time and in any thread. `error` points to
/// `size` bytes that nobody else uses.
#[no_mangle]
pub unsafe extern "C" fn viommu_model_power_on(
    model: &Device,
    machine: &Callbacks,
    device_id: u16,
    error: *mut c_char,
    size: usize,
) -> bool {
    // SAFETY: As the caller promises.
    unsafe { give(model.power_on(*machine, device_id), error, size) }
}

/// Reset of the machine.
#[no_mangle]
pub extern "C" fn viommu_model_reset(model: &Device) {
    model.reset();
}

/// The capability block.
#[no_mangle]
pub extern "C" fn viommu_model_capability(model: &Device, mmio: u64, words: &mut [u32; 6]) {
    *words = model.capability(mmio);
}

/// The vendor-specific capability, if there is one.
#[no_mangle]
pub extern "C" fn viommu_model_vendor_specific(model: &Device, words: &mut [u32; 6]) -> bool {
    let Some(capability) = model.vendor_specific() else {
        return false;
    };
    *words = capability;
    true
}

/// What `enum viommu_window` means.
fn window(number: u32) -> Option<Aperture> {
    match number {
        0 => Some(Aperture::Mmio),
        1 => Some(Aperture::Vf),
        2 => Some(Aperture::VfControl),
        _ => None,
    }
}

/// The address of a window that has a setting for it; 0 if it is not set.
#[no_mangle]
pub extern "C" fn viommu_model_aperture(model: &Device, number: u32) -> u64 {
    let (vf, control) = model.apertures();
    match window(number) {
        Some(Aperture::Vf) => vf.unwrap_or(0),
        Some(Aperture::VfControl) => control.unwrap_or(0),
        _ => 0,
    }
}

/// Reads a register.
#[no_mangle]
pub extern "C" fn viommu_model_read(model: &Device, number: u32, offset: u64, size: u8) -> u64 {
    window(number).map_or(0, |window| model.read(window, offset, size))
}

/// Writes a register.
#[no_mangle]
pub extern "C" fn viommu_model_write(
    model: &Device,
    number: u32,
    offset: u64,
    size: u8,
    value: u64,
) {
    if let Some(window) = window(number) {
        model.write(window, offset, size, value);
    }
}

/// Translates a request; false if it ends in an abort.
#[no_mangle]
pub extern "C" fn viommu_model_translate(
    model: &Device,
    request: &CRequest,
    out: &mut CTranslation,
) -> bool {
    let request = Request {
        requester: request.requester,
        address: request.address,
        access: match request.access {
            0 => Access::Read,
            1 => Access::Write,
            2 => Access::ReadWrite,
            _ => Access::Execute,
        },
        pasid: request.has_pasid.then_some(request.pasid),
        privileged: request.privileged,
    };
    let Some(Answer::Forward(Translation {
        address,
        size,
        read,
        write,
    })) = model.translate(&request)
    else {
        return false;
    };
    *out = CTranslation {
        address,
        mask: size.wrapping_sub(1),
        read,
        write,
    };
    true
}

/// Decides over an interrupt of a device; false if it ends in an abort.
#[no_mangle]
pub extern "C" fn viommu_model_remap(model: &Device, message: &mut CMessage) -> bool {
    let answer = model.interrupt_of_device(&Message {
        requester: message.requester,
        address: message.address,
        data: message.data,
        pasid: message.has_pasid.then_some(message.pasid),
    });
    let Some(Delivery::Send { address, data }) = answer else {
        return false;
    };
    (message.address, message.data) = (address, data);
    true
}

/// The time has come that the model asked for.
#[no_mangle]
pub extern "C" fn viommu_model_run(model: &Device) {
    model.run();
}

/// The next interrupt to deliver; false if there is none.
#[no_mangle]
pub extern "C" fn viommu_model_interrupt(model: &Device, out: &mut CInterrupt) -> bool {
    let Some(interrupt) = model.interrupt() else {
        return false;
    };
    *out = match interrupt {
        Interrupt::Msi { number } => CInterrupt {
            address: 0,
            data: 0,
            number,
            is_message: false,
        },
        Interrupt::Message { address, data } => CInterrupt {
            address,
            data,
            number: 0,
            is_message: true,
        },
    };
    true
}

/// Writes the statistics; false, with a sentence in `error`, if that failed.
///
/// # Safety
///
/// `error` points to `size` bytes that nobody else uses.
#[no_mangle]
pub unsafe extern "C" fn viommu_model_dump(
    model: &Device,
    error: *mut c_char,
    size: usize,
) -> bool {
    // SAFETY: As the caller promises.
    unsafe { give(model.dump(), error, size) }
}
