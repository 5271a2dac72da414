// SPDX-License-Identifier: GPL-2.0

//! From a device-table entry to the kind of walk: the checks in the order of hardware.md 3.9, and
//! the table of 4.4.

use core::ops::RangeInclusive;

use crate::device_table::{DeviceEntry, EntryFault, EntryRules, GuestTable};
use crate::request::Request;
use crate::walk::page::Fault;
use crate::walk::tables::{Guest, Host};
use crate::Iommu;

/// What becomes of a memory request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route {
    /// Neither translated nor checked: V = 0, or the exclusion range.
    Untouched,
    /// Not translated; IR and IW of the entry have been checked.
    Pass,
    /// A host table.
    Host(Host),
    /// A guest table, nested or not.
    Guest(Guest),
}

/// Why a request is refused without a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The entry is illegal.
    Entry(EntryFault),
    /// A page fault.
    Page(Fault),
    /// The address lies in the HyperTransport range, which is a page fault too: not present.
    HyperTransport,
}

/// What HyperTransport keeps for itself. No part of the model announces HTRangeIgnore, so no
/// device can use it for memory, translated or not (hardware.md 3.9). Addresses with a PASID are
/// those of a process, which knows nothing of HyperTransport.
const HYPERTRANSPORT: RangeInclusive<u64> = 0xfd_0000_0000..=0xff_ffff_ffff;

impl Iommu {
    pub(super) fn route(&self, entry: &DeviceEntry, request: &Request) -> Result<Route, Refusal> {
        if !entry.valid() {
            return Ok(Route::Untouched);
        }
        let rules = self.entry_rules();
        rules.check_memory(entry).map_err(Refusal::Entry)?;
        if !entry.translation_valid() {
            return Err(Refusal::Page(Fault::NotPresent));
        }
        if request.pasid.is_none() && HYPERTRANSPORT.contains(&request.address) {
            return Err(Refusal::HyperTransport);
        }
        if self.is_excluded(entry, request) {
            return Ok(Route::Untouched);
        }
        self.tables(entry, request, rules).map_err(Refusal::Page)
    }

    /// The tables that a request goes through, if the entry lets it.
    pub(super) fn tables(
        &self,
        entry: &DeviceEntry,
        request: &Request,
        rules: &EntryRules,
    ) -> Result<Route, Fault> {
        check_rights(entry, request)?;
        if entry.mode() > self.config.features.host_levels() {
            return Err(Fault::BadTable);
        }
        let host = Host {
            domain: entry.domain(),
            table: entry.host_table(),
            had: entry.had(),
        };
        let guest = entry.guest_table().filter(|_| rules.guest_effective());
        match self.pasid(entry, request, guest)? {
            Some((table, pasid)) => Ok(Route::Guest(Guest { host, table, pasid })),
            None if host.table.is_none() => Ok(Route::Pass),
            None => Ok(Route::Host(host)),
        }
    }

    /// The guest's table and the PASID by which it is found; `None` if the request has nothing
    /// to do with it. A PASID where there is no guest table, or one with too many bits, is not
    /// present.
    fn pasid(
        &self,
        entry: &DeviceEntry,
        request: &Request,
        guest: Option<GuestTable>,
    ) -> Result<Option<(GuestTable, u32)>, Fault> {
        match (request.pasid, guest) {
            (None, Some(table)) if entry.giov() => Ok(Some((table, 0))),
            (None, _) => Ok(None),
            (Some(pasid), Some(table)) if self.is_pasid(pasid) => Ok(Some((table, pasid))),
            (Some(_), _) => Err(Fault::NotPresent),
        }
    }

    fn is_pasid(&self, pasid: u32) -> bool {
        let bits = self.config.features.pasid_bits();
        u64::from(pasid) >> bits == 0
    }

    /// The exclusion range holds for all devices or for those with EX = 1; requests with a PASID
    /// carry addresses of a process, to which it does not apply.
    fn is_excluded(&self, entry: &DeviceEntry, request: &Request) -> bool {
        self.registers.exclusion().is_some_and(|range| {
            request.pasid.is_none()
                && (range.allow || entry.excluded())
                && (range.start..=range.last).contains(&request.address)
        })
    }
}

/// IR and IW of the entry; they count in pass-through too.
pub(super) fn check_rights(entry: &DeviceEntry, request: &Request) -> Result<(), Fault> {
    let read = entry.read_allowed() || !request.access.reads();
    let write = entry.write_allowed() || !request.access.writes();
    (read && write).then_some(()).ok_or(Fault::Permission)
}
