// SPDX-License-Identifier: GPL-2.0

//! Domains with a page table.

use super::{
    generic_pt::{Config, Format, Top},
    ops, Driver, Paging,
};
use crate::bindings::{self, shim};
use kernel::{error::to_result, prelude::*, types::Opaque};

type Table<D> = <<<D as Driver>::Domain as Paging>::Format as Format>::Table;
type FormatOf<D> = <<D as Driver>::Domain as Paging>::Format;

/// A domain: the kernel's page table and the driver's part.
///
/// # Invariants
///
/// `table` starts with a `struct iommu_domain` and is initialised from the end of the constructor
/// on. Its memory does not move.
#[repr(C)]
#[pin_data(PinnedDrop)]
pub struct PagingDomain<D: Driver> {
    #[pin]
    table: Opaque<Table<D>>,
    #[pin]
    top_lock: Opaque<bindings::spinlock_t>,
    driver: D::Domain,
    /// Goes last: the code that frees the rest belongs to it.
    _module: Option<ModuleReference>,
}

/// Keeps a module loaded. A domain may outlive every device that could do so.
struct ModuleReference(&'static ThisModule);

impl ModuleReference {
    fn new(module: &'static ThisModule) -> Result<Self> {
        // SAFETY: A module pointer or null, which stands for code that is never unloaded.
        let taken = unsafe { bindings::try_module_get(module.as_ptr()) };
        taken.then_some(Self(module)).ok_or(ENODEV)
    }
}

impl Drop for ModuleReference {
    fn drop(&mut self) {
        // SAFETY: Pairs with the successful `try_module_get`.
        unsafe { bindings::module_put(self.0.as_ptr()) };
    }
}

// SAFETY: The page table has its own rules for concurrent use, which the core follows; the rest
// may be sent by its bounds.
unsafe impl<D: Driver> Send for PagingDomain<D> {}
// SAFETY: As above; the top is only read with its lock held.
unsafe impl<D: Driver> Sync for PagingDomain<D> {}

impl<D: Driver> PagingDomain<D> {
    const DRIVER_OPS: bindings::pt_iommu_driver_ops = bindings::pt_iommu_driver_ops {
        change_top: Some(change_top::<D>),
        get_top_lock: Some(top_lock::<D>),
    };

    /// Makes a domain with an empty table, allocated near NUMA node `node`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` and `EOPNOTSUPP` for a configuration that the format does not have;
    /// `ENODEV` when the module is being unloaded.
    pub fn new(driver: D::Domain, config: Config, node: i32) -> Result<Pin<KBox<Self>>> {
        let module = ModuleReference::new(D::module())?;
        Self::build(driver, config, node, Some(module))
    }

    /// Makes a domain for the driver's own use, which goes before the module does.
    ///
    /// # Errors
    ///
    /// As [`PagingDomain::new`].
    pub fn own(driver: D::Domain, config: Config, node: i32) -> Result<Pin<KBox<Self>>> {
        Self::build(driver, config, node, None)
    }

    fn build(
        driver: D::Domain,
        config: Config,
        node: i32,
        module: Option<ModuleReference>,
    ) -> Result<Pin<KBox<Self>>> {
        let domain = KBox::pin_init(
            pin_init!(Self {
                table <- Opaque::ffi_init(move |slot: *mut Table<D>| {
                    let driver_ops: &'static _ = &Self::DRIVER_OPS;
                    let domain_ops: &'static _ = &ops::Callbacks::<D>::DOMAIN;
                    // SAFETY: `slot` is memory for the whole structure, which starts with
                    // `pt_iommu` by the contract of `Format`.
                    unsafe {
                        slot.write_bytes(0, 1);
                        let table = slot.cast::<bindings::pt_iommu>();
                        (*table).driver_ops = driver_ops;
                        (*table).nid = node;
                        (*table).domain.ops = domain_ops;
                    }
                }),
                top_lock <- Opaque::ffi_init(|slot| {
                    // SAFETY: `slot` is memory for a lock.
                    unsafe { shim::top_lock_init(slot) }
                }),
                driver,
                _module: module,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The table is zeroed but for what was set above, and pinned. If this fails, the
        // destructor finds a table without operations and leaves it alone.
        to_result(unsafe { FormatOf::<D>::init(domain.table.get(), config) })?;
        Ok(domain)
    }

    /// The driver's part.
    pub fn driver(&self) -> &D::Domain {
        &self.driver
    }

    /// Runs `with` while the top of the table cannot change. `with` must not sleep.
    pub fn with_top<R>(&self, with: impl FnOnce(Top) -> R) -> R {
        // SAFETY: The lock is initialised and pinned.
        let flags = unsafe { shim::top_lock(self.top_lock.get()) };
        // SAFETY: The table is initialised and the lock of its top is held.
        let result = with(unsafe { FormatOf::<D>::top(self.table.get()) });
        // SAFETY: Locked above with these flags.
        unsafe { shim::top_unlock(self.top_lock.get(), flags) };
        result
    }

    /// Hands the domain over to the core.
    pub(super) fn into_raw(domain: Pin<KBox<Self>>) -> *mut bindings::iommu_domain {
        // SAFETY: The core treats the memory as pinned until it calls `free`.
        KBox::into_raw(unsafe { Pin::into_inner_unchecked(domain) }).cast()
    }

    /// # Safety
    ///
    /// `raw` comes from [`PagingDomain::into_raw`], and no reference to it is left.
    pub(super) unsafe fn free(raw: *mut bindings::iommu_domain) {
        // SAFETY: By the function's contract.
        drop(unsafe { KBox::from_raw(raw.cast::<Self>()) });
    }

    /// # Safety
    ///
    /// `raw` comes from [`PagingDomain::into_raw`] and is not freed within `'a`.
    pub(super) unsafe fn from_raw<'a>(raw: *mut bindings::iommu_domain) -> &'a Self {
        // SAFETY: By the function's contract; the domain is the first thing in the structure.
        unsafe { &*raw.cast() }
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for PagingDomain<D> {
    fn drop(self: Pin<&mut Self>) {
        self.driver.sever();
        // SAFETY: No device walks the table any more. One that was never initialised has no
        // operations, which the call checks.
        unsafe { shim::pt_iommu_deinit(self.table.get().cast()) };
    }
}

/// # Safety
///
/// `table` is the table of a live [`PagingDomain`].
unsafe extern "C" fn top_lock<D: Driver>(
    table: *mut bindings::pt_iommu,
) -> *mut bindings::spinlock_t {
    // SAFETY: By the function's contract; the table is the first thing in the structure.
    unsafe { &*table.cast::<PagingDomain<D>>() }.top_lock.get()
}

/// # Safety
///
/// `table` is the table of a live [`PagingDomain`], and the lock of its top is held.
unsafe extern "C" fn change_top<D: Driver>(
    table: *mut bindings::pt_iommu,
    phys: bindings::phys_addr_t,
    level: kernel::ffi::c_uint,
) {
    // SAFETY: As in `top_lock`.
    let domain = unsafe { &*table.cast::<PagingDomain<D>>() };
    // Formats have at most six levels.
    let levels = level.min(u32::from(u8::MAX) - 1) as u8 + 1;
    domain.driver.change_top(Top { phys, levels });
}
