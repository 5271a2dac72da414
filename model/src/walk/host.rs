// SPDX-License-Identifier: GPL-2.0

//! The walk of a host (v1) table, hardware.md 4.1.

use crate::caches::Kept;
use crate::device_table::HostTable;
use crate::walk::check::Suspect;
use crate::walk::host_entry::{decode, marks, DIRTY};
use crate::walk::page::{reach, Fault, Need, Page, Rights, Step, Table};
use crate::walk::tables::{answer, Host, Walk, ROUNDS};

impl Walk<'_> {
    /// Translates an address by a host stage.
    pub(crate) fn host(&mut self, host: &Host, address: u64, need: Need) -> Result<Page, Fault> {
        let Some(root) = host.table else {
            return Ok(Page::IDENTITY);
        };
        if let Some((range, kept)) = self.cached(host.tag(), address, need) {
            let found = answer(kept, need).map_err(|denial| denial.fault);
            self.check_host(host, Suspect::Page(range), address, need, &found);
            return found;
        }
        if root.levels < 6 && address >> reach(root.levels) != 0 {
            self.keep_absence(host.tag(), address, Fault::NotPresent.into(), None);
            return Err(Fault::NotPresent);
        }
        let start = self.cached_table(host.tag(), address);
        let found = self.host_walk(host, root, start.map(|(_, table)| table), address, need);
        self.keep_host(host, address, &found);
        if let Some((range, table)) = start {
            let suspect = Suspect::Directory(range, table);
            self.check_host(host, suspect, address, need, &found);
        }
        found
    }

    fn keep_host(&mut self, host: &Host, address: u64, found: &Result<Page, Fault>) {
        match found {
            Ok(page) => {
                let kept = Kept {
                    page: Some(*page),
                    guest: Rights::ALL,
                    through: None,
                };
                self.keep(host.tag(), address, page.shift, kept);
            }
            Err(fault) => self.keep_absence(host.tag(), address, (*fault).into(), None),
        }
    }

    fn host_walk(
        &mut self,
        host: &Host,
        root: HostTable,
        start: Option<Table>,
        address: u64,
        need: Need,
    ) -> Result<Page, Fault> {
        let mut table = start.unwrap_or(Table {
            address: root.root,
            level: root.levels,
            rights: Rights::ALL,
        });
        // A cached table answers as the entry would that led to it.
        if !table.rights.allow(need) {
            return Err(Fault::Permission);
        }
        // Each table is of a lower level than the one before.
        for _ in 0..6 {
            match self.host_step(host, &table, address, need)? {
                Step::Page(page) => return Ok(page),
                Step::Table(next) => {
                    self.keep_table(host.tag(), address, next, None);
                    table = next;
                }
            }
        }
        Err(Fault::BadTable)
    }

    fn host_step(
        &mut self,
        host: &Host,
        table: &Table,
        address: u64,
        need: Need,
    ) -> Result<Step, Fault> {
        let slot = table.slot(address);
        let mut value = self.read(slot)?;
        for _ in 0..ROUNDS {
            let outcome = decode(value, table, address, need);
            self.judge(slot, value, &outcome);
            let step = outcome?;
            let bits = marks(&step, host.had, need);
            match self.mark(slot, value, bits)? {
                Some(found) => value = found,
                None => {
                    let marked = bits & DIRTY != 0 && self.live.is_some();
                    return Ok(with_dirty(step, host.had != 3 || marked));
                }
            }
        }
        Err(Fault::Failed(slot))
    }
}

/// The step after D was set, or where nobody wants it.
pub(super) fn with_dirty(step: Step, dirty: bool) -> Step {
    match step {
        Step::Page(page) => Step::Page(Page {
            dirty: page.dirty || dirty,
            ..page
        }),
        table => table,
    }
}
