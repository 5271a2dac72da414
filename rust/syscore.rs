// SPDX-License-Identifier: GPL-2.0

//! A last word at reboot and kexec, after all devices have been shut down.
//!
//! C header: `include/linux/syscore_ops.h`

use crate::bindings;
use kernel::{ffi::c_void, prelude::*, sync::Arc, types::Opaque};

/// What to do when the system goes down.
pub trait Shutdown: Send + Sync + 'static {
    /// Called on one CPU with interrupts off, when devices no longer work. Must not sleep.
    fn shutdown(&self);
}

/// Keeps a [`Shutdown`] registered.
///
/// # Invariants
///
/// `core` is registered, and its data pointer is that of `target`, for as long as this exists.
#[pin_data(PinnedDrop)]
pub struct Registration<T: Shutdown> {
    #[pin]
    core: Opaque<bindings::syscore>,
    target: Arc<T>,
}

// SAFETY: Registration is protected by the C side's own lock; the target is shared.
unsafe impl<T: Shutdown> Send for Registration<T> {}
// SAFETY: There are no methods that take a shared reference.
unsafe impl<T: Shutdown> Sync for Registration<T> {}

impl<T: Shutdown> Registration<T> {
    const OPS: bindings::syscore_ops = bindings::syscore_ops {
        suspend: None,
        resume: None,
        shutdown: Some(shutdown::<T>),
    };

    /// Registers `target`.
    pub fn new(target: Arc<T>) -> impl PinInit<Self> {
        let data = core::ptr::from_ref::<T>(&target)
            .cast_mut()
            .cast::<c_void>();
        pin_init!(&this in Self {
            core <- Opaque::ffi_init(move |slot: *mut bindings::syscore| {
                let ops: &'static _ = &Self::OPS;
                // SAFETY: `slot` is memory for the whole structure; the list node is initialised
                // by the registration below.
                unsafe {
                    slot.write_bytes(0, 1);
                    (*slot).ops = ops;
                    (*slot).data = data;
                }
            }),
            target,
            _: {
                // SAFETY: The structure is pinned inside `this`, initialised, and unregistered
                // before it goes.
                unsafe { bindings::register_syscore((*this.as_ptr()).core.get()) };
            },
        })
    }
}

#[pinned_drop]
impl<T: Shutdown> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::unregister_syscore(self.core.get()) };
    }
}

/// # Safety
///
/// `data` is the target of a live [`Registration`].
unsafe extern "C" fn shutdown<T: Shutdown>(data: *mut c_void) {
    // SAFETY: By the registration's invariant the target is alive.
    unsafe { &*data.cast::<T>() }.shutdown();
}
