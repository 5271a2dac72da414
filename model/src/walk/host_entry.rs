// SPDX-License-Identifier: GPL-2.0

//! Entries of host (v1) tables, hardware.md 4.1.

use crate::bits::{bit, field, mask};
use crate::caches::low_bits;
use crate::walk::page::{reach, Fault, Need, Page, Rights, Step, Table};

const PRESENT: u32 = 0;
const ACCESSED: u64 = 1 << 5;
/// D. Hardware sets it and software clears it.
pub(super) const DIRTY: u64 = 1 << 6;
const ADDRESS: u64 = mask(51, 12);
/// In a leaf; bits 58:57 (page migration) belong to a feature that the model does not have.
const LEAF_RESERVED: u64 = mask(58, 52);
const TABLE_RESERVED: u64 = mask(60, 52);

/// Reads the entry of `table` for `address`. The order of the checks is that of hardware.md 3.9.
pub(super) fn decode(value: u64, table: &Table, address: u64, need: Need) -> Result<Step, Fault> {
    if !bit(value, PRESENT) {
        return Err(Fault::NotPresent);
    }
    let next = field(value, 11, 9) as u8;
    let leaf = matches!(next, 0 | 7);
    if value & if leaf { LEAF_RESERVED } else { TABLE_RESERVED } != 0 {
        return Err(Fault::Reserved);
    }
    let rights = table.rights.and(rights(value));
    if !rights.allow(need) {
        return Err(Fault::Permission);
    }
    match next {
        0 => default_leaf(value, table.level, rights),
        7 => encoded_leaf(value, table.level, rights),
        _ => next_table(value, table.level, next, address, rights),
    }
}

/// Bits that the hardware sets in an entry that it uses: A everywhere, D in the leaf of a write,
/// as HAD of the device-table entry says.
pub(super) fn marks(step: &Step, had: u8, need: Need) -> u64 {
    match (step, had) {
        (_, 0) => 0,
        (Step::Page(_), 3) if need.write => ACCESSED | DIRTY,
        _ => ACCESSED,
    }
}

fn rights(value: u64) -> Rights {
    Rights {
        read: bit(value, 61),
        write: bit(value, 62),
        ..Rights::ALL
    }
}

fn page(value: u64, target: u64, shift: u8, rights: Rights) -> Step {
    Step::Page(Page {
        target: target & !low_bits(shift),
        shift,
        rights,
        dirty: value & DIRTY != 0,
    })
}

/// A page as large as what the entry covers. Level 6 has none.
fn default_leaf(value: u64, level: u8, rights: Rights) -> Result<Step, Fault> {
    if level == 6 {
        return Err(Fault::BadTable);
    }
    let shift = reach(level.saturating_sub(1));
    Ok(page(value, value & ADDRESS, shift, rights))
}

/// A page of 2^(n+1) bytes, where n is the lowest zero bit of the address at or above 12. It is
/// larger than the default of its level and smaller than that of the next.
fn encoded_leaf(value: u64, level: u8, rights: Rights) -> Result<Step, Fault> {
    let shift = (value & ADDRESS | low_bits(12)).trailing_ones() as u8 + 1;
    let sizes = reach(level.saturating_sub(1)) + 1..reach(level);
    if shift > 52 || !sizes.contains(&shift) {
        return Err(Fault::BadTable);
    }
    Ok(page(value, value & ADDRESS, shift, rights))
}

/// A table of a lower level. The address bits of levels in between have to be 0.
fn next_table(
    value: u64,
    level: u8,
    next: u8,
    address: u64,
    rights: Rights,
) -> Result<Step, Fault> {
    let skipped = low_bits(reach(level.saturating_sub(1))) & !low_bits(reach(next));
    if next >= level || address & skipped != 0 {
        return Err(Fault::BadTable);
    }
    Ok(Step::Table(Table {
        address: value & ADDRESS,
        level: next,
        rights,
    }))
}
