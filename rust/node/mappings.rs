// SPDX-License-Identifier: GPL-2.0

//! What processes have mapped of an open file.

#[cfg(doc)]
use super::Node;
use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    fs::File,
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex, MutexGuard},
};

/// The inode of a node.
///
/// # Invariants
///
/// This holds one reference to the inode.
pub(super) struct Inode(NonNull<bindings::inode>);

// SAFETY: An inode is not tied to a thread.
unsafe impl Send for Inode {}
// SAFETY: As above.
unsafe impl Sync for Inode {}

impl Inode {
    fn of(file: &File) -> Option<Self> {
        // SAFETY: The file is open; its inode does not change.
        let raw = NonNull::new(unsafe { (*file.as_ptr()).f_inode })?;
        // SAFETY: The file holds a reference.
        unsafe { bindings::ihold(raw.as_ptr()) };
        // INVARIANT: Taken above.
        Some(Self(raw))
    }
}

impl Clone for Inode {
    fn clone(&self) -> Self {
        // SAFETY: By the type invariant there is a reference.
        unsafe { bindings::ihold(self.0.as_ptr()) };
        // INVARIANT: Taken above.
        Self(self.0)
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this is ours to give.
        unsafe { bindings::iput(self.0.as_ptr()) };
    }
}

/// All that processes have mapped of one open file.
#[derive(Clone)]
pub struct Mappings(Arc<Shared>);

#[pin_data]
struct Shared {
    /// Held from the question what is at an offset until the answer is in the page table. None
    /// once the file is closed.
    #[pin]
    inode: Mutex<Option<Inode>>,
}

impl Mappings {
    pub(super) fn new(file: &File) -> Result<Self> {
        let inode = Inode::of(file).ok_or(ENODEV)?;
        let shared = pin_init!(Shared {
            inode <- new_mutex!(Some(inode), "kernel_ext::node::Mappings"),
        });
        Ok(Self(Arc::pin_init(shared, GFP_KERNEL_ACCOUNT)?))
    }

    /// Held from the question what is at an offset until the answer is in the page table.
    pub(super) fn answering(&self) -> MutexGuard<'_, Option<Inode>> {
        self.0.inode.lock()
    }

    /// Takes `bytes` bytes from `offset` on out of the memory of all processes, and of their
    /// guests; they ask [`Node::page`] again.
    ///
    /// To take a page away for good make [`Node::page`] fail first: then nothing of it is mapped
    /// when this returns, and nothing will be. [`Node::page`] runs with a lock held that is taken
    /// here, so the caller must not hold any that [`Node::page`] takes.
    pub fn revoke(&self, offset: u64, bytes: u64) {
        // Waits for those that have been told about the page and have not mapped it yet.
        let inode = self.0.inode.lock().clone();
        let (Some(inode), Ok(from), Ok(length)) =
            (inode, i64::try_from(offset), i64::try_from(bytes))
        else {
            return;
        };
        // SAFETY: The reference keeps the inode, and what it maps.
        unsafe { bindings::unmap_mapping_range((*inode.0.as_ptr()).i_mapping, from, length, 1) };
    }

    pub(super) fn close(&self) {
        let inode = self.0.inode.lock().take();
        drop(inode);
    }
}
