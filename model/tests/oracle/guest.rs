// SPDX-License-Identifier: GPL-2.0

//! GCR3 and guest (v2) tables, alone or nested on a host table: hardware.md 4.2 to 4.4.

use super::*;

/// Accesses of the walk itself to tables.
const TABLE_READ: Wish = Wish {
    read: true,
    write: false,
    execute: false,
    user: false,
};

struct Walk<'a> {
    machine: &'a Machine,
    entry: [u64; 4],
    wish: Wish,
    /// Rights lost on the way: to write, for users, to execute.
    lost: [bool; 3],
}

/// Resolves an address of the address space of `pasid`.
pub fn walk(
    part: Part,
    machine: &Machine,
    entry: [u64; 4],
    pasid: u32,
    address: u64,
    wish: Wish,
) -> Step<Reach> {
    let glx = bits(entry[0], 57, 56);
    if u64::from(pasid) >> part.pasid_bits.min(9 * (glx as u32 + 1)) != 0 {
        return fault(Fault::Page);
    }
    let mut walk = Walk {
        machine,
        entry,
        wish,
        lost: [false; 3],
    };
    let levels = 4 + bits(entry[2], 55, 54) as u32;
    let top = 12 + 9 * levels;
    let root = walk.guest_root(glx, pasid);
    if address >> (top - 1) != 0 {
        return beyond(address, top, root.is_ok());
    }
    walk.level(root?, levels, address)
}

/// An address that a table of `top` bits does not reach, or only with its upper half. No source
/// rules the sign extension out, and none says what is found first if the PASID is bad too.
fn beyond(address: u64, top: u32, good_pasid: bool) -> Step<Reach> {
    let ones = u64::MAX >> (top - 1);
    if address >> top == 0 || address >> (top - 1) == ones || !good_pasid {
        return Err(Stop::Open);
    }
    fault(Fault::Page)
}

impl Walk<'_> {
    /// The GCR3 entry of a PASID; every pointer is a guest address (GCR3TRPMode = 1).
    fn guest_root(&self, glx: u64, pasid: u32) -> Step<u64> {
        let [q0, q1, ..] = self.entry;
        let mut table = bits(q0, 60, 58) << 12 | bits(q1, 31, 16) << 15 | bits(q1, 63, 43) << 31;
        for level in (0..=glx).rev() {
            let index = u64::from(pasid) >> (9 * level) & 0x1ff;
            let value = self.read(table + 8 * index)?;
            if value & 1 == 0 {
                return fault(Fault::NotPresent);
            }
            if value & !(bits(u64::MAX, 51, 12) << 12 | 1) != 0 {
                return Err(Stop::Open);
            }
            table = bits(value, 51, 12) << 12;
        }
        Ok(table)
    }

    /// Reads a table entry at a guest address.
    fn read(&self, address: u64) -> Step<u64> {
        let reach = host::walk(self.machine, self.entry, address, TABLE_READ)?;
        read(self.machine, reach.address)
    }

    fn level(&mut self, table: u64, level: u32, address: u64) -> Step<Reach> {
        let shift = 12 + 9 * (level - 1);
        let entry = self.read(table + 8 * (address >> shift & 0x1ff))?;
        if entry & 1 == 0 {
            // Whether a right lost above is found first is not said.
            return if self.denied() {
                Err(Stop::Open)
            } else {
                fault(Fault::NotPresent)
            };
        }
        self.lost[0] |= bits(entry, 1, 1) == 0;
        self.lost[1] |= bits(entry, 2, 2) == 0;
        self.lost[2] |= bits(entry, 63, 63) != 0;
        // Bits 62:52 and a large page higher up: no source says which are reserved.
        let large = level > 1 && bits(entry, 7, 7) != 0;
        if bits(entry, 62, 52) != 0 || large && level > 3 {
            return Err(Stop::Open);
        }
        let target = bits(entry, 51, 12) << 12;
        if level > 1 && !large {
            return self.level(target, level - 1, address);
        }
        if target & ((1 << shift) - 1) != 0 {
            return Err(Stop::Open);
        }
        self.finish(target | address & ((1 << shift) - 1), 1 << shift)
    }

    fn denied(&self) -> bool {
        let [write, user, execute] = self.lost;
        self.wish.write && write || self.wish.user && user || self.wish.execute && execute
    }

    fn finish(&self, guest: u64, size: u64) -> Step<Reach> {
        if self.denied() {
            return fault(Fault::Permission);
        }
        let mut reach = host::walk(self.machine, self.entry, guest, self.wish)?;
        reach.write &= !self.lost[0];
        reach.size = match reach.size {
            0 => size,
            host => host.min(size),
        };
        Ok(reach)
    }
}
