// SPDX-License-Identifier: GPL-2.0

//! An interrupt that a unit makes itself, handled in a thread.

use super::{
    parent::{MsiParent, Unit},
    request, Handler,
};
use crate::bindings;
use kernel::{prelude::*, str::CStr, sync::Arc};

/// A registered interrupt that is no device's. Its entry is told where the CPU side wants it.
///
/// # Invariants
///
/// `irq` is an interrupt of `parent`; a handler is registered for it with the address of `handler` as
/// cookie.
pub struct OwnIrq<U: Unit, T: Handler> {
    irq: u32,
    handler: Arc<T>,
    _parent: Arc<MsiParent<U>>,
}

impl<U: Unit, T: Handler> OwnIrq<U, T> {
    /// Takes a vector near NUMA node `node` and routes it to `handler`. `entry` stands for the
    /// interrupt until this is dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` when the CPUs have no vectors left, and those of the entry.
    pub fn new(
        parent: Arc<MsiParent<U>>,
        entry: U::Entry,
        node: i32,
        name: &'static CStr,
        handler: Arc<T>,
    ) -> Result<Self> {
        let irq = parent.allocate(entry, node)?;
        // SAFETY: Allocated above. The handler is unregistered before the last reference to it goes.
        unsafe { request(irq, name, &handler) }
            // SAFETY: Allocated above, and no handler uses it.
            .inspect_err(|_| unsafe { bindings::irq_domain_free_irqs(irq, 1) })?;
        // INVARIANT: Done above.
        Ok(Self {
            irq,
            handler,
            _parent: parent,
        })
    }
}

impl<U: Unit, T: Handler> Drop for OwnIrq<U, T> {
    fn drop(&mut self) {
        let cookie = core::ptr::from_ref::<T>(&self.handler).cast_mut().cast();
        // SAFETY: By the type invariant the handler is registered with this cookie. The call waits until
        // no handler runs.
        unsafe { bindings::free_irq(self.irq, cookie) };
        // SAFETY: By the type invariant the interrupt exists, and it is not in use any more.
        unsafe { bindings::irq_domain_free_irqs(self.irq, 1) };
    }
}
