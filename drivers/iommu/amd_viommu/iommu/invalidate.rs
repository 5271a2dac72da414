// SPDX-License-Identifier: GPL-2.0

//! Making the hardware forget translations.

use super::Iommu;
use hw::{
    command::{Command, Range},
    device::Stale,
};
use kernel::{prelude::*, sync::atomic::Relaxed};

impl Iommu {
    /// Drops everything that is cached under the domain ID of an entry that is not in force any more.
    ///
    /// Of the guest's translations these are those of PASID 0. Whatever else the guest has put there
    /// holds guest physical addresses at most: what the host table has made of them goes without GN.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not confirm.
    pub(crate) fn invalidate_stale(&self, stale: Stale) -> Result {
        let host = Command::invalidate_iommu_pages(stale.domain_id, Range::ALL, true);
        let guest = Command::invalidate_guest_pages(stale.domain_id, 0, Range::ALL);
        match stale.guest {
            true => self.invalidate(&[host, guest]),
            false => self.invalidate(&[host]),
        }
    }

    /// Executes invalidations of translations, all of which are over when this returns.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not confirm.
    pub(crate) fn invalidate(&self, commands: &[Command]) -> Result {
        let all = commands
            .iter()
            .filter(|command| command.opcode() == Command::INVALIDATE_IOMMU_ALL)
            .count();
        let pages = commands.len() - all;
        self.stats.invalidate_all.add(all as u64, Relaxed);
        self.stats.invalidate_pages.add(pages as u64, Relaxed);
        self.run(commands)
    }

    /// Whether one command can drop everything there is.
    pub(crate) fn can_invalidate_all(&self) -> bool {
        self.efr.ia_sup()
    }
}
