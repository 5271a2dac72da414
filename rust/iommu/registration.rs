// SPDX-License-Identifier: GPL-2.0

//! Making an instance known to the IOMMU core.

use super::{Driver, Ops};
use crate::{bindings, sysfs};
use core::{
    marker::PhantomData,
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::{
    device::Device, error::to_result, ffi::c_char, fmt, prelude::*, str::CStr, sync::Arc,
    types::Opaque,
};

/// The core's view of an instance, embedded in the instance.
///
/// # Invariants
///
/// `owner` is null while not registered. Otherwise it points to the instance that embeds this,
/// which a [`Registration`] keeps alive.
#[repr(C)]
#[pin_data]
pub struct Handle<I> {
    #[pin]
    iommu: Opaque<bindings::iommu_device>,
    owner: AtomicPtr<I>,
}

// SAFETY: The C structure belongs to the core, which synchronises itself.
unsafe impl<I: Send + Sync> Send for Handle<I> {}
// SAFETY: As above.
unsafe impl<I: Send + Sync> Sync for Handle<I> {}

impl<I> Handle<I> {
    /// An instance that is not registered yet.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            iommu <- Opaque::zeroed(),
            owner: AtomicPtr::new(core::ptr::null_mut()),
        })
    }

    fn forget(&self) {
        // SAFETY: The core does not know the instance any more.
        unsafe { (*self.as_raw()).ops = core::ptr::null() };
        self.owner.store(core::ptr::null_mut(), Ordering::Release);
    }

    /// Whether the core knows the instance, so that it may be given devices behind it.
    pub(super) fn is_known(&self) -> bool {
        // SAFETY: The field is read once. The core sets it when registration begins, before it
        // looks at devices.
        let ops = unsafe { (&raw const (*self.as_raw()).ops).read_volatile() };
        !ops.is_null() && !self.owner.load(Ordering::Acquire).is_null()
    }

    pub(super) fn as_raw(&self) -> *mut bindings::iommu_device {
        self.iommu.get()
    }
}

// The class device's data is the C structure, and what is wanted is the handle around it.
const _: () = assert!(core::mem::offset_of!(Handle<()>, iommu) == 0);

/// A read-only attribute of registered instances.
pub trait Attribute<I>: 'static {
    /// File name.
    const NAME: &'static CStr;

    /// Writes the value, without a newline.
    ///
    /// # Errors
    ///
    /// Only those of the formatter.
    fn show(iommu: &I, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A pair of attributes in one folder below `/sys/class/iommu/<instance>/`.
struct Folder<I, A, B>(PhantomData<(I, A, B)>);

impl<I: 'static, A: Attribute<I>, B: Attribute<I>> Folder<I, A, B> {
    const FIRST: bindings::device_attribute = sysfs::readable(A::NAME, show::<I, A>);
    const SECOND: bindings::device_attribute = sysfs::readable(B::NAME, show::<I, B>);
}

/// # Safety
///
/// Called by sysfs for the class device of a registered instance, with a page for the result.
unsafe extern "C" fn show<I, A: Attribute<I>>(
    dev: *mut bindings::device,
    _attribute: *mut bindings::device_attribute,
    page: *mut c_char,
) -> isize {
    struct Shown<'a, I, A>(&'a I, PhantomData<A>);

    impl<I, A: Attribute<I>> fmt::Display for Shown<'_, I, A> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            A::show(self.0, f)
        }
    }

    // SAFETY: The core stores the `iommu_device` as driver data of its class device, and a handle
    // starts with it.
    let handle = unsafe { &*bindings::dev_get_drvdata(dev).cast::<Handle<I>>() };
    // SAFETY: The class device exists only while the instance is registered.
    let iommu = unsafe { &*handle.owner.load(Ordering::Acquire) };
    let shown: Shown<'_, I, A> = Shown(iommu, PhantomData);
    // SAFETY: `page` is a page by the function's contract.
    unsafe { sysfs::emit(page, fmt!("{}\n", shown)) }
}

