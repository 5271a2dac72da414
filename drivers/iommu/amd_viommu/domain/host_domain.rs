// SPDX-License-Identifier: GPL-2.0

//! A domain ID of the host that belongs to no domain of the IOMMU core.

use super::host::Host;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};

/// A domain ID, taken.
pub(crate) struct HostDomain {
    host: Arc<Host>,
    id: u16,
    spoiled: Atomic<bool>,
}

impl HostDomain {
    /// Takes a domain ID.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when all are in use.
    pub(crate) fn new(host: Arc<Host>) -> Result<Self> {
        let id = host.take_domain_id()?;
        Ok(Self {
            host,
            id,
            spoiled: Atomic::new(false),
        })
    }

    /// The domain ID.
    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    /// Notes that translations may stay cached under the domain ID: it is not used again.
    pub(crate) fn spoil(&self) {
        self.spoiled.store(true, Relaxed);
    }
}

impl Drop for HostDomain {
    fn drop(&mut self) {
        if !self.spoiled.load(Relaxed) {
            self.host.put_domain_id(self.id);
        }
    }
}
