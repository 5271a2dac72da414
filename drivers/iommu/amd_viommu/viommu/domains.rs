// SPDX-License-Identifier: GPL-2.0

//! The domains of a guest. Each has a domain ID of the host while a device is in it (hardware
//! reference 4.5).

use crate::domain::HostDomain;
use hw::viommu::life::Users;
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::prelude::*;

/// A domain of the guest.
pub(super) struct Domain {
    guest: u16,
    host: HostDomain,
    users: Users,
}

/// All domains of one guest.
pub(super) struct Domains(KVec<Domain>);

impl Domains {
    /// None.
    pub(super) fn new() -> Self {
        Self(KVec::new())
    }

    fn find(&self, guest: u16) -> Option<usize> {
        self.0.iter().position(|domain| domain.guest == guest)
    }

    /// The host's domain ID for one of the guest's.
    pub(super) fn host_id(&self, guest: u16) -> Option<u16> {
        let at = self.find(guest)?;
        self.0.get(at).map(|domain| domain.host.id())
    }

    /// How many devices are in a domain.
    pub(super) fn users(&self, guest: Option<u16>) -> u32 {
        let domain = guest.and_then(|guest| self.0.get(self.find(guest)?));
        domain.map_or(0, |domain| domain.users.count())
    }

    /// Adds a device to a domain. For the first one `make` gives the domain ID of the host.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and that of `make`; nothing has changed.
    pub(super) fn join(&mut self, guest: u16, make: impl FnOnce() -> Result<HostDomain>) -> Result {
        let at = match self.find(guest) {
            Some(at) => at,
            None => {
                self.0.reserve(1, GFP_KERNEL_ACCOUNT)?;
                let domain = Domain {
                    guest,
                    host: make()?,
                    users: Users::default(),
                };
                self.0.push(domain, GFP_KERNEL_ACCOUNT)?;
                self.0.len() - 1
            }
        };
        if let Some(domain) = self.0.get_mut(at) {
            domain.users.join();
        }
        Ok(())
    }

    /// Takes a device from a domain; true if it was the last one. [`Domains::remove`] follows then.
    pub(super) fn leave(&mut self, guest: u16) -> bool {
        let domain = self.0.iter_mut().find(|domain| domain.guest == guest);
        domain.is_some_and(|domain| domain.users.leave())
    }

    /// Forgets a domain without devices.
    pub(super) fn remove(&mut self, guest: u16) -> Option<HostDomain> {
        let at = self.find(guest)?;
        self.0.remove(at).ok().map(|domain| domain.host)
    }

    /// Notes that translations may stay cached under the host's ID of a domain.
    pub(super) fn spoil(&self, guest: Option<u16>) {
        let domain = guest.and_then(|guest| self.0.get(self.find(guest)?));
        if let Some(domain) = domain {
            domain.host.spoil();
        }
    }
}
