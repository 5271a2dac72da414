// SPDX-License-Identifier: GPL-2.0

//! The driver side of the IOMMU core.
//!
//! A driver implements [`Driver`] and keeps one [`Ops`] for all its instances; each instance
//! embeds a [`Handle`] and is registered with [`Registration::new`]. From then on the core asks
//! the driver to claim devices ([`Driver::probe`]), to make page tables ([`Driver::domain`]) and
//! to attach devices to them ([`Client::attach`]).
//!
//! The core serialises what happens to one device: probing under its own global lock, attaching
//! and releasing under the mutex of the device's group. Flushes come from any context, with
//! interrupts on or off.
//!
//! C header: `include/linux/iommu.h`

mod domain;
pub mod generic_pt;
mod ops;
mod private;
mod registration;
mod reserved;

pub use domain::PagingDomain;
pub use ops::Ops;
pub use private::{Access, PrivateDomain};
pub use registration::{Attribute, Handle, Registration};
pub use reserved::{Regions, Reserved};

use crate::bindings;
use core::ops::RangeInclusive;
use kernel::{device::Device, prelude::*, sync::Arc};

/// What a device can be asked for, `enum iommu_cap`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// `IOMMU_CACHE` mappings are coherent.
    CacheCoherency,
    /// [`Paging::enforce_cache_coherency`] works for this device.
    EnforceCacheCoherency,
    /// Invalidations may be batched, so the core may run its flush queue.
    DeferredFlush,
    /// Anything else; a driver answers no to what it does not know.
    Other(u32),
}

impl From<u32> for Capability {
    fn from(raw: u32) -> Self {
        match raw {
            bindings::iommu_cap_IOMMU_CAP_CACHE_COHERENCY => Self::CacheCoherency,
            bindings::iommu_cap_IOMMU_CAP_ENFORCE_CACHE_COHERENCY => Self::EnforceCacheCoherency,
            bindings::iommu_cap_IOMMU_CAP_DEFERRED_FLUSH => Self::DeferredFlush,
            other => Self::Other(other),
        }
    }
}

/// What a device is attached to.
pub enum Target<'a, D: Driver> {
    /// Addresses pass through unchanged.
    Identity,
    /// Nothing passes.
    Blocked,
    /// Addresses go through the page table of a domain.
    Paging(&'a PagingDomain<D>),
}

/// A claimed device: the instance in front of it and the driver's state for it.
pub struct Claim<D: Driver> {
    /// The instance; must be registered.
    pub iommu: Arc<D::Iommu>,
    /// State that stays with the device until [`Driver::release`].
    pub client: Arc<D::Client>,
}

/// An IOMMU driver.
pub trait Driver: Sized + 'static {
    /// One IOMMU.
    type Iommu: AsRef<Handle<Self::Iommu>> + Send + Sync + 'static;
    /// One device behind an IOMMU.
    type Client: Client<Self>;
    /// What the driver keeps beside the page table of a domain.
    type Domain: Paging<Client = Self::Client>;
    /// Raw hardware description for user space, a C structure of the uapi.
    type HwInfo: Copy + 'static;

    /// Value of `enum iommu_hw_info_type` that goes with [`Driver::HwInfo`].
    const HW_INFO_TYPE: u32;

    /// The module that the driver is part of.
    fn module() -> &'static ThisModule;

    /// Claims `dev`. An instance that is not registered yet is not to be given out; the core asks
    /// again when it is.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the device is not to be claimed; it then goes on without an IOMMU.
    fn probe(dev: &Device) -> Result<Claim<Self>>;

    /// Lets go of a device, which is attached to the blocked domain by then, or to identity if
    /// its firmware needs direct mappings.
    fn release(dev: &Device, client: Arc<Self::Client>);

    /// A device behind the same instances that is already in a group and that `dev` must share it
    /// with. Asked before the core's own rules.
    fn group_mate(dev: &Device) -> Option<kernel::sync::aref::ARef<Device>>;

    /// Makes an empty page table suitable for the device of `client`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` when hardware identifiers have run out.
    fn domain(client: &Self::Client) -> Result<Pin<KBox<PagingDomain<Self>>>>;
}

/// A device behind an IOMMU.
pub trait Client<D: Driver>: Send + Sync + 'static {
    /// Moves the device from what it is attached to now to `target`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the two do not fit together; the device then stays as it was. Moving to
    /// [`Target::Blocked`] must not fail.
    fn attach(&self, target: Target<'_, D>) -> Result;

    /// Whether the device has a capability.
    fn capable(&self, capability: Capability) -> bool;

    /// Raw hardware description.
    fn hw_info(&self) -> D::HwInfo;

    /// Adds the address ranges that must be mapped one to one, or never.
    fn reserved(&self, regions: &mut Regions);
}

/// The driver's part of a domain with a page table.
pub trait Paging: Send + Sync + 'static {
    /// Format of the page table.
    type Format: generic_pt::Format;
    /// Device type that may be attached.
    type Client;

    /// Drops all cached translations of the domain and returns when they are gone.
    fn flush_all(&self);

    /// Drops the cached translations of a range and returns when they are gone. With `tables`
    /// page tables were removed too, so cached directory entries have to go as well.
    fn flush(&self, range: RangeInclusive<u64>, tables: bool);

    /// A range has just been mapped; only hardware that caches absent entries cares.
    ///
    /// # Errors
    ///
    /// The mapping is undone by the core if this fails.
    fn mapped(&self, range: RangeInclusive<u64>) -> Result;

    /// Makes the hardware use a new top table. Called with the lock of the table's top held and
    /// interrupts off; on return the hardware must not use the old top any more.
    fn change_top(&self, top: generic_pt::Top);

    /// The domain is about to be freed. Called before anything of it goes, even if it was never
    /// completed; on return the hardware must not use its page table any more. May sleep.
    fn sever(&self);

    /// From now on all DMA is cache coherent whatever the device asks; false if that cannot be.
    fn enforce_cache_coherency(&self) -> bool;
}
