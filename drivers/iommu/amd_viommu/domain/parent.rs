// SPDX-License-Identifier: GPL-2.0

//! A domain as the memory of a guest.
//!
//! The domain belongs to VFIO, which frees it when it likes. Whoever builds on it is a
//! [`Dependant`].

use super::{members::Members, requester::Requester, v1::V1Domain};
use crate::iommu::Iommu;
use kernel::{prelude::*, sync::Arc};

/// Somebody who uses the table of a domain that he does not own.
pub(crate) trait Dependant: Send + Sync {
    /// The domain with this ID is about to be freed. On return the hardware must not use its table any more. May
    /// sleep.
    fn parent_freed(&self, id: u16);
}

/// The table that maps a guest's memory, and who uses it. Does not keep the table alive.
#[derive(Clone)]
pub(crate) struct Parent(pub(super) Arc<Members>);

impl Parent {
    /// The domain itself, for one that the driver has made for its own use.
    pub(crate) fn of(domain: &V1Domain) -> Self {
        Self(domain.members().clone())
    }

    /// Whether two are one.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The domain ID of what only this table translates.
    pub(crate) fn id(&self) -> u16 {
        self.0.id()
    }

    /// Opens the table to a requester ID that is no device's: the hardware uses it to reach a guest's
    /// memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENODEV` when the domain is being freed: nothing has changed. `EIO` when the hardware
    /// does not confirm: the ID is blocked.
    pub(crate) fn join(&self, requester: &Arc<Requester>) -> Result {
        self.0.join(requester)?;
        self.0
            .write(requester, super::members::Form::Host)
            .inspect_err(|_| self.0.block(requester))
    }

    /// Blocks a requester ID that has joined. Nothing is cached for it on return.
    pub(crate) fn leave(&self, requester: &Arc<Requester>) {
        self.0.block(requester);
    }

    /// Notes that guests behind `iommu` walk the table under another domain ID too. Comes before the
    /// first entry that holds the ID.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when no device behind `iommu` is attached.
    pub(crate) fn add_nested(&self, iommu: &Arc<Iommu>, domain_id: u16) -> Result {
        self.0.add_nested(iommu, domain_id)
    }

    /// The reverse of [`Parent::add_nested`], when no entry holds the ID any more.
    pub(crate) fn remove_nested(&self, iommu: &Arc<Iommu>, domain_id: u16) {
        self.0.remove_nested(iommu, domain_id);
    }

    /// Has `dependant` told before the table goes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when the domain is being freed.
    pub(crate) fn watch(&self, dependant: Arc<dyn Dependant>) -> Result {
        self.0.watch(dependant)
    }

    /// The reverse of [`Parent::watch`]. A call may still be under way.
    pub(crate) fn unwatch(&self, dependant: &Arc<dyn Dependant>) {
        self.0.unwatch(dependant);
    }
}
