// SPDX-License-Identifier: GPL-2.0

//! The actions that take something from a guest. They are done as far as possible, and may be
//! repeated.

use super::About;
use crate::viommu::{
    guest::{Guest, Inner},
    template::Map,
};
use hw::{
    device::Stale,
    viommu::life::{set_entry, END_DEVICE, LAST_USER_LEAVES},
};
use kernel::{prelude::*, sync::atomic::Relaxed};

impl Guest {
    pub(super) fn revoke_page(&self) {
        self.vf_page.store(0, Relaxed);
        self.vm
            .mappings()
            .revoke(self.offset, hw::viommu::vsc::VF_PAGE);
    }

    pub(super) fn close_translate(inner: &mut Inner) {
        if let Some((parent, watcher)) = inner.parent.take() {
            parent.leave(&inner.translator);
            parent.unwatch(&watcher);
        }
    }

    pub(super) fn sink(inner: &mut Inner, map: Map, id: Option<u16>) {
        if let (Some(maps), Some(id)) = (&inner.maps, id) {
            maps.sink(&inner.registers, map, id);
        }
    }

    pub(super) fn take_back(inner: &mut Inner, about: &About) -> Result {
        let device = inner.device(about.device).ok_or(ENOENT)?;
        device.client.take_back(device.lease)
    }

    pub(super) fn end_devices(&self, inner: &mut Inner) -> Result {
        let mut result = Ok(());
        while let Some(about) = inner.about_nth(0) {
            let ended = self.execute(inner, END_DEVICE, &about);
            result = result.and(ended);
            inner.forget(about.device);
        }
        result
    }

    pub(super) fn restore_devices(&self, inner: &mut Inner) -> Result {
        let mut result = Ok(());
        for n in 0.. {
            let Some(about) = inner.about_nth(n) else {
                break;
            };
            let restored = self.execute(inner, set_entry(about.old, None), &about);
            // Its lease has ended while its owner waits for this lock to be told, and to forget it.
            let left = matches!(restored, Err(error) if error == ENODEV);
            result = result.and(if left { Ok(()) } else { restored });
        }
        result
    }

    /// The device is in no domain any more; a domain that nobody is in ends.
    pub(super) fn leave_domain(&self, inner: &mut Inner, about: &About) -> Result {
        match about.old {
            Some(guest) if inner.domains.leave(guest) => {
                self.execute(inner, LAST_USER_LEAVES, about)
            }
            _ => Ok(()),
        }
    }

    /// What is cached under a domain ID must be gone before the ID is used for something else.
    pub(super) fn flush_domain(&self, inner: &mut Inner, about: &About) -> Result {
        let Some(host) = about.old.and_then(|guest| inner.domains.host_id(guest)) else {
            return Ok(());
        };
        let stale = Stale {
            domain_id: host,
            guest: true,
        };
        let flushed = self.hardware.iommu().invalidate_stale(stale);
        if flushed.is_err() {
            inner.domains.spoil(about.old);
        }
        flushed
    }

    pub(super) fn release_domain(&self, inner: &mut Inner, about: &About) {
        let Some(domain) = about.old.and_then(|guest| inner.domains.remove(guest)) else {
            return;
        };
        if let Some((parent, _)) = &inner.parent {
            parent.remove_nested(self.hardware.iommu(), domain.id());
        }
    }
}
