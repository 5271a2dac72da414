// SPDX-License-Identifier: GPL-2.0

//! Addresses that the IOMMU itself accesses: its private address space (hardware.md 5.1) and
//! guest physical addresses through a translate device ID (5.5, OQ-25).

use crate::system::System;
use crate::walk::page::{Fault, Need};
use crate::walk::route::Route;
use crate::walk::tables::Host;
use crate::Iommu;

/// Why an address of the IOMMU itself does not resolve through the host table of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// The entry does not translate: V, TV or the mode forbid it, it is illegal, or it could not
    /// be read.
    Entry,
    /// No page.
    NotPresent,
    /// A page, but no right to use it so.
    Permission,
    /// A bad entry in the table.
    BadTable,
    /// The table could not be read.
    Failed,
}

impl From<Fault> for Unresolved {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotPresent => Unresolved::NotPresent,
            Fault::Permission => Unresolved::Permission,
            Fault::BadTable | Fault::Reserved => Unresolved::BadTable,
            Fault::Failed(_) => Unresolved::Failed,
        }
    }
}

impl Iommu {
    /// Resolves an address that the IOMMU itself accesses, through the host (v1) table of the
    /// entry of `requester`: its own requester ID for private addresses, a translate device ID
    /// for guest physical ones. Logs nothing: the caller knows what the failure means.
    ///
    /// An entry with V = 0 or Mode = 0 does not resolve anything: untranslated, a guest's address
    /// would reach any memory of the host.
    pub(crate) fn resolve_host(
        &mut self,
        system: &mut dyn System,
        requester: u16,
        address: u64,
        write: bool,
    ) -> Result<u64, Unresolved> {
        self.counters.walks.private += 1;
        let need = if write { Need::WRITE } else { Need::READ };
        let host = self.own_stage(system, requester, need)?;
        let route = Route::Host(host);
        let (found, _) = self.walk(system, requester, &route, address, need);
        let page = found.map_err(|denial| denial.fault)?;
        Ok(page.at(address))
    }

    fn own_stage(
        &mut self,
        system: &mut dyn System,
        requester: u16,
        need: Need,
    ) -> Result<Host, Unresolved> {
        let entry = self
            .device_entry(system, requester)
            .map_err(|_| Unresolved::Entry)?;
        let usable = entry.valid()
            && self.entry_rules().check_memory(&entry).is_ok()
            && entry.translation_valid()
            && (1..=self.config.features.host_levels()).contains(&entry.mode());
        if !usable {
            return Err(Unresolved::Entry);
        }
        if (need.read && !entry.read_allowed()) || (need.write && !entry.write_allowed()) {
            return Err(Unresolved::Permission);
        }
        Ok(Host {
            domain: entry.domain(),
            table: entry.host_table(),
            had: entry.had(),
        })
    }
}

#[cfg(test)]
mod tests;
