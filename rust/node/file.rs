// SPDX-License-Identifier: GPL-2.0

//! The callbacks of a device node and its open files.

use super::{Mappings, Node, Poll};
use crate::bindings::{self, shim};
use core::{marker::PhantomData, mem::zeroed};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    error::to_result,
    ffi::{c_char, c_int, c_long, c_uint, c_ulong},
    fs::{
        file::{flags::O_NONBLOCK, LocalFile},
        File,
    },
    mm::virt::{flags, VmaNew},
    module::this_module,
    page::PAGE_SHIFT,
    prelude::*,
    sync::{poll::PollTable, Arc},
    types::{ForeignOwnable, Opaque},
    uaccess::UserSlice,
};

/// What the kernel keeps of an open file, as its private data.
struct Opened<T> {
    node: Arc<T>,
    mappings: Mappings,
}

impl<T: Node> Opened<T> {
    fn new(file: &File) -> Result<KBox<Self>> {
        let mappings = Mappings::new(file)?;
        let opened = Self {
            node: T::open(mappings.clone())?,
            mappings,
        };
        Ok(KBox::new(opened, GFP_KERNEL_ACCOUNT)?)
    }

    /// # Safety
    ///
    /// `file` has been opened by `open` below and is not released during `'a`.
    unsafe fn of<'a>(file: *mut bindings::file) -> &'a Self {
        // SAFETY: By the function's contract the private data is what `open` has stored.
        unsafe { <KBox<Self> as ForeignOwnable>::borrow((*file).private_data) }
    }

    fn map(&self, vma: &VmaNew) -> Result {
        // A private mapping would be copied on the first write.
        if vma.flags() & flags::SHARED == 0 {
            return Err(EINVAL);
        }
        vma.try_clear_mayexec()?;
        // SAFETY: The area is being set up, so its offset does not change.
        let pages = unsafe { (*vma.as_ptr()).vm_pgoff } as u64;
        let offset = pages.checked_mul(1 << PAGE_SHIFT).ok_or(EINVAL)?;
        let bytes = vma.end().saturating_sub(vma.start());
        self.node.may_map(offset, bytes as u64)?;
        vma.set_io();
        vma.set_mixedmap();
        vma.set_dontexpand();
        vma.set_dontdump();
        vma.set_dontcopy();
        let operations: &'static _ = &Callbacks::<T>::AREA;
        // SAFETY: The area is being set up by the only thread that knows it. The operations suit
        // its file, whose private data is `self`.
        unsafe {
            shim::vma_uncached(vma.as_ptr());
            (*vma.as_ptr()).vm_ops = operations;
        }
        Ok(())
    }
}

struct Callbacks<T>(PhantomData<T>);

impl<T: Node> Callbacks<T> {
    /// Operations of an open file.
    const FILE: bindings::file_operations = bindings::file_operations {
        owner: this_module::<T::Module>().as_ptr(),
        open: Some(open::<T>),
        release: Some(release::<T>),
        read: Some(read::<T>),
        poll: Some(poll::<T>),
        unlocked_ioctl: Some(ioctl::<T>),
        compat_ioctl: bindings::compat_ptr_ioctl,
        mmap: Some(mmap::<T>),
        // SAFETY: All zeroes is a table without callbacks.
        ..unsafe { zeroed() }
    };

    /// Operations of a mapped area of an [`Opened`] file.
    const AREA: bindings::vm_operations_struct = bindings::vm_operations_struct {
        fault: Some(fault::<T>),
        // SAFETY: All zeroes is a table without callbacks.
        ..unsafe { zeroed() }
    };
}

