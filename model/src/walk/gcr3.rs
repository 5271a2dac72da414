// SPDX-License-Identifier: GPL-2.0

//! The GCR3 table, which gives each PASID its guest table, hardware.md 4.3.
//!
//! Bits of an entry other than 0 and 51:12 are not looked at. Which pointers are guest physical
//! when a host table lies below depends on GCR3TRPMode (OQ-10).

use crate::bits::{bit, mask};
use crate::caches::{Range, Root};
use crate::walk::page::{Denial, Fault, Need, Rights, Table};
use crate::walk::tables::{Guest, Walk};

impl Walk<'_> {
    /// The top table of a PASID, and whether the cache knew it.
    pub(super) fn guest_root(&mut self, guest: &Guest) -> Result<(Table, bool), Denial> {
        if let Some(root) = self.cached_root(guest) {
            return Ok((top(guest, root), true));
        }
        let levels = u32::from(guest.table.glx.min(2)) + 1;
        if guest.pasid >> (9 * levels) != 0 {
            return Err(Denial::guest(Fault::NotPresent));
        }
        let mut pointer = guest.table.pointer;
        let mut through = None;
        for level in (0..levels).rev() {
            let slot = pointer | u64::from(guest.pasid >> (9 * level) & 0x1ff) << 3;
            let nested = if level + 1 == levels {
                self.settings.gcr3_pointer_nested
            } else {
                self.settings.gcr3_tables_nested
            };
            let mut at = slot;
            if nested {
                at = self.host(&guest.host, slot, Need::READ)?.at(slot);
                through = guest.through(slot, slot | 7);
            }
            let entry = self.read(at)?;
            if !bit(entry, 0) {
                return Err(Denial::guest(Fault::NotPresent));
            }
            pointer = entry & mask(51, 12);
        }
        self.keep_root(guest, pointer, through);
        Ok((top(guest, pointer), false))
    }

    fn cached_root(&mut self, guest: &Guest) -> Option<u64> {
        let live = self.live.as_mut()?;
        let found = live
            .caches
            .roots
            .find(&guest.tag())
            .map(|root| root.address);
        let lookups = &mut live.counters.caches.pasid;
        if found.is_some() {
            lookups.hits += 1;
        } else {
            lookups.misses += 1;
        }
        found
    }

    fn keep_root(&mut self, guest: &Guest, address: u64, through: Option<(u64, u64)>) {
        if let Some(live) = &mut self.live {
            let root = Root { address, through };
            live.caches.roots.insert(guest.tag(), root);
        } else if let Some(watch) = &mut self.watch {
            watch.see(everything(guest), top(guest, address));
        }
    }
}

/// All addresses of a PASID: what lies below its GCR3 entry.
pub(super) fn everything(guest: &Guest) -> Range {
    Range::around(guest.tag(), 0, 64)
}

fn top(guest: &Guest, address: u64) -> Table {
    Table {
        address,
        level: guest.table.levels,
        rights: Rights::ALL,
    }
}

#[cfg(test)]
mod tests;
