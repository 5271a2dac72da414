// SPDX-License-Identifier: GPL-2.0

//! A device node whose open files are objects, with calls and with registers to map.
//!
//! What is mapped is for the CPU alone: the mapping is `VM_IO`, so neither VFIO nor anybody else
//! can pin it as a target of DMA, but not `VM_PFNMAP`, which VFIO would take. KVM accepts it, because
//! it follows the page table of the process and hears of every change.
//!
//! C headers: `include/linux/miscdevice.h`, `include/linux/mm.h`

use crate::bindings::{self, shim};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    fs::File,
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    mm::virt::{flags, VmaNew},
    new_mutex,
    page::PAGE_SHIFT,
    prelude::*,
    sync::{Arc, Mutex},
    types::ForeignOwnable,
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

/// The inode of a node.
///
/// # Invariants
///
/// This holds one reference to the inode.
struct Inode(NonNull<bindings::inode>);

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
    fn new(file: &File) -> Result<Self> {
        let inode = Inode::of(file).ok_or(ENODEV)?;
        let shared = pin_init!(Shared {
            inode <- new_mutex!(Some(inode), "kernel_ext::node::Mappings"),
        });
        Ok(Self(Arc::pin_init(shared, GFP_KERNEL_ACCOUNT)?))
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

    fn close(&self) {
        let inode = self.0.inode.lock().take();
        drop(inode);
    }
}

/// What the kernel keeps of an open file.
struct Opened<T> {
    node: Arc<T>,
    mappings: Mappings,
}

#[vtable]
impl<T: Node> MiscDevice for Opened<T> {
    type Ptr = KBox<Self>;
    type OwnerModule = T::Module;

    fn open(file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        let mappings = Mappings::new(file)?;
        let opened = Self {
            node: T::open(mappings.clone())?,
            mappings,
        };
        Ok(KBox::new(opened, GFP_KERNEL_ACCOUNT)?)
    }

    fn release(opened: KBox<Self>, _file: &File) {
        opened.node.close();
        opened.mappings.close();
    }

    fn ioctl(opened: &Self, _file: &File, number: u32, argument: usize) -> Result<isize> {
        opened.node.ioctl(number, UserPtr::from_addr(argument))?;
        Ok(0)
    }

    fn mmap(opened: &Self, _file: &File, vma: &VmaNew) -> Result {
        // A private mapping would be copied on the first write.
        if vma.flags() & flags::SHARED == 0 {
            return Err(EINVAL);
        }
        vma.try_clear_mayexec()?;
        // SAFETY: The area is being set up, so its offset does not change.
        let pages = unsafe { (*vma.as_ptr()).vm_pgoff } as u64;
        let offset = pages.checked_mul(1 << PAGE_SHIFT).ok_or(EINVAL)?;
        let bytes = vma.end().saturating_sub(vma.start());
        opened.node.may_map(offset, bytes as u64)?;
        vma.set_io();
        vma.set_mixedmap();
        vma.set_dontexpand();
        vma.set_dontdump();
        vma.set_dontcopy();
        let operations: &'static _ = &Area::<T>::OPERATIONS;
        // SAFETY: The area is being set up by the only thread that knows it. The operations suit
        // its file, whose private data is `opened`.
        unsafe {
            shim::vma_uncached(vma.as_ptr());
            (*vma.as_ptr()).vm_ops = operations;
        }
        Ok(())
    }
}

/// Operations of a mapped area of an [`Opened`] file.
struct Area<T>(PhantomData<T>);

impl<T: Node> Area<T> {
    const OPERATIONS: bindings::vm_operations_struct = {
        // SAFETY: All zeroes is a table without callbacks.
        let mut operations: bindings::vm_operations_struct = unsafe { core::mem::zeroed() };
        operations.fault = Some(fault::<T>);
        operations
    };
}

/// # Safety
///
/// Called by the kernel for a fault in an area that `mmap` above has set up.
unsafe extern "C" fn fault<T: Node>(fault: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: By the function's contract. The area holds its file open, so the private data is
    // what `open` has stored.
    let (area, offset, address, opened) = unsafe {
        let at = (*fault).__bindgen_anon_1;
        let private = (*(*at.vma).vm_file).private_data;
        let opened = <KBox<Opened<T>> as ForeignOwnable>::borrow(private);
        (at.vma, (at.pgoff as u64) << PAGE_SHIFT, at.address, opened)
    };
    let _answering = opened.mappings.0.inode.lock();
    match opened.node.page(offset) {
        // SAFETY: The area is `VM_MIXEDMAP`, and the kernel holds its lock for this call. The page
        // is one of registers, which nobody counts.
        Ok(phys) => unsafe {
            bindings::vmf_insert_mixed(area, address, (phys >> PAGE_SHIFT) as usize)
        },
        Err(_) => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
    }
}

/// A node in `/dev`, which only root may open unless told otherwise.
#[pin_data]
pub struct Registration<T: Node> {
    #[pin]
    misc: MiscDeviceRegistration<Opened<T>>,
}

impl<T: Node> Registration<T> {
    /// Makes the node.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EBUSY` when there are no numbers left.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            misc <- MiscDeviceRegistration::register(MiscDeviceOptions { name: T::NAME }),
        })
    }
}
