// SPDX-License-Identifier: GPL-2.0

//! The devices of a guest.

use super::{
    actions::About,
    guest::{Guest, Inner},
};
use crate::domain::{Client, Lease};
use hw::{dte::GuestIds, viommu::life::Event};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};

/// A device that a guest has.
pub(super) struct Device {
    /// The requester ID that the guest knows.
    pub(super) guest: u16,
    pub(super) client: Arc<Client>,
    pub(super) lease: u64,
    /// The guest's domain.
    pub(super) domain: Option<u16>,
}

impl Device {
    /// By which IDs the hardware knows it: the host's, of which it may use several, and those of the guest that has it.
    pub(super) fn ids(&self, inner: &Inner) -> (&[u16], GuestIds) {
        let ids = GuestIds {
            guest_id: inner.gid.get(),
            device_id: self.guest,
        };
        (self.client.devids(), ids)
    }
}

/// Leases are never confused, even if the same device is lent to the same guest again.
static LEASES: Atomic<u64> = Atomic::new(1);

impl Inner {
    /// The device with an ID of the guest.
    pub(super) fn device(&self, guest: u16) -> Option<&Device> {
        self.devices.iter().find(|device| device.guest == guest)
    }

    /// As [`Inner::device`].
    pub(super) fn device_mut(&mut self, guest: u16) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.guest == guest)
    }

    /// The end of what a device had.
    fn about(device: &Device) -> About {
        About {
            device: device.guest,
            old: device.domain,
            new: None,
            request: None,
        }
    }

    /// As [`Inner::about`], for the device of a lease; `None` if it has ended.
    pub(super) fn about_lease(&self, lease: u64) -> Option<About> {
        let device = self.devices.iter().find(|device| device.lease == lease);
        device.map(Self::about)
    }

    /// As [`Inner::about`], for each device.
    pub(super) fn about_nth(&self, n: usize) -> Option<About> {
        self.devices.get(n).map(Self::about)
    }

    /// Takes a device off the list.
    pub(super) fn forget(&mut self, guest: u16) {
        self.devices.retain(|device| device.guest != guest);
    }
}

impl Guest {
    /// Gives the guest a device.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `EEXIST` when the guest has a device with that ID; `EXDEV` for a device behind
    /// another IOMMU, or with other memory than the guest's devices; `EBUSY` when a guest has it;
    /// `EOPNOTSUPP` when it shares its requester ID with another; `ENOMEM`; `EIO` when the hardware does not
    /// confirm. The device is not the guest's then.
    pub(super) fn attach_device(self: &Arc<Self>, guest: u16, client: Arc<Client>) -> Result {
        if !Arc::ptr_eq(client.iommu(), self.hardware.iommu()) {
            return Err(EXDEV);
        }
        let mut inner = self.alive()?;
        if inner.device(guest).is_some() {
            return Err(EEXIST);
        }
        inner.devices.reserve(1, GFP_KERNEL_ACCOUNT)?;
        // What the device has done for another owner is not this guest's.
        self.hardware.iommu().catch_up();
        let lease = LEASES.fetch_add(1, Relaxed);
        let parent = client.lend(Lease {
            gid: inner.gid.get(),
            gdevid: guest,
            id: lease,
            owner: self.clone(),
        })?;
        let known = inner.parent.as_ref().map(|(known, _)| known.same(&parent));
        let event = Event::Attach {
            same_parent: known.unwrap_or(true),
        };
        let adopted = match known {
            Some(true) => Ok(()),
            Some(false) => Err(EXDEV),
            None => self.adopt(&mut inner, parent),
        };
        if let Err(error) = adopted {
            let _ = client.take_back(lease);
            return Err(error);
        }
        inner.devices.push(
            Device {
                guest,
                client,
                lease,
                domain: None,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let about = About::device(guest);
        self.happen(&mut inner, event, &about).inspect_err(|_| {
            let _ = self.happen(&mut inner, Event::Detach, &about);
            inner.forget(guest);
        })
    }

    /// The VMM has read that the hardware keeps quiet about a device.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `ENOENT`, `EIO`.
    pub(super) fn unhush(&self, guest: u16) -> Result {
        let inner = self.alive()?;
        let (devids, ids) = inner.device(guest).ok_or(ENOENT)?.ids(&inner);
        let iommu = self.hardware.iommu();
        let unhush = |result: Result, devid: &u16| result.and(iommu.unhush(*devid, ids));
        devids.iter().fold(Ok(()), unhush)
    }

    /// Takes a device from the guest.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `ENOENT` without such a device; `EIO` when the hardware does not confirm: the device is
    /// not the guest's nevertheless.
    pub(super) fn detach_device(&self, guest: u16) -> Result {
        let mut inner = self.alive()?;
        let lease = inner.device(guest).ok_or(ENOENT)?.lease;
        let about = inner.about_lease(lease).ok_or(ENOENT)?;
        let result = self.happen(&mut inner, Event::Detach, &about);
        inner.forget(guest);
        result.map_err(Self::no_device)
    }
}
