// SPDX-License-Identifier: GPL-2.0

//! Counters of user space that the kernel signals.
//!
//! C header: `include/linux/eventfd.h`

use crate::bindings;
use core::ptr::NonNull;
use kernel::{error::from_err_ptr, prelude::*};

/// An eventfd that somebody waits for.
///
/// # Invariants
///
/// This holds one reference to the context.
pub struct EventFd(NonNull<bindings::eventfd_ctx>);

// SAFETY: A context is not tied to a thread.
unsafe impl Send for EventFd {}
// SAFETY: The context has its own lock.
unsafe impl Sync for EventFd {}

impl EventFd {
    /// The one that is open under a number in this process.
    ///
    /// # Errors
    ///
    /// `EBADF` when nothing is, `EINVAL` when it is something else.
    pub fn open(fd: i32) -> Result<Self> {
        // SAFETY: Any number may be asked for.
        let raw = from_err_ptr(unsafe { bindings::eventfd_ctx_fdget(fd) })?;
        // INVARIANT: The call has taken a reference.
        NonNull::new(raw).map(Self).ok_or(EBADF)
    }

    /// Adds one to the counter. Does not sleep.
    pub fn signal(&self) {
        // SAFETY: By the type invariant the context is alive.
        unsafe { bindings::eventfd_signal_mask(self.0.as_ptr(), 0) };
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this is ours to give.
        unsafe { bindings::eventfd_ctx_put(self.0.as_ptr()) };
    }
}