/// # Safety
///
/// Called by the kernel for a file of the node that is being opened.
unsafe extern "C" fn open<T: Node>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: Both are valid; nobody else has the file yet. There is no position in what is read.
    let ret = unsafe { bindings::stream_open(inode, file) };
    if ret != 0 {
        return ret;
    }
    // SAFETY: The file outlives the call, and no position of it is held.
    match Opened::<T>::new(unsafe { File::from_raw_file(file) }) {
        Ok(opened) => {
            // SAFETY: Nobody else has the file yet.
            unsafe { (*file).private_data = opened.into_foreign() };
            0
        }
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// Called by the kernel for a file that `open` has opened, when nobody has it any more.
unsafe extern "C" fn release<T: Node>(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: The private data is what `open` has stored, and this is its end.
    let opened = unsafe { <KBox<Opened<T>> as ForeignOwnable>::from_foreign((*file).private_data) };
    opened.node.close();
    opened.mappings.close();
    0
}

/// # Safety
///
/// Called by the kernel for a file that `open` has opened.
unsafe extern "C" fn read<T: Node>(
    file: *mut bindings::file,
    buffer: *mut c_char,
    bytes: usize,
    _: *mut bindings::loff_t,
) -> isize {
    // SAFETY: By the function's contract; the kernel holds the file for this call.
    let (opened, flags) = unsafe {
        (
            Opened::<T>::of(file),
            LocalFile::from_raw_file(file).flags(),
        )
    };
    let buffer = UserSlice::new(UserPtr::from_ptr(buffer.cast()), bytes).writer();
    match opened.node.read(buffer, flags & O_NONBLOCK == 0) {
        // No more than the buffer has, which is no more than `isize` has.
        Ok(bytes) => bytes as isize,
        Err(error) => error.to_errno() as isize,
    }
}

/// # Safety
///
/// Called by the kernel for a file that `open` has opened; `table` is null or valid.
unsafe extern "C" fn poll<T: Node>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: By the function's contract; the kernel holds file and table for this call, and no
    // position of the file.
    let (opened, poll) = unsafe {
        let poll = Poll {
            file: File::from_raw_file(file),
            table: PollTable::from_raw(table),
        };
        (Opened::<T>::of(file), poll)
    };
    match opened.node.is_readable(&poll) {
        true => bindings::POLLIN | bindings::POLLRDNORM,
        false => 0,
    }
}

/// # Safety
///
/// Called by the kernel for a file that `open` has opened.
unsafe extern "C" fn ioctl<T: Node>(
    file: *mut bindings::file,
    number: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: By the function's contract.
    let opened = unsafe { Opened::<T>::of(file) };
    match opened.node.ioctl(number, UserPtr::from_addr(argument)) {
        Ok(()) => 0,
        Err(error) => error.to_errno() as c_long,
    }
}

/// # Safety
///
/// Called by the kernel for a file that `open` has opened, and an area of it that is being set up.
unsafe extern "C" fn mmap<T: Node>(
    file: *mut bindings::file,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: By the function's contract.
    let (opened, vma) = unsafe { (Opened::<T>::of(file), VmaNew::from_raw(vma)) };
    match opened.map(vma) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// Called by the kernel for a fault in an area that `mmap` above has set up.
unsafe extern "C" fn fault<T: Node>(fault: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: By the function's contract. The area holds its file open.
    let (area, offset, address, opened) = unsafe {
        let at = (*fault).__bindgen_anon_1;
        let opened = Opened::<T>::of((*at.vma).vm_file);
        (at.vma, (at.pgoff as u64) << PAGE_SHIFT, at.address, opened)
    };
    let _answering = opened.mappings.answering();
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
///
/// # Invariants
///
/// `misc` is registered.
#[pin_data(PinnedDrop)]
pub struct Registration<T: Node> {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    _node: PhantomData<T>,
}

// SAFETY: A registration is not tied to a thread.
unsafe impl<T: Node> Send for Registration<T> {}
// SAFETY: There is nothing to do with a reference to it.
unsafe impl<T: Node> Sync for Registration<T> {}

impl<T: Node> Registration<T> {
    /// Makes the node.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EBUSY` when there are no numbers left.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: Registered, or there is no such value.
            misc <- Opaque::try_ffi_init(|slot: *mut bindings::miscdevice| {
                let operations: &'static _ = &Callbacks::<T>::FILE;
                // SAFETY: `slot` is memory for the device, which stays where it is until `drop`, and the
                // operations are static. All zeroes is a device without anything.
                unsafe {
                    slot.write(zeroed());
                    (*slot).minor = bindings::MISC_DYNAMIC_MINOR as c_int;
                    (*slot).name = T::NAME.as_char_ptr();
                    (*slot).fops = operations;
                    to_result(bindings::misc_register(slot))
                }
            }),
            _node: PhantomData,
        })
    }
}

#[pinned_drop]
impl<T: Node> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}
