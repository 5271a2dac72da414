// SPDX-License-Identifier: GPL-2.0

//! Host (v1) tables: hardware.md 4.1.

use super::*;

/// Default page size of a level, as a power of two. Level 7 does not exist; its size bounds
/// those of level 6.
fn shift(level: u64) -> u32 {
    12 + 9 * (level as u32 - 1)
}

/// Resolves a guest physical address through the host table of an entry.
pub fn walk(machine: &Machine, entry: [u64; 4], address: u64, wish: Wish) -> Step<Reach> {
    let mode = bits(entry[0], 11, 9);
    if mode == 0 {
        return Ok(Reach {
            address,
            size: 0,
            read: true,
            write: true,
        });
    }
    if mode < 6 && address >> shift(mode + 1) != 0 {
        return fault(Fault::NotPresent);
    }
    let root = bits(entry[0], 51, 12) << 12;
    level(machine, root, mode, address, wish)
}

/// One level: present; reserved bits; IR/IW; leaf or page size; level order; skipped VA bits.
fn level(machine: &Machine, table: u64, level_: u64, address: u64, wish: Wish) -> Step<Reach> {
    let index = address >> shift(level_) & 0x1ff;
    let entry = read(machine, table + 8 * index)?;
    if entry & 1 == 0 {
        return fault(Fault::NotPresent);
    }
    let next = bits(entry, 11, 9);
    let is_leaf = next == 0 || next == 7;
    check_reserved(entry, is_leaf)?;
    let (ir, iw) = (bits(entry, 61, 61) != 0, bits(entry, 62, 62) != 0);
    if wish.read && !ir || wish.write && !iw {
        return fault(Fault::Permission);
    }
    let mut reach = match next {
        0 => leaf(entry, level_, shift(level_), address)?,
        7 => encoded_leaf(entry, level_, address)?,
        _ => {
            if next >= level_ {
                return fault(Fault::BadLevel);
            }
            // The bits between the index of this level and that of the next table.
            if next + 1 < level_ && bits(address, shift(level_) - 1, shift(next + 1)) != 0 {
                return fault(Fault::Page);
            }
            self::level(machine, bits(entry, 51, 12) << 12, next, address, wish)?
        }
    };
    reach.read &= ir;
    reach.write &= iw;
    Ok(reach)
}

fn check_reserved(entry: u64, is_leaf: bool) -> Step<()> {
    if bits(entry, if is_leaf { 56 } else { 60 }, 52) != 0 {
        return fault(Fault::Reserved);
    }
    // Page migration is reserved on parts without it, U says something about ATS only.
    if is_leaf && bits(entry, 59, 57) != 0 {
        return Err(Stop::Open);
    }
    Ok(())
}

fn leaf(entry: u64, level_: u64, size: u32, address: u64) -> Step<Reach> {
    // No source says what hardware makes of the 512 GiB leaf and of larger ones.
    if level_ >= 4 {
        return Err(Stop::Open);
    }
    let page = bits(entry, 51, 12) << 12;
    if page & ((1 << size) - 1) != 0 {
        return Err(Stop::Open);
    }
    Ok(reach(page, size, address))
}

fn encoded_leaf(entry: u64, level_: u64, address: u64) -> Step<Reach> {
    let field = bits(entry, 51, 12) << 12;
    let Some(n) = (12..52).find(|&n| bits(field, n, n) == 0) else {
        return Err(Stop::Open);
    };
    let size = n + 1;
    if size <= shift(level_) || size >= shift(level_ + 1) {
        return fault(Fault::BadLevel);
    }
    let page = field & !((1 << size) - 1);
    if level_ >= 4 {
        return Err(Stop::Open);
    }
    Ok(reach(page, size, address))
}

/// Where an address in a page of 2^size bytes goes. Rights come from the whole path.
fn reach(page: u64, size: u32, address: u64) -> Reach {
    Reach {
        address: page | address & ((1 << size) - 1),
        size: 1 << size,
        read: true,
        write: true,
    }
}
