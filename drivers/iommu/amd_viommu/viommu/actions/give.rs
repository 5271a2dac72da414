// SPDX-License-Identifier: GPL-2.0

//! The actions that give a guest something. They may fail, and may be repeated.

use super::About;
use crate::{
    domain::{Dependant, HostDomain, Parent},
    viommu::{
        guest::{Guest, Inner},
        maps::Maps,
        template::Map,
    },
};
use hw::{
    dte::GuestEntry,
    viommu::{
        private,
        vfctrl::{Misc, MISC},
    },
};
use kernel::{prelude::*, sync::Arc};

impl Guest {
    pub(super) fn reset_registers(&self, inner: &mut Inner) -> Result {
        self.hardware.iommu().reset_guest(inner.gid.get())?;
        // What the hardware has reported up to now is over.
        self.hardware.iommu().catch_up();
        inner.registers.repaired();
        inner.page.reset();
        Ok(())
    }

    pub(super) fn map_tables(&self, inner: &mut Inner) -> Result {
        let (gid, hardware) = (inner.gid.get(), &self.hardware);
        let maps = Maps::new(hardware.clone(), inner.template.clone(), gid)?;
        inner.maps = Some(maps);
        hardware
            .private()
            .forget(private::device_map(gid), private::DEVICE_MAP_LEN)?;
        hardware
            .private()
            .forget(private::domain_map(gid), private::DOMAIN_MAP_LEN)
    }

    pub(super) fn name_translate_id(&self, inner: &mut Inner) -> Result {
        let misc = Misc::default().with_translate_id(inner.translate.get());
        inner.registers.write_control(MISC, misc.0);
        Ok(())
    }

    /// Takes the domain that a device came with as the guest's memory.
    pub(in crate::viommu) fn adopt(self: &Arc<Self>, inner: &mut Inner, parent: Parent) -> Result {
        let watcher: Arc<dyn Dependant> = self.clone();
        parent.watch(watcher.clone())?;
        inner.parent = Some((parent, watcher));
        Ok(())
    }

    pub(super) fn open_translate(&self, inner: &mut Inner) -> Result {
        let (parent, _) = inner.parent.as_ref().ok_or(ENODEV)?;
        parent.join(&inner.translator)
    }

    /// Says whether the guest's addresses resolve to something. Its queues run only then.
    pub(super) fn set_parent(inner: &mut Inner, parent: bool) -> Result {
        let changes = inner.page.set_parent(parent);
        inner.registers.apply(&changes)
    }

    /// Makes the map entry of one of the guest's IDs changeable. If the guest has no page of its own
    /// for it yet, its engine rests meanwhile.
    fn prepare_entry(inner: &mut Inner, map: Map, id: u16) -> Result {
        let maps = inner.maps.as_mut().ok_or(ENODEV)?;
        if maps.owns(map, id) {
            return Ok(());
        }
        let stop = inner.page.set_run(false);
        let result = inner
            .registers
            .apply(&stop)
            .and_then(|()| maps.take(map, id));
        let start = inner.page.set_run(inner.run);
        result.and(inner.registers.apply(&start))
    }

    pub(super) fn map_device(&self, inner: &mut Inner, about: &About) -> Result {
        Self::prepare_entry(inner, Map::Device, about.device)?;
        let host = inner.device(about.device).ok_or(ENOENT)?.client.sbdf();
        let maps = inner.maps.as_ref().ok_or(ENODEV)?;
        maps.set(&inner.registers, Map::Device, about.device, host.devid);
        Ok(())
    }

    /// Everything that the domain needs, so that nothing is left to fail once the device uses it.
    pub(super) fn join_domain(&self, inner: &mut Inner, about: &About) -> Result {
        let guest = about.new.ok_or(EINVAL)?;
        Self::prepare_entry(inner, Map::Domain, guest)?;
        let (parent, _) = inner.parent.as_ref().ok_or(ENODEV)?;
        let (host, iommu) = (self.hardware.host(), self.hardware.iommu());
        inner.domains.join(guest, || {
            let domain = HostDomain::new(host.clone())?;
            parent.add_nested(iommu, domain.id())?;
            Ok(domain)
        })
    }

    /// A device that has joined a domain, but could not use it, leaves it again.
    pub(in crate::viommu) fn undo_join(&self, inner: &mut Inner, about: &About) {
        let arrived = inner
            .device(about.device)
            .is_none_or(|device| device.domain == about.new);
        if !arrived {
            let undo = About {
                old: about.new,
                ..*about
            };
            let _ = self.leave_domain(inner, &undo);
        }
    }

    pub(super) fn set_device_entry(inner: &mut Inner, about: &About) -> Result {
        let host_id = match about.new {
            Some(guest) => inner.domains.host_id(guest).ok_or(ENOENT)?,
            // Entries without a domain hold no ID.
            None => 0,
        };
        let entry = about
            .request
            .map_or(GuestEntry::Stage2, |request| request.entry(host_id));
        let device = inner.device_mut(about.device).ok_or(ENOENT)?;
        device.client.set_guest_entry(device.lease, entry)?;
        device.domain = about.new;
        Ok(())
    }

    pub(super) fn map_domain(inner: &mut Inner, about: &About) -> Result {
        let guest = about.new.ok_or(EINVAL)?;
        let host = inner.domains.host_id(guest).ok_or(ENOENT)?;
        let maps = inner.maps.as_ref().ok_or(ENODEV)?;
        maps.set(&inner.registers, Map::Domain, guest, host);
        Ok(())
    }
}
