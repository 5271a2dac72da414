// SPDX-License-Identifier: GPL-2.0

//! The walk of a guest (v2) table, hardware.md 4.2 and 4.4. With a host table below, every
//! pointer is a guest physical address, and reading an entry, setting A or D in it and the page
//! itself each go through the host table.

use crate::caches::{low_bits, Kept, Range};
use crate::walk::check::Suspect;
use crate::walk::gcr3::everything;
use crate::walk::guest_entry::{decode, marks, DIRTY};
use crate::walk::host::with_dirty;
use crate::walk::page::{reach, Denial, Fault, Need, Page, Rights, Step, Table};
use crate::walk::tables::{answer, Guest, Walk, ROUNDS};

/// A page that both stages give.
struct Whole {
    page: Page,
    /// What the guest's table allows.
    guest: Rights,
    /// See [`Kept::through`].
    through: Option<(u64, u64)>,
}

/// Where a walk begins.
struct Start {
    table: Table,
    /// What it is cached under, if it is.
    cached: Option<Range>,
}

impl Walk<'_> {
    /// Translates an address by a guest stage and the host stage below it.
    pub(crate) fn guest(
        &mut self,
        guest: &Guest,
        address: u64,
        need: Need,
    ) -> Result<Page, Denial> {
        if let Some((range, kept)) = self.cached(guest.tag(), address, need) {
            self.check_guest_page(guest, (range, kept), address, need);
            return answer(kept, need);
        }
        let (found, cached) = match self.guest_start(guest, address) {
            Ok(Start { table, cached }) => (
                self.guest_walk(guest, table, address, need),
                cached.map(|range| Suspect::Directory(range, table)),
            ),
            Err(denial) => (Err(denial), None),
        };
        self.keep_guest(guest, address, &found);
        let found = found.map(|whole| whole.page);
        if let Some(suspect) = cached {
            self.check_guest_table(guest, suspect, address, need, &found);
        }
        found
    }

    fn guest_walk(
        &mut self,
        guest: &Guest,
        top: Table,
        address: u64,
        need: Need,
    ) -> Result<Whole, Denial> {
        let own = self.guest_page(guest, top, address, need)?;
        let physical = own.at(address);
        let below = self.host(&guest.host, physical, need.below())?;
        let page = own.on(&below, address);
        let inside = low_bits(page.shift);
        Ok(Whole {
            page,
            guest: own.rights,
            through: guest.through(physical & !inside, physical | inside),
        })
    }

    fn keep_guest(&mut self, guest: &Guest, address: u64, found: &Result<Whole, Denial>) {
        match found {
            Ok(whole) => {
                let kept = Kept {
                    page: Some(whole.page),
                    guest: whole.guest,
                    through: whole.through,
                };
                self.keep(guest.tag(), address, whole.page.shift, kept);
            }
            // What the walk went through is not known in full: any change below may end it.
            Err(denial) => {
                let through = guest.through(0, u64::MAX);
                self.keep_absence(guest.tag(), address, *denial, through);
            }
        }
    }

    fn guest_start(&mut self, guest: &Guest, address: u64) -> Result<Start, Denial> {
        if !is_canonical(address, guest.table.levels) {
            return Err(Denial::guest(Fault::NotPresent));
        }
        if let Some((range, table)) = self.cached_table(guest.tag(), address) {
            let cached = Some(range);
            return Ok(Start { table, cached });
        }
        let (table, known) = self.guest_root(guest)?;
        let cached = known.then(|| everything(guest));
        Ok(Start { table, cached })
    }

    /// The page of the guest's table alone.
    fn guest_page(
        &mut self,
        guest: &Guest,
        mut table: Table,
        address: u64,
        need: Need,
    ) -> Result<Page, Denial> {
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
        Err(Denial::guest(Fault::BadTable))
    }

    fn guest_step(
        &mut self,
        guest: &Guest,
        table: &Table,
        address: u64,
        need: Need,
    ) -> Result<Step, Denial> {
        let slot = table.slot(address);
        let at = self.host(&guest.host, slot, Need::READ)?.at(slot);
        let mut value = self.read(at)?;
        for _ in 0..ROUNDS {
            let outcome = decode(value, table, need);
            if !guest.is_nested() {
                self.judge(at, value, &outcome);
            }
            let step = outcome.map_err(Denial::guest)?;
            let bits = marks(&step, self.settings.accessed, self.settings.dirty, need);
            match self.guest_mark(guest, slot, value, bits)? {
                Some(found) => value = found,
                None => {
                    let marked = bits & DIRTY != 0 && self.live.is_some();
                    return Ok(with_dirty(step, !self.settings.dirty || marked));
                }
            }
        }
        Err(Fault::Failed(at).into())
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
