// SPDX-License-Identifier: GPL-2.0

//! What a walk runs on: memory, caches, and the settings that decide over it.

use alloc::format;

use crate::caches::{Caches, Directory, Kept, Range, Tag};
use crate::config::NestedSpaTable;
use crate::counters::Counters;
use crate::device_table::{GuestTable, HostTable};
use crate::referee::{Referee, Rule};
use crate::system::System;
use crate::viommu::Stage;
use crate::walk::check::Watch;
use crate::walk::page::{reach, Denial, Fault, Need, Page, Rights, Table};
use crate::Iommu;

/// A host (v1) stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    /// DomainID: the tag.
    pub(crate) domain: u16,
    /// `None`: addresses stay what they are.
    pub(crate) table: Option<HostTable>,
    /// HAD.
    pub(crate) had: u8,
}

/// A guest (v2) stage, and the host stage below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) host: Host,
    pub(crate) table: GuestTable,
    pub(crate) pasid: u32,
}

impl Guest {
    pub(crate) fn tag(&self) -> Tag {
        Tag {
            domain: self.host.domain,
            pasid: Some(self.pasid),
        }
    }

    /// Whether there is a host table below. The tables are then a guest's own, which it may fill
    /// as it likes; otherwise they are the driver's.
    pub(crate) fn is_nested(&self) -> bool {
        self.host.table.is_some()
    }

    /// The range around an address as [`Kept::through`] wants it.
    pub(crate) fn through(&self, start: u64, last: u64) -> Option<(u64, u64)> {
        self.host.table.map(|_| (start, last))
    }
}

impl Host {
    pub(crate) fn tag(&self) -> Tag {
        Tag {
            domain: self.domain,
            pasid: None,
        }
    }
}

/// Settings that decide over a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) accessed: bool,
    pub(crate) dirty: bool,
    /// The pointer in the device-table entry is a guest physical address.
    pub(crate) gcr3_pointer_nested: bool,
    /// The pointers in GCR3 tables that lead to GCR3 tables are.
    pub(crate) gcr3_tables_nested: bool,
    np_cache: bool,
    /// Every so many uses of a cached object the referee looks at one.
    pub(super) check_hits: u32,
}

impl Settings {
    pub(crate) fn of(iommu: &Iommu) -> Self {
        let control = iommu.registers.control;
        let config = &iommu.config;
        let whole = config.readings.nested_spa_table == NestedSpaTable::WholeTable;
        Settings {
            accessed: !control.no_guest_access_update(),
            dirty: !control.no_guest_dirty_update(),
            gcr3_pointer_nested: control.gcr3_trp(),
            gcr3_tables_nested: control.gcr3_trp() || !whole,
            np_cache: config.features.np_cache,
            check_hits: config.check_hits,
        }
    }
}

/// A walk. Without [`Live`] it only looks: it uses and fills no cache, changes no table and
/// counts nothing.
pub(crate) struct Walk<'a> {
    pub(crate) system: &'a mut dyn System,
    pub(crate) settings: Settings,
    pub(crate) live: Option<Live<'a>>,
    /// What a walk that only looks is to compare on its way.
    pub(crate) watch: Option<Watch>,
}

/// What a walk of a request has beside memory.
pub(crate) struct Live<'a> {
    pub(crate) caches: &'a mut Caches,
    pub(crate) counters: &'a mut Counters,
    pub(crate) referee: &'a mut Referee,
    pub(crate) requester: u16,
    /// A final translation was not cached.
    pub(crate) missed: bool,
}

/// How often an entry is read again because a processor changed it in the moment in which A or D
/// was to be set. Software that does it on purpose gets a failed walk.
pub(super) const ROUNDS: usize = 8;

