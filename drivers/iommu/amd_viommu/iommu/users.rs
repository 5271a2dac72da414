// SPDX-License-Identifier: GPL-2.0

//! How many devices use a requester ID at the moment.
//!
//! Devices behind a bridge, or with an alias in firmware's table, share an ID and with it an entry of
//! the device table. Such an entry must not block as long as one of them is in use.

use kernel::{new_mutex, prelude::*, sync::Mutex};

struct Count {
    devid: u16,
    users: usize,
}

/// The counts of one IOMMU.
#[pin_data]
pub(super) struct Users {
    #[pin]
    counts: Mutex<KVec<Count>>,
}

impl Users {
    /// No ID is used.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            counts <- new_mutex!(KVec::new(), "amd_viommu::users"),
        })
    }

    /// Adds a user of an ID.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; never for an ID that has a count.
    pub(super) fn add(&self, devid: u16) -> Result {
        self.count(devid, 1)
    }

    /// Makes the count of an ID, so that [`Users::add`] needs no memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn reserve(&self, devid: u16) -> Result {
        self.count(devid, 0)
    }

    fn count(&self, devid: u16, more: usize) -> Result {
        let mut counts = self.counts.lock();
        match counts.iter_mut().find(|count| count.devid == devid) {
            Some(count) => count.users += more,
            None => counts.push(Count { devid, users: more }, GFP_KERNEL)?,
        }
        Ok(())
    }

    /// How many users an ID has.
    pub(super) fn of(&self, devid: u16) -> usize {
        let counts = self.counts.lock();
        let count = counts.iter().find(|count| count.devid == devid);
        count.map_or(0, |count| count.users)
    }

    /// Takes a user of an ID away; true if it was the last.
    ///
    /// The count itself stays: a device that comes back to its domain must not fail for want of memory.
    pub(super) fn remove(&self, devid: u16) -> bool {
        let mut counts = self.counts.lock();
        match counts.iter_mut().find(|count| count.devid == devid) {
            Some(count) => {
                count.users = count.users.saturating_sub(1);
                count.users == 0
            }
            None => true,
        }
    }
}
