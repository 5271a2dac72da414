// SPDX-License-Identifier: GPL-2.0

//! The requester IDs of a device, whose entries always say the same.
//!
//! The hardware uses requester IDs of its own too, which are no device's.

use crate::{
    domain::host::Host,
    iommu::{Iommu, Sbdf},
};
use hw::{
    dte::{HostPolicy, Translation},
    ivrs::DeviceInfo,
};
use kernel::{pci, prelude::*, sync::Arc};

/// A device as the hardware sees it.
pub(crate) struct Requester {
    iommu: Arc<Iommu>,
    /// Its own ID first, then those that buses and firmware put in its place.
    ids: KVec<u16>,
    policy: HostPolicy,
    /// It is no device, and the IOMMU core does not know it.
    bare: bool,
}

impl Requester {
    /// A requester ID that is no device's. It counts as no user of the ID.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when the ID has no entry in the device table.
    pub(crate) fn bare(iommu: Arc<Iommu>, id: u16) -> Result<Arc<Self>> {
        iommu.entry(id).ok_or(ENODEV)?;
        let mut ids = KVec::with_capacity(1, GFP_KERNEL)?;
        ids.push(id, GFP_KERNEL)?;
        let requester = Self {
            iommu,
            ids,
            policy: HostPolicy(0),
            bare: true,
        };
        Ok(Arc::new(requester, GFP_KERNEL)?)
    }

    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when an ID has no entry in the device table.
    pub(super) fn new(
        host: &Host,
        iommu: Arc<Iommu>,
        pdev: &pci::Device,
        info: DeviceInfo,
    ) -> Result<Self> {
        let ids = host.requesters(pdev, info)?;
        if let Some(id) = ids.iter().find(|id| iommu.is_spare(**id)) {
            dev_warn!(
                pdev,
                "requester ID 0x{:04x} is one by which a guest's memory is reached: not claimed\n",
                *id
            );
            return Err(ENODEV);
        }
        if let Some(id) = ids.iter().find(|id| iommu.entry(**id).is_none()) {
            dev_warn!(
                pdev,
                "requester ID 0x{:04x} is beyond what IVRS describes\n",
                *id
            );
            return Err(ENODEV);
        }
        Ok(Self {
            iommu,
            ids,
            policy: HostPolicy(info.setting),
            bare: false,
        })
    }

    /// Whether it is no device.
    pub(super) fn is_bare(&self) -> bool {
        self.bare
    }

    /// Whether another device uses one of the IDs too.
    pub(super) fn is_shared(&self) -> bool {
        self.ids.iter().any(|id| self.iommu.is_shared(*id))
    }

    /// Whether any device uses one of the IDs.
    pub(super) fn is_used(&self) -> bool {
        self.ids.iter().any(|id| self.iommu.is_used(*id))
    }

    /// Whether another device may use one of the IDs too.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.iommu, &other.iommu) && self.ids.iter().any(|id| other.ids.contains(id))
    }

    /// The IOMMU in front of the device.
    pub(super) fn iommu(&self) -> &Arc<Iommu> {
        &self.iommu
    }

    /// The device's own ID.
    pub(super) fn sbdf(&self) -> Sbdf {
        let own = self.ids.first().copied().unwrap_or_default();
        Sbdf {
            segment: self.iommu.sbdf().segment,
            devid: own,
        }
    }

    /// All IDs, the device's own first.
    pub(super) fn ids(&self) -> &[u16] {
        &self.ids
    }

    /// Whether the entry of the device lets requests through without a page table.
    pub(super) fn passes_through(&self) -> bool {
        let entry = self.iommu.entry(self.sbdf().devid);
        entry.is_some_and(|entry| entry.tv() && entry.mode() == 0)
    }

    /// Notes that the device is about to use its IDs. Comes before the first entry that does not block.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; nothing is noted then.
    pub(super) fn open(&self) -> Result {
        for (at, id) in self.ids.iter().enumerate() {
            self.iommu.add_user(*id).inspect_err(|_| {
                for id in self.ids.iter().take(at) {
                    self.iommu.remove_user(*id);
                }
            })?;
        }
        Ok(())
    }

    /// Makes room for what [`Requester::open`] notes, so that it cannot fail.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn reserve(&self) -> Result {
        self.ids
            .iter()
            .try_for_each(|id| self.iommu.reserve_user(*id))
    }

    /// Notes that the device uses its IDs no more, and calls `unused` with each that no other device
    /// uses. The reverse of [`Requester::open`].
    pub(super) fn close(&self, mut unused: impl FnMut(u16)) {
        for id in self.ids.iter() {
            if self.iommu.remove_user(*id) {
                unused(*id);
            }
        }
    }

    /// As [`Requester::close`], and blocks the entries of those IDs.
    ///
    /// # Errors
    ///
    /// As [`Requester::write`].
    pub(super) fn block(&self) -> Result {
        let mut result = Ok(());
        self.close(|id| {
            let written = self.set(id, Translation::Blocked);
            result = result.and(written);
        });
        result
    }

    /// Brings the entries of all IDs to `translation`.
    ///
    /// # Errors
    ///
    /// The first error of [`Iommu::set_entry`]; the other entries are written nevertheless.
    pub(super) fn write(&self, translation: Translation) -> Result {
        let mut result = Ok(());
        for id in self.ids.iter() {
            let written = self.set(*id, translation);
            result = result.and(written);
        }
        result
    }

    /// Leaves the interrupts under all IDs as they are, see [`Iommu::forward_interrupts`].
    ///
    /// # Errors
    ///
    /// The first error; the other entries are written nevertheless.
    pub(super) fn forward_interrupts(&self) -> Result {
        let mut result = Ok(());
        for id in self.ids.iter() {
            let written = self.iommu.forward_interrupts(*id);
            result = result.and(written);
        }
        result
    }

    fn set(&self, id: u16, translation: Translation) -> Result {
        self.iommu.set_entry(id, self.policy, translation)
    }
}