impl Walk<'_> {
    /// Reads an entry of a table.
    pub(super) fn read(&mut self, slot: u64) -> Result<u64, Fault> {
        if let Some(live) = &mut self.live {
            live.counters.walks.entries += 1;
        }
        self.system.read_u64(slot).map_err(|_| Fault::Failed(slot))
    }

    /// Sets bits in an entry. `Ok(None)`: done, or nothing was to be done; otherwise what a
    /// processor has put there meanwhile.
    pub(super) fn mark(&mut self, slot: u64, value: u64, bits: u64) -> Result<Option<u64>, Fault> {
        if value & bits == bits || self.live.is_none() {
            return Ok(None);
        }
        let found = self
            .system
            .compare_exchange(slot, value, value | bits)
            .map_err(|_| Fault::Failed(slot))?;
        Ok((found != value).then_some(found))
    }

    /// The cached translation of an address, if it serves what is needed: a first write has to
    /// set D in memory, so it walks again.
    pub(super) fn cached(&mut self, tag: Tag, address: u64, need: Need) -> Option<(Range, Kept)> {
        let live = self.live.as_mut()?;
        let found = live.caches.translations.find(tag, address);
        let clean = |page: &Page| need.write && page.rights.write && !page.dirty;
        let found = found
            .map(|(range, kept)| (range, *kept))
            .filter(|(_, kept)| !kept.page.as_ref().is_some_and(clean));
        let lookups = &mut live.counters.caches.translation;
        if found.is_some() {
            lookups.hits += 1;
        } else {
            lookups.misses += 1;
            live.missed = true;
        }
        found
    }

    /// Caches a page.
    pub(super) fn keep(&mut self, tag: Tag, address: u64, shift: u8, kept: Kept) {
        if let Some(live) = &mut self.live {
            let range = Range::around(tag, address, shift);
            live.caches.translations.insert(range, kept);
        }
    }

    /// Caches that there is no page, if the part does that.
    pub(super) fn keep_absence(
        &mut self,
        tag: Tag,
        address: u64,
        denial: Denial,
        through: Option<(u64, u64)>,
    ) {
        if denial.fault != Fault::NotPresent || !self.settings.np_cache {
            return;
        }
        let guest = match denial.stage {
            Stage::Guest => Rights::NONE,
            Stage::Host => Rights::ALL,
        };
        let kept = Kept {
            page: None,
            guest,
            through,
        };
        self.keep(tag, address, 12, kept);
    }

    /// The lowest table for an address that is cached.
    pub(super) fn cached_table(&mut self, tag: Tag, address: u64) -> Option<(Range, Table)> {
        let live = self.live.as_mut()?;
        let found = live.caches.directories.find(tag, address);
        let found = found.map(|(range, directory)| (range, directory.table));
        let lookups = &mut live.counters.caches.directory;
        if found.is_some() {
            lookups.hits += 1;
        } else {
            lookups.misses += 1;
        }
        found
    }

    /// Caches a directory entry.
    pub(super) fn keep_table(
        &mut self,
        tag: Tag,
        address: u64,
        table: Table,
        through: Option<(u64, u64)>,
    ) {
        let range = || Range::around(tag, address, reach(table.level));
        if let Some(live) = &mut self.live {
            let directory = Directory { table, through };
            live.caches.directories.insert(range(), directory);
        } else if let Some(watch) = &mut self.watch {
            watch.see(range(), table);
        }
    }

    /// Tells the referee of a reserved bit.
    pub(super) fn judge<T>(&mut self, slot: u64, value: u64, outcome: &Result<T, Fault>) {
        let (Some(live), Err(Fault::Reserved)) = (&mut self.live, outcome) else {
            return;
        };
        let requester = live.requester;
        live.referee
            .report(Rule::ReservedTableBit, u64::from(requester), || {
                format!(
                    "The table entry {value:016x} at {slot:x}, met by {requester:04x}, has a reserved bit set."
                )
            });
    }
}

/// What a cached translation answers.
pub(super) fn answer(kept: Kept, need: Need) -> Result<Page, Denial> {
    let fault = match kept.page {
        None => Fault::NotPresent,
        Some(page) if page.rights.allow(need) => return Ok(page),
        Some(_) => Fault::Permission,
    };
    if kept.guest.allow(need) {
        Err(Denial::from(fault))
    } else {
        Err(Denial::guest(fault))
    }
}
