// SPDX-License-Identifier: GPL-2.0

//! A page table that the driver fills itself, for what an IOMMU fetches under its own requester ID.

use super::{backend::Backend, host::Host, members::Members, parent::Parent, v1::V1Domain};
use crate::iommu::Iommu;
use kernel::{prelude::*, sync::Arc};
use kernel_ext::iommu::PrivateDomain;

/// The table, and who walks it.
pub(crate) struct PrivateTable {
    /// The table.
    pub(crate) domain: Pin<KBox<PrivateDomain<Backend>>>,
    /// Who walks it.
    pub(crate) users: Parent,
}

impl PrivateTable {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when domain IDs have run out, `ENOMEM`.
    pub(crate) fn new(host: &Arc<Host>, iommu: &Arc<Iommu>) -> Result<Self> {
        let members = Members::new(host.clone())?;
        let domain = V1Domain::own(members, iommu.clone())?;
        let users = Parent::of(domain.driver());
        let domain = KBox::pin_init(PrivateDomain::new(domain), GFP_KERNEL)?;
        Ok(Self { domain, users })
    }
}
