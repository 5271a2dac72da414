// SPDX-License-Identifier: GPL-2.0

//! A device in the hands of a guest.
//!
//! The owner of a lease calls with a lock of his own held, and is told of the lease's end with none of
//! a client's held. So he may take the same lock to hear of it.

use super::Client;
use crate::domain::{members::Members, parent::Parent};
use hw::{
    device::Event,
    dte::{GuestEntry, GuestIds},
};
use kernel::{prelude::*, sync::Arc};

/// Who has borrowed devices.
pub(crate) trait Owner: Send + Sync {
    /// The lease with this number has ended: the device was attached to another domain, given back, or
    /// lost its IOMMU. May sleep. The core's mutex of the device's group may be held.
    fn lost(&self, lease: u64);
}

/// What a device is lent for.
pub(crate) struct Lease {
    /// The guest.
    pub(crate) gid: u16,
    /// The device ID that the guest knows.
    pub(crate) gdevid: u16,
    /// A number that no other lease ever has.
    pub(crate) id: u64,
    /// Who hears of the end.
    pub(crate) owner: Arc<dyn Owner>,
}

impl Lease {
    pub(super) fn tell_owner(self) {
        self.owner.lost(self.id);
    }
}

impl Client {
    /// Lends the device to a guest. Its entry is the parent's, marked as the guest's.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it is lent, `ENODEV` when it is not attached to a page table that VFIO maps,
    /// `EOPNOTSUPP` when it shares a requester ID with another device: nothing has changed. `EIO` when
    /// the hardware does not confirm: the device is blocked and not lent.
    pub(crate) fn lend(&self, lease: Lease) -> Result<Parent> {
        let has_neighbour = self
            .host
            .find_client(|other| self.is_beside(other))
            .is_some();
        let mut life = self.life.lock();
        if life.lease.is_some() || life.lost.is_some() {
            return Err(EBUSY);
        }
        let parent = life.joined.clone().ok_or(ENODEV)?;
        if !parent.is_unmanaged() {
            return Err(ENODEV);
        }
        // The entry of a shared ID can name one guest's device only. A neighbour that has just come may
        // not have been seen in the list, but is about to use the ID.
        if has_neighbour || self.requester.is_shared() {
            return Err(EOPNOTSUPP);
        }
        let ids = GuestIds {
            guest_id: lease.gid,
            device_id: lease.gdevid,
        };
        self.advance(&mut life, Event::Lend(ids), None)?;
        life.lease = Some(lease);
        Ok(Parent(parent))
    }

    /// Gives the guest's device another entry; takes effect at the end of a reset that is under way.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the lease has ended, `EINVAL` for a domain ID that was not added to the parent:
    /// nothing has changed. `EIO` when the hardware does not confirm: the device is blocked, and still
    /// lent. Translations may be cached under the domain ID before.
    pub(crate) fn set_guest_entry(&self, lease: u64, entry: GuestEntry) -> Result {
        let mut life = self.life.lock();
        let parent = life
            .joined
            .as_ref()
            .filter(|_| life.lease.as_ref().is_some_and(|now| now.id == lease))
            .ok_or(ENODEV)?;
        let is_known = |id| parent.knows_nested(self.iommu(), id);
        if !entry.domain_id().is_none_or(is_known) {
            return Err(EINVAL);
        }
        self.advance(&mut life, Event::SetGuest(entry), None)
    }

    /// Ends a lease. The entry is the parent's, or blocked during a reset. The owner is not told.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the lease has ended. `EIO` when the hardware does not confirm: the lease has ended
    /// too, and the device is blocked.
    pub(crate) fn take_back(&self, lease: u64) -> Result {
        let mut life = self.life.lock();
        if life.lease.as_ref().is_none_or(|now| now.id != lease) {
            return Err(ENODEV);
        }
        let ended = life.lease.take();
        let result = self.advance(&mut life, Event::TakeBack, None);
        drop(life);
        drop(ended);
        result
    }

    /// Notes that the device is about to use its requester IDs, and ends the leases of others that have
    /// one of them: the entry of a shared ID can be one guest's only as long as nobody else writes it.
    ///
    /// The order keeps [`Client::lend`] out: it sees the second user, or has made the lease that is looked
    /// for here.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn open(&self) -> Result {
        {
            let mut life = self.life.lock();
            if !life.open {
                self.requester.open()?;
                life.open = true;
            }
        }
        while let Some(other) = self
            .host
            .find_client(|other| self.is_beside(other) && other.is_lent())
        {
            other.evict();
        }
        Ok(())
    }

    /// Whether it is another device with one of the requester IDs.
    fn is_beside(&self, other: &Self) -> bool {
        !core::ptr::eq(self, other) && self.requester.overlaps(&other.requester)
    }

    fn is_lent(&self) -> bool {
        self.life.lock().lease.is_some()
    }

    /// Ends the lease that there is. The entry is the parent's, or blocked during a reset.
    fn evict(&self) {
        let ended = {
            let mut life = self.life.lock();
            let ended = life.lease.take();
            if ended.is_some() {
                // What the hardware does not confirm has been reported, and blocks the device.
                let _ = self.advance(&mut life, Event::TakeBack, None);
            }
            ended
        };
        if let Some(lease) = ended {
            dev_warn!(
                self.pdev,
                "another device uses its requester ID: taken from the guest\n"
            );
            lease.tell_owner();
        }
    }

    /// Whether a guest has the device over the table of `members`.
    pub(in crate::domain) fn is_lent_over(&self, members: &Members) -> bool {
        let life = self.life.lock();
        life.lease.is_some() && is(&life.joined, members)
    }

    /// The table of `members` is about to be freed.
    pub(in crate::domain) fn parent_freed(&self, members: &Members) {
        let lost = {
            let mut life = self.life.lock();
            if !is(&life.joined, members) {
                return;
            }
            // Refused when the lease has ended meanwhile.
            let _ = self.advance(&mut life, Event::ParentFreed, None);
            life.lost.take()
        };
        if let Some(lease) = lost {
            lease.tell_owner();
        }
    }

    /// Whether the owner of a lease that has ended must still be told.
    pub(in crate::domain) fn owes_word(&self) -> bool {
        self.life.lock().lost.is_some()
    }

    /// Tells him.
    pub(in crate::domain) fn tell_owner(&self) {
        let lost = self.life.lock().lost.take();
        if let Some(lease) = lost {
            lease.tell_owner();
        }
    }
}

fn is(joined: &Option<Arc<Members>>, members: &Members) -> bool {
    joined
        .as_ref()
        .is_some_and(|joined| core::ptr::eq(&**joined, members))
}