impl<I: 'static, A: Attribute<I>, B: Attribute<I>> Folder<I, A, B> {
    /// Creates the folder on the class device of a registered instance. It goes with the device.
    fn create(dev: *mut bindings::device, name: &'static CStr) -> Result {
        let first: &'static _ = &Self::FIRST.attr;
        let second: &'static _ = &Self::SECOND.attr;
        let mut list: [*const bindings::attribute; 3] = [first, second, core::ptr::null()];
        // SAFETY: All zeroes is a group without attributes.
        let mut group: bindings::attribute_group = unsafe { core::mem::zeroed() };
        group.name = name.as_char_ptr();
        group.__bindgen_anon_2.attrs = list.as_mut_ptr().cast();
        // SAFETY: The device is registered. Sysfs keeps pointers to the attributes, which are
        // static, but not to the group and its list.
        to_result(unsafe { bindings::sysfs_create_group(&mut (*dev).kobj, &group) })
    }
}

/// Keeps an instance registered with the core.
///
/// Dropping it releases every device of the instance; see [`Driver::release`].
///
/// # Invariants
///
/// The handle of `iommu` is registered with `ops` and has a class device.
pub struct Registration<D: Driver> {
    iommu: Arc<D::Iommu>,
    _ops: Arc<Ops<D>>,
}

impl<D: Driver> Registration<D> {
    /// Registers `iommu` under the name `<prefix><index>`, with attributes `A` and `B` in `folder`.
    ///
    /// The core claims the devices behind the instance before this returns.
    ///
    /// # Errors
    ///
    /// `EBUSY` when the instance is registered already, otherwise what sysfs and the core answer;
    /// nothing is left registered then.
    pub fn new<A: Attribute<D::Iommu>, B: Attribute<D::Iommu>>(
        iommu: Arc<D::Iommu>,
        ops: Arc<Ops<D>>,
        parent: &Device,
        name: (&'static CStr, u32),
        folder: &'static CStr,
    ) -> Result<Self> {
        let handle = (*iommu).as_ref();
        let owner = core::ptr::from_ref(&*iommu).cast_mut();
        handle
            .owner
            .compare_exchange(
                core::ptr::null_mut(),
                owner,
                Ordering::AcqRel,
                Ordering::Relaxed,
            )
            .map_err(|_| EBUSY)?;
        Self::add::<A, B>(handle, &ops, parent, name, folder).inspect_err(|_| handle.forget())?;
        // INVARIANT: Registered by `add`.
        Ok(Self { iommu, _ops: ops })
    }

    fn add<A: Attribute<D::Iommu>, B: Attribute<D::Iommu>>(
        handle: &Handle<D::Iommu>,
        ops: &Ops<D>,
        parent: &Device,
        (prefix, index): (&'static CStr, u32),
        folder: &'static CStr,
    ) -> Result {
        let raw = handle.as_raw();
        // SAFETY: The structure is zeroed and pinned in the instance, which outlives the class
        // device; the format takes one string and one unsigned number.
        to_result(unsafe {
            bindings::iommu_device_sysfs_add(
                raw,
                crate::device::as_raw(parent),
                core::ptr::null_mut(),
                c"%s%u".as_char_ptr(),
                prefix.as_char_ptr(),
                index,
            )
        })?;
        // SAFETY: `iommu_device_sysfs_add` has just set the class device.
        let dev = unsafe { (*raw).dev };
        Folder::<D::Iommu, A, B>::create(dev, folder)
            .and_then(|()| {
                // SAFETY: As above; the operations outlive the registration. On failure the core
                // takes everything back itself.
                to_result(unsafe {
                    bindings::iommu_device_register(raw, ops.as_raw(), core::ptr::null_mut())
                })
            })
            // SAFETY: Added above, and no device is linked to it.
            .inspect_err(|_| unsafe { bindings::iommu_device_sysfs_remove(raw) })
    }
}

impl<D: Driver> Drop for Registration<D> {
    fn drop(&mut self) {
        let handle = (*self.iommu).as_ref();
        let raw = handle.as_raw();
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::iommu_device_unregister(raw) };
        // SAFETY: By the type invariant the class device exists; the call before has unlinked
        // all devices from it.
        unsafe { bindings::iommu_device_sysfs_remove(raw) };
        handle.forget();
    }
}
