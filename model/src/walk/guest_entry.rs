// SPDX-License-Identifier: GPL-2.0

//! Entries of guest (v2) tables, hardware.md 4.2: the format of x86-64.
//!
//! As there, permissions are gathered on the way and judged at the leaf, so an absent page is
//! "not present" whatever the entries above it forbid. Write protection holds for supervisor
//! accesses too. Bits 62:52 and 11:8 are ignored. PS in an entry of level 4 or 5, and address
//! bits below the size of a large page except bit 12 (PAT), are reserved.

use crate::bits::{bit, mask};
use crate::caches::low_bits;
use crate::walk::page::{reach, Fault, Need, Page, Rights, Step, Table};

const PRESENT: u32 = 0;
const WRITE: u32 = 1;
const USER: u32 = 2;
const ACCESSED: u64 = 1 << 5;
/// D, see the host's.
pub(super) const DIRTY: u64 = 1 << 6;
const LARGE: u32 = 7;
const ADDRESS: u64 = mask(51, 12);
const NO_EXECUTE: u32 = 63;

/// Reads an entry of `table`.
pub(super) fn decode(value: u64, table: &Table, need: Need) -> Result<Step, Fault> {
    if !bit(value, PRESENT) {
        return Err(Fault::NotPresent);
    }
    let rights = table.rights.and(rights(value));
    let leaf = table.level <= 1 || bit(value, LARGE);
    if !leaf {
        return Ok(Step::Table(Table {
            address: value & ADDRESS,
            level: table.level - 1,
            rights,
        }));
    }
    let shift = reach(table.level.saturating_sub(1));
    let unused = low_bits(shift) & mask(51, 13);
    if table.level > 3 || value & unused != 0 {
        return Err(Fault::Reserved);
    }
    if !rights.allow(need) {
        return Err(Fault::Permission);
    }
    Ok(Step::Page(Page {
        target: value & ADDRESS & !low_bits(shift),
        shift,
        rights,
        dirty: value & DIRTY != 0,
    }))
}

/// Bits that the hardware sets in an entry that it uses: A everywhere, D in the leaf of a write,
/// as far as the control register lets it.
pub(super) fn marks(step: &Step, accessed: bool, dirty: bool, need: Need) -> u64 {
    let a = if accessed { ACCESSED } else { 0 };
    let d = matches!(step, Step::Page(_)) && need.write && dirty;
    a | if d { DIRTY } else { 0 }
}

fn rights(value: u64) -> Rights {
    Rights {
        read: true,
        write: bit(value, WRITE),
        user: bit(value, USER),
        execute: !bit(value, NO_EXECUTE),
    }
}
