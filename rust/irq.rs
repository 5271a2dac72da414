// SPDX-License-Identifier: GPL-2.0

//! Interrupts: one of the driver's own device here; in [`parent`], [`device`] and [`own`] the remapping of
//! those of other devices.
//!
//! [`Msi`] is one message-signalled interrupt of a PCI function, handled in a thread. The kernel
//! crate's own registration borrows the vectors it stands on, so the two cannot live in one
//! structure. This type owns both.

pub mod device;
pub mod own;
pub mod parent;

use crate::{
    bindings::{self, shim},
    pci,
};
use kernel::{
    device::Bound,
    error::to_result,
    ffi::{c_int, c_uint, c_void},
    prelude::*,
    str::CStr,
    sync::{aref::ARef, Arc},
};

/// Whether the CPUs' local APICs have IDs of 32 bits.
pub fn has_wide_apic_ids() -> bool {
    shim::has_x2apic()
}

/// The highest ID that a local APIC has by now. CPUs that are plugged in may bring higher ones.
pub fn highest_apic_id() -> u32 {
    shim::highest_apic_id()
}

/// Handles an interrupt.
pub trait Handler: Send + Sync + 'static {
    /// Runs in a kernel thread of its own and may sleep.
    fn handle(&self);
}

/// A registered interrupt. Belongs into the data of the driver of `pdev`: it has to go when the driver
/// is unbound, at the latest.
///
/// # Invariants
///
/// `pdev` has one vector allocated and `irq` is its number; a handler is registered for it with
/// the address of `handler` as cookie.
pub struct Msi<T: Handler> {
    pdev: ARef<kernel::pci::Device>,
    irq: u32,
    handler: Arc<T>,
}

impl<T: Handler> Msi<T> {
    /// Allocates one MSI of `pdev` and routes it to `handler`.
    ///
    /// # Errors
    ///
    /// What the PCI core or the interrupt core answers; `ENOSPC` when the function has no MSI.
    pub fn new(
        pdev: &kernel::pci::Device<Bound>,
        name: &'static CStr,
        handler: Arc<T>,
    ) -> Result<Self> {
        let raw = pci::as_raw(pdev);
        // SAFETY: The device is bound; MSI is the only kind that is asked for.
        let count = unsafe { bindings::pci_alloc_irq_vectors(raw, 1, 1, bindings::PCI_IRQ_MSI) };
        if count < 0 {
            return Err(Error::from_errno(count));
        }
        Self::request(raw, name, &handler)
            .map(|irq| {
                let pdev: &kernel::pci::Device = pdev;
                // INVARIANT: Vector allocated above, handler registered by `request`.
                Self {
                    pdev: pdev.into(),
                    irq,
                    handler,
                }
            })
            // SAFETY: The vectors were allocated above and no handler uses them.
            .inspect_err(|_| unsafe { bindings::pci_free_irq_vectors(raw) })
    }

    fn request(pdev: *mut bindings::pci_dev, name: &'static CStr, handler: &Arc<T>) -> Result<u32> {
        // SAFETY: The caller has just allocated vector 0.
        let irq = unsafe { bindings::pci_irq_vector(pdev, 0) };
        let irq = u32::try_from(irq).map_err(|_| Error::from_errno(irq))?;
        // SAFETY: Allocated by the caller. The handler is unregistered before the last reference to it
        // goes.
        unsafe { request(irq, name, handler) }?;
        Ok(irq)
    }
}

/// Registers a handler.
///
/// # Safety
///
/// `irq` is an interrupt that belongs to the caller. `free_irq`, with the address of the handler as
/// cookie, comes before the handler goes.
unsafe fn request<T: Handler>(irq: u32, name: &'static CStr, handler: &Arc<T>) -> Result {
    // SAFETY: The callbacks match the cookie, which stays alive until `free_irq` has waited for the
    // last of them.
    to_result(unsafe {
        bindings::request_threaded_irq(
            irq,
            Some(wake),
            Some(thread::<T>),
            // Also with "threadirqs" what wakes the thread is not one itself.
            bindings::IRQF_NO_THREAD as usize,
            name.as_char_ptr(),
            core::ptr::from_ref::<T>(handler).cast_mut().cast(),
        )
    })
}

impl<T: Handler> Drop for Msi<T> {
    fn drop(&mut self) {
        let cookie = core::ptr::from_ref::<T>(&self.handler)
            .cast_mut()
            .cast::<c_void>();
        // SAFETY: By the type invariant the handler is registered with this cookie. The call
        // waits until no handler runs.
        unsafe { bindings::free_irq(self.irq, cookie) };
        // SAFETY: By the type invariant the vector is allocated, and it is not in use any more.
        unsafe { bindings::pci_free_irq_vectors(pci::as_raw(&self.pdev)) };
    }
}

/// To the kernel an interrupt that leaves the rest to its thread is unhandled as long as that does not return, and an
/// interrupt that is unhandled 100,000 times in a row is switched off for good. What interrupts here can go on for
/// longer, at a device's or a guest's will. So the thread is woken by hand.
///
/// # Safety
///
/// To be called by the kernel for an interrupt that is registered, see [`request`].
unsafe extern "C" fn wake(irq: c_int, cookie: *mut c_void) -> bindings::irqreturn_t {
    // SAFETY: The interrupt is being handled, so it is registered, and the cookie is its own.
    unsafe { bindings::irq_wake_thread(irq as c_uint, cookie) };
    bindings::irqreturn_t(bindings::irqreturn::IRQ_HANDLED.0 as c_uint)
}

/// # Safety
///
/// `cookie` is a handler that is registered, see [`request`].
unsafe extern "C" fn thread<T: Handler>(_irq: c_int, cookie: *mut c_void) -> bindings::irqreturn_t {
    // SAFETY: By the contract of the registration the handler is alive.
    unsafe { &*cookie.cast::<T>() }.handle();
    bindings::irqreturn_t(bindings::irqreturn::IRQ_HANDLED.0 as c_uint)
}
