// SPDX-License-Identifier: GPL-2.0

//! The walk of a guest (v2) table, hardware.md 4.2 and 4.4. With a host table below, every
//! pointer is a guest physical address, and reading an entry, setting A or D in it and the page
//! itself each go through the host table.

use crate::caches::low_bits;
use crate::walk::guest_entry::{decode, marks};
use crate::walk::host::with_dirty;
use crate::walk::page::{reach, Fault, Need, Page, Rights, Step, Table};
use crate::walk::tables::{answer, Guest, Walk, ROUNDS};

impl Walk<'_> {
    /// Translates an address by a guest stage and the host stage below it.
    pub(crate) fn guest(&mut self, guest: &Guest, address: u64, need: Need) -> Result<Page, Fault> {
        if let Some(kept) = self.cached(guest.tag(), address, need) {
            return answer(kept, need);
        }
        let (found, through) = match self.guest_walk(guest, address, need) {
            Ok((page, through)) => (Ok(page), through),
            // What the walk went through is not known in full: any change below may end it.
            Err(fault) => (Err(fault), guest.through(0, u64::MAX)),
        };
        self.keep(guest.tag(), address, &found, through);
        found
    }

    fn guest_walk(
        &mut self,
        guest: &Guest,
        address: u64,
        need: Need,
    ) -> Result<(Page, Option<(u64, u64)>), Fault> {
        let own = self.guest_page(guest, address, need)?;
        let physical = own.at(address);
        let below = self.host(&guest.host, physical, need.below())?;
        let page = own.on(&below, address);
        let inside = low_bits(page.shift);
        Ok((page, guest.through(physical & !inside, physical | inside)))
    }

    /// The page of the guest's table alone.
    fn guest_page(&mut self, guest: &Guest, address: u64, need: Need) -> Result<Page, Fault> {
        if !is_canonical(address, guest.table.levels) {
            return Err(Fault::NotPresent);
        }
        let mut table = match self.cached_table(guest.tag(), address) {
            Some(table) => table,
            None => Table {
                address: self.guest_root(guest)?,
                level: guest.table.levels,
                rights: Rights::ALL,
            },
        };
        // Each table is of a lower level than the one before.
        for _ in 0..6 {
            match self.guest_step(guest, &table, address, need)? {
                Step::Page(page) => return Ok(page),
                Step::Table(next) => {
                    let slot = table.slot(address);
                    self.keep_table(guest.tag(), address, next, guest.through(slot, slot | 7));
                    table = next;
                }
            }
        }
        Err(Fault::BadTable)
    }

    fn guest_step(
        &mut self,
        guest: &Guest,
        table: &Table,
        address: u64,
        need: Need,
    ) -> Result<Step, Fault> {
        let slot = table.slot(address);
        let at = self.host(&guest.host, slot, Need::READ)?.at(slot);
        let mut value = self.read(at)?;
        for _ in 0..ROUNDS {
            let outcome = decode(value, table, need);
            self.judge(at, value, &outcome);
            let step = outcome?;
            let bits = marks(&step, self.settings.accessed, self.settings.dirty, need);
            match self.guest_mark(guest, slot, value, bits)? {
                Some(found) => value = found,
                None => return Ok(with_dirty(step, !self.settings.dirty || need.write)),
            }
        }
        Err(Fault::Failed(at))
    }

    /// Setting A or D is a write of the IOMMU to guest memory: the host table has to allow it.
    fn guest_mark(
        &mut self,
        guest: &Guest,
        slot: u64,
        value: u64,
        bits: u64,
    ) -> Result<Option<u64>, Fault> {
        if value & bits == bits {
            return Ok(None);
        }
        let at = self.host(&guest.host, slot, Need::WRITE)?.at(slot);
        self.mark(at, value, bits)
    }
}

/// The address bits above the reach of the table repeat its highest bit, as on a processor.
fn is_canonical(address: u64, levels: u8) -> bool {
    let above = 64u32.saturating_sub(u32::from(reach(levels)));
    ((address << above) as i64 >> above) as u64 == address
}
