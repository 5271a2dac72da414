// SPDX-License-Identifier: GPL-2.0

//! The C side of a driver: its operation tables and their callbacks.
//!
//! Each callback turns pointers into references, calls one safe method, and turns the result
//! back.

use super::{Capability, Client, Driver, Paging, PagingDomain, Regions, Target};
use crate::bindings::{self, shim};
use core::marker::PhantomData;
use kernel::{
    alloc::flags,
    device::Device,
    error::from_result,
    ffi::{c_int, c_ulong, c_void},
    prelude::*,
    sync::Arc,
    types::Opaque,
};

/// A driver's operations and its two domains without a table.
///
/// One per driver: the core compares their address to tell whose domain is whose.
#[pin_data]
pub struct Ops<D: Driver> {
    #[pin]
    ops: Opaque<bindings::iommu_ops>,
    #[pin]
    identity: Opaque<bindings::iommu_domain>,
    #[pin]
    blocked: Opaque<bindings::iommu_domain>,
    _driver: PhantomData<D>,
}

// SAFETY: After construction the structures belong to the core, which synchronises itself.
unsafe impl<D: Driver> Send for Ops<D> {}
// SAFETY: As above.
unsafe impl<D: Driver> Sync for Ops<D> {}

impl<D: Driver> Ops<D> {
    /// Makes the tables; `module` is kept loaded while devices are claimed.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(module: &'static ThisModule) -> Result<Arc<Self>> {
        let owner = module.as_ptr();
        Arc::pin_init(
            pin_init!(&this in Self {
                identity <- fixed_domain(
                    bindings::__IOMMU_DOMAIN_PT,
                    &Callbacks::<D>::IDENTITY,
                ),
                blocked <- fixed_domain(0, &Callbacks::<D>::BLOCKED),
                ops <- Opaque::ffi_init(move |slot: *mut bindings::iommu_ops| {
                    // SAFETY: The other fields of `this` have their final addresses.
                    let (identity, blocked) = unsafe {
                        ((*this.as_ptr()).identity.get(), (*this.as_ptr()).blocked.get())
                    };
                    let mut ops = Callbacks::<D>::DEVICE;
                    ops.owner = owner;
                    ops.identity_domain = identity;
                    ops.blocked_domain = blocked;
                    ops.release_domain = blocked;
                    // SAFETY: `slot` is memory for the whole structure.
                    unsafe { slot.write(ops) };
                }),
                _driver: PhantomData,
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn as_raw(&self) -> *const bindings::iommu_ops {
        self.ops.get()
    }
}

fn fixed_domain(
    kind: u32,
    ops: &'static bindings::iommu_domain_ops,
) -> impl PinInit<Opaque<bindings::iommu_domain>> {
    Opaque::ffi_init(move |slot: *mut bindings::iommu_domain| {
        // SAFETY: `slot` is memory for the whole structure, of which zeroes are a valid value.
        unsafe {
            slot.write_bytes(0, 1);
            (*slot).type_ = kind;
            (*slot).ops = ops;
        }
    })
}

/// The operation tables of driver `D`.
pub(super) struct Callbacks<D>(PhantomData<D>);

impl<D: Driver> Callbacks<D> {
    const DEVICE: bindings::iommu_ops = {
        // SAFETY: All zeroes is an operations table without callbacks.
        let mut ops: bindings::iommu_ops = unsafe { core::mem::zeroed() };
        ops.capable = Some(capable::<D>);
        ops.hw_info = Some(hw_info::<D>);
        ops.domain_alloc_paging_flags = Some(alloc_paging::<D>);
        ops.probe_device = Some(probe_device::<D>);
        ops.release_device = Some(release_device::<D>);
        ops.device_group = Some(device_group::<D>);
        ops.get_resv_regions = Some(get_resv_regions::<D>);
        ops
    };

    pub(super) const DOMAIN: bindings::iommu_domain_ops = {
        // SAFETY: All zeroes is an operations table without callbacks.
        let mut ops: bindings::iommu_domain_ops = unsafe { core::mem::zeroed() };
        ops.attach_dev = Some(attach_paging::<D>);
        ops.flush_iotlb_all = Some(flush_all::<D>);
        ops.iotlb_sync_map = Some(sync_map::<D>);
        ops.iotlb_sync = Some(sync::<D>);
        ops.iova_to_phys =
            Some(<<D::Domain as Paging>::Format as super::generic_pt::Format>::IOVA_TO_PHYS);
        ops.enforce_cache_coherency = Some(enforce_cache_coherency::<D>);
        ops.free = Some(free::<D>);
        ops
    };

    const IDENTITY: bindings::iommu_domain_ops = {
        // SAFETY: All zeroes is an operations table without callbacks.
        let mut ops: bindings::iommu_domain_ops = unsafe { core::mem::zeroed() };
        ops.attach_dev = Some(attach_identity::<D>);
        ops
    };

    const BLOCKED: bindings::iommu_domain_ops = {
        // SAFETY: All zeroes is an operations table without callbacks.
        let mut ops: bindings::iommu_domain_ops = unsafe { core::mem::zeroed() };
        ops.attach_dev = Some(attach_blocked::<D>);
        ops
    };
}

/// The driver's state of a claimed device.
///
/// # Safety
///
/// `dev` is a device that [`probe_device`] has claimed and [`release_device`] not yet let go of.
unsafe fn client<'a, D: Driver>(dev: *mut bindings::device) -> &'a D::Client {
    // SAFETY: By the function's contract the core's structure exists and holds the pointer that
    // `probe_device` stored, an `Arc` turned foreign.
    unsafe { &*(*(*dev).iommu).priv_.cast::<D::Client>() }
}

/// # Safety
///
/// Called by the core: `dev` is live.
unsafe extern "C" fn probe_device<D: Driver>(
    dev: *mut bindings::device,
) -> *mut bindings::iommu_device {
    // SAFETY: By the function's contract.
    let device = unsafe { Device::from_raw(dev) };
    let claim = match D::probe(device) {
        Ok(claim) => claim,
        Err(error) => return error.to_ptr(),
    };
    let handle = (*claim.iommu).as_ref();
    // The core would use what it does not know yet. It asks again for every device when the
    // instance is registered.
    if !handle.is_known() {
        D::release(device, claim.client);
        return ENODEV.to_ptr();
    }
    let state = Arc::into_raw(claim.client).cast_mut().cast::<c_void>();
    // SAFETY: The core has made the structure that holds the pointer.
    unsafe { bindings::dev_iommu_priv_set(dev, state) };
    handle.as_raw()
}

/// # Safety
///
/// Called by the core: `dev` is claimed, and nothing uses its state after this.
unsafe extern "C" fn release_device<D: Driver>(dev: *mut bindings::device) {
    // SAFETY: By the function's contract the structure exists and holds the pointer that
    // `probe_device` stored. The core forgets it right after this call.
    let state = unsafe { core::mem::replace(&mut (*(*dev).iommu).priv_, core::ptr::null_mut()) };
    // SAFETY: The pointer comes from `Arc::into_raw`.
    let state = unsafe { Arc::from_raw(state.cast::<D::Client>()) };
    // SAFETY: By the function's contract.
    D::release(unsafe { Device::from_raw(dev) }, state);
}

/// # Safety
///
/// Called by the core: `dev` is live.
unsafe extern "C" fn device_group<D: Driver>(
    dev: *mut bindings::device,
) -> *mut bindings::iommu_group {
    // SAFETY: By the function's contract.
    if let Some(mate) = D::group_mate(unsafe { Device::from_raw(dev) }) {
        // SAFETY: The reference keeps the device; the core counts the group it returns.
        let group = unsafe { bindings::iommu_group_get(crate::device::as_raw(&mate)) };
        if !group.is_null() {
            return group;
        }
    }
    // SAFETY: Only PCI devices are claimed.
    unsafe { bindings::pci_device_group(dev) }
}

/// # Safety
///
/// Called by the core: `dev` is claimed, `list` an empty list.
unsafe extern "C" fn get_resv_regions<D: Driver>(
    dev: *mut bindings::device,
    list: *mut bindings::list_head,
) {
    // SAFETY: By the function's contract.
    let mut regions = unsafe { Regions::from_raw(list) };
    // SAFETY: By the function's contract.
    unsafe { client::<D>(dev) }.reserved(&mut regions);
}

/// # Safety
///
/// Called by the core: `dev` is claimed.
unsafe extern "C" fn capable<D: Driver>(
    dev: *mut bindings::device,
    capability: bindings::iommu_cap,
) -> bool {
    // SAFETY: By the function's contract.
    unsafe { client::<D>(dev) }.capable(Capability::from(capability))
}

/// # Safety
///
/// Called by the core: `dev` is claimed; `length` and `kind` are places for results.
unsafe extern "C" fn hw_info<D: Driver>(
    dev: *mut bindings::device,
    length: *mut u32,
    kind: *mut bindings::iommu_hw_info_type,
) -> *mut c_void {
    // SAFETY: By the function's contract.
    let (wanted, client) = unsafe { (*kind, client::<D>(dev)) };
    if wanted != bindings::iommu_hw_info_type_IOMMU_HW_INFO_TYPE_DEFAULT
        && wanted != D::HW_INFO_TYPE
    {
        return EOPNOTSUPP.to_ptr();
    }
    match KBox::new(client.hw_info(), flags::GFP_KERNEL) {
        Ok(info) => {
            // SAFETY: By the function's contract.
            unsafe {
                *length = core::mem::size_of::<D::HwInfo>() as u32;
                *kind = D::HW_INFO_TYPE;
            }
            // The core frees it with kfree().
            KBox::into_raw(info).cast()
        }
        Err(_) => ENOMEM.to_ptr(),
    }
}

/// # Safety
///
/// Called by the core: `dev` is claimed.
unsafe extern "C" fn alloc_paging<D: Driver>(
    dev: *mut bindings::device,
    flags: u32,
    user_data: *const bindings::iommu_user_data,
) -> *mut bindings::iommu_domain {
    if flags != 0 || !user_data.is_null() {
        return EOPNOTSUPP.to_ptr();
    }
    // SAFETY: By the function's contract.
    match D::domain(unsafe { client::<D>(dev) }) {
        Ok(domain) => PagingDomain::into_raw(domain),
        Err(error) => error.to_ptr(),
    }
}

/// # Safety
///
/// Called by the core: `dev` is claimed.
unsafe fn attach<D: Driver>(dev: *mut bindings::device, target: Target<'_, D>) -> c_int {
    // SAFETY: By the function's contract.
    let client = unsafe { client::<D>(dev) };
    from_result(|| client.attach(target).map(|()| 0))
}

/// # Safety
///
/// Called by the core: `domain` is a [`PagingDomain`] of this driver, `dev` is claimed.
unsafe extern "C" fn attach_paging<D: Driver>(
    domain: *mut bindings::iommu_domain,
    dev: *mut bindings::device,
    _old: *mut bindings::iommu_domain,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { attach::<D>(dev, Target::Paging(PagingDomain::from_raw(domain))) }
}

/// # Safety
///
/// Called by the core: `dev` is claimed.
unsafe extern "C" fn attach_identity<D: Driver>(
    _domain: *mut bindings::iommu_domain,
    dev: *mut bindings::device,
    _old: *mut bindings::iommu_domain,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { attach::<D>(dev, Target::Identity) }
}

/// # Safety
///
/// Called by the core: `dev` is claimed.
unsafe extern "C" fn attach_blocked<D: Driver>(
    _domain: *mut bindings::iommu_domain,
    dev: *mut bindings::device,
    _old: *mut bindings::iommu_domain,
) -> c_int {
    // SAFETY: By the function's contract.
    unsafe { attach::<D>(dev, Target::Blocked) }
}

/// # Safety
///
/// Called by the core: `domain` is a [`PagingDomain`] of this driver.
unsafe extern "C" fn flush_all<D: Driver>(domain: *mut bindings::iommu_domain) {
    // SAFETY: By the function's contract.
    unsafe { PagingDomain::<D>::from_raw(domain) }
        .driver()
        .flush_all();
}

/// # Safety
///
/// Called by the core: `domain` is a [`PagingDomain`] of this driver.
unsafe extern "C" fn sync_map<D: Driver>(
    domain: *mut bindings::iommu_domain,
    iova: c_ulong,
    size: usize,
) -> c_int {
    if size == 0 {
        return 0;
    }
    let (first, size) = (iova as u64, size as u64);
    let range = first..=first.saturating_add(size - 1);
    // SAFETY: By the function's contract.
    let domain = unsafe { PagingDomain::<D>::from_raw(domain) };
    from_result(|| domain.driver().mapped(range).map(|()| 0))
}

/// # Safety
///
/// Called by the core: `domain` is a [`PagingDomain`] of this driver, `gather` what its unmaps
/// have collected.
unsafe extern "C" fn sync<D: Driver>(
    domain: *mut bindings::iommu_domain,
    gather: *mut bindings::iommu_iotlb_gather,
) {
    // SAFETY: By the function's contract.
    let (domain, first, last, tables) = unsafe {
        (
            PagingDomain::<D>::from_raw(domain),
            (*gather).start as u64,
            (*gather).end as u64,
            shim::gather_has_tables(gather),
        )
    };
    // An empty gather starts above its end.
    if first <= last {
        domain.driver().flush(first..=last, tables);
    }
    // SAFETY: The hardware cannot reach the removed tables any more.
    unsafe { shim::gather_free(gather) };
}

/// # Safety
///
/// Called by the core: `domain` is a [`PagingDomain`] of this driver.
unsafe extern "C" fn enforce_cache_coherency<D: Driver>(
    domain: *mut bindings::iommu_domain,
) -> bool {
    // SAFETY: By the function's contract.
    unsafe { PagingDomain::<D>::from_raw(domain) }
        .driver()
        .enforce_cache_coherency()
}

/// # Safety
///
/// Called by the core: `domain` is a [`PagingDomain`] of this driver that nothing uses any more.
unsafe extern "C" fn free<D: Driver>(domain: *mut bindings::iommu_domain) {
    // SAFETY: By the function's contract.
    unsafe { PagingDomain::<D>::free(domain) };
}
