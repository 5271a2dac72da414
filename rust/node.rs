// SPDX-License-Identifier: GPL-2.0

//! A device node whose open files are objects, with calls, with something to read and with registers
//! to map. The kernel crate's own abstraction has no `poll`.
//!
//! What is mapped is for the CPU alone: the mapping is `VM_IO`, so neither VFIO nor anybody else
//! can pin it as a target of DMA, but not `VM_PFNMAP`, which VFIO would take. KVM accepts it, because
//! it follows the page table of the process and hears of every change.
//!
//! C headers: `include/linux/miscdevice.h`, `include/linux/mm.h`

mod file;
mod mappings;

pub use file::Registration;
pub use mappings::Mappings;

use kernel::{
    fs::File,
    prelude::*,
    sync::{
        poll::{PollCondVar, PollTable},
        Arc,
    },
    uaccess::UserSliceWriter,
    ModuleMetadata,
};

/// One open file of a device node.
pub trait Node: Send + Sync + Sized + 'static {
    /// The module that the node is part of; it stays loaded while a file is open.
    type Module: ModuleMetadata;

    /// Name of the node in `/dev`.
    const NAME: &'static CStr;

    /// A process opens the node. `mappings` is good until [`Node::close`].
    ///
    /// # Errors
    ///
    /// Go to the process.
    fn open(mappings: Mappings) -> Result<Arc<Self>>;

    /// An ioctl.
    ///
    /// # Errors
    ///
    /// Go to the process.
    fn ioctl(&self, number: u32, argument: UserPtr) -> Result;

    /// A process reads. Returns how many bytes it got; sleeps until there are some if `wait`.
    ///
    /// # Errors
    ///
    /// Go to the process: `EAGAIN` when there is nothing, and it does not want to sleep; `EINTR` when
    /// it is interrupted.
    fn read(&self, buffer: UserSliceWriter, wait: bool) -> Result<usize>;

    /// Whether there is something to read now. What wakes those who wait for it is named to `poll`
    /// before that is looked at.
    fn is_readable(&self, poll: &Poll<'_>) -> bool;

    /// Whether a process may map `bytes` bytes from `offset` on, both of them multiples of the page
    /// size.
    ///
    /// # Errors
    ///
    /// Go to the process.
    fn may_map(&self, offset: u64, bytes: u64) -> Result;

    /// The page of registers that is at `offset` now. Called with the process's memory map and a
    /// lock of [`Mappings`] held.
    ///
    /// # Errors
    ///
    /// Whatever the error is, the process gets `SIGBUS`, or its guest's access fails.
    fn page(&self, offset: u64) -> Result<u64>;

    /// The last reference to the file is gone. Nothing is called after this.
    fn close(&self);
}

/// Somebody who wants to know when something changes.
pub struct Poll<'a> {
    file: &'a File,
    table: PollTable<'a>,
}

impl Poll<'_> {
    /// Looks again when `change` is notified.
    pub fn wait_for(&self, change: &PollCondVar) {
        self.table.register_wait(self.file, change);
    }
}
