// SPDX-License-Identifier: GPL-2.0

//! Page tables: v1, v2 and GCR3 (hardware.md chapter 4).

use super::machine::Machine;

/// Distance from a guest physical address to the memory behind it in tests that nest: the first
/// page of a [`Machine`] is at guest address 8000_0000h.
pub const GUEST_OFFSET: u64 = 0x8000_0000;

/// Rights of a mapping. The host tables know read and write; the guest tables write, user and
/// execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Reads are allowed (v1).
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
    /// User accesses are allowed (v2).
    pub user: bool,
    /// Execution is allowed (v2).
    pub execute: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Rights = Rights {
        read: true,
        write: true,
        user: true,
        execute: true,
    };

    /// Everything but writing.
    pub const READ: Rights = Rights {
        write: false,
        ..Rights::ALL
    };

    /// Everything but reading: only v1 can say so.
    pub const WRITE: Rights = Rights {
        read: false,
        ..Rights::ALL
    };
}

/// Lowest address bit that a level of a table translates.
fn shift(level: u8) -> u32 {
    12 + 9 * (u32::from(level) - 1)
}

fn index(address: u64, level: u8) -> u64 {
    (address >> shift(level)) & 0x1ff
}

/// The address in an entry of any format.
fn target(entry: u64) -> u64 {
    entry & 0xf_ffff_ffff_f000
}

/// NextLevel of a v1 entry.
fn next_level(entry: u64) -> u8 {
    (entry >> 9 & 7) as u8
}

/// IR and IW of a v1 entry.
fn v1_rights(rights: Rights) -> u64 {
    u64::from(rights.read) << 61 | u64::from(rights.write) << 62
}

/// A v1 entry that points to a table of `next` level.
pub fn v1_table(address: u64, next: u8) -> u64 {
    address | u64::from(next) << 9 | v1_rights(Rights::ALL) | 1
}

/// A v1 leaf in a table of `level` for a page of `size` bytes.
pub fn v1_leaf(address: u64, level: u8, size: u64, rights: Rights) -> u64 {
    if size == 1 << shift(level) {
        return address | v1_rights(rights) | 1;
    }
    let ones = (size / 2 - 1) & !0xfff;
    address | ones | 7 << 9 | v1_rights(rights) | 1
}

/// A v2 entry that points to a table, as Linux writes it (W106).
pub fn v2_table(address: u64) -> u64 {
    address | 0x27
}

/// A v2 leaf in a table of `level`, with A and, if writable, D set, as Linux writes it (W103).
pub fn v2_leaf(address: u64, level: u8, rights: Rights) -> u64 {
    let write = if rights.write { 0x42 } else { 0 };
    let large = if level > 1 { 0x80 } else { 0 };
    address | 0x21 | write | large | u64::from(rights.user) << 2 | u64::from(!rights.execute) << 63
}

/// A v1 (host) table.
#[derive(Clone, Copy, Debug)]
pub struct HostTables {
    /// HostTRP.
    pub root: u64,
    /// Mode.
    pub levels: u8,
}

impl HostTables {
    /// An empty table.
    pub fn new(machine: &mut Machine, levels: u8) -> Self {
        HostTables {
            root: machine.page(),
            levels,
        }
    }

    /// Address of the entry for `address` in the table of `level`, with tables on the way. A large
    /// page in the way, or a table that skips `level`, is replaced.
    pub fn entry(&self, machine: &mut Machine, address: u64, level: u8) -> u64 {
        let (mut table, mut above) = (self.root, self.levels);
        while above > level {
            let at = table + 8 * index(address, above);
            let mut entry = machine.peek(at);
            if entry & 1 == 0 || !(level..above).contains(&next_level(entry)) {
                entry = v1_table(machine.page(), above - 1);
                machine.poke(at, entry);
            }
            (table, above) = (target(entry), next_level(entry));
        }
        table + 8 * index(address, level)
    }

    /// Hangs an empty table of `below` right under the table of `level`.
    pub fn skip(&self, machine: &mut Machine, address: u64, level: u8, below: u8) {
        let at = self.entry(machine, address, level);
        let table = machine.page();
        machine.poke(at, v1_table(table, below));
    }

    /// Addresses of the entries that a walk reads, from the top, as far as tables reach.
    pub fn path(&self, machine: &Machine, address: u64) -> Vec<u64> {
        let (mut table, mut level) = (self.root, self.levels);
        let mut path = Vec::new();
        while (1..=6).contains(&level) && machine.is_memory(table) {
            path.push(table + 8 * index(address, level));
            let entry = machine.peek(table + 8 * index(address, level));
            if entry & 1 == 0 || next_level(entry) >= level {
                break;
            }
            (table, level) = (target(entry), next_level(entry));
        }
        path
    }

    /// Level whose table holds pages of `size`: that of the largest default size not above it.
    pub fn level_of(size: u64) -> u8 {
        (1..=6)
            .rev()
            .find(|&level| size >= 1 << shift(level))
            .expect("a page has at least 4 KiB")
    }

    /// Maps one page of any size, a power of two.
    pub fn map(&self, machine: &mut Machine, from: u64, to: u64, size: u64, rights: Rights) {
        assert_eq!((from | to) % size, 0);
        let level = Self::level_of(size);
        self.fill(machine, from, size, v1_leaf(to, level, size, rights));
    }

    /// Takes one page of any size away.
    pub fn unmap(&self, machine: &mut Machine, from: u64, size: u64) {
        self.fill(machine, from, size, 0);
    }

    /// Maps the memory that `machine` handed out and will hand out, up to 1 GiB, for a guest.
    pub fn map_guest_memory(&self, machine: &mut Machine) {
        let first = super::machine::FIRST;
        self.map(machine, first - GUEST_OFFSET, first, 1 << 30, Rights::ALL);
    }

    fn fill(&self, machine: &mut Machine, from: u64, size: u64, entry: u64) {
        let level = Self::level_of(size);
        let at = self.entry(machine, from, level);
        for copy in 0..size >> shift(level) {
            machine.poke(at + 8 * copy, entry);
        }
    }
}

/// A v2 (guest) table. Its pointers are `offset` below the memory that they name.
#[derive(Clone, Copy, Debug)]
pub struct PageTables {
    /// Guest CR3: what a GCR3 entry points to.
    pub root: u64,
    /// Levels, 4 or 5.
    pub levels: u8,
    /// 0, or [`GUEST_OFFSET`] if pointers are guest physical.
    pub offset: u64,
}

impl PageTables {
    /// An empty table.
    pub fn new(machine: &mut Machine, levels: u8, offset: u64) -> Self {
        PageTables {
            root: machine.page() - offset,
            levels,
            offset,
        }
    }

    /// Where in memory the entry for `address` in the table of `level` is, with tables on the way.
    /// A large page in the way is replaced.
    pub fn entry(&self, machine: &mut Machine, address: u64, level: u8) -> u64 {
        let mut table = self.root;
        for above in (level + 1..=self.levels).rev() {
            let at = table + self.offset + 8 * index(address, above);
            let mut entry = machine.peek(at);
            if entry & 0x81 != 1 {
                entry = v2_table(machine.page() - self.offset);
                machine.poke(at, entry);
            }
            table = target(entry);
        }
        table + self.offset + 8 * index(address, level)
    }

    /// Where in memory the entries are that a walk reads, from the top, as far as tables reach.
    pub fn path(&self, machine: &Machine, address: u64) -> Vec<u64> {
        let mut table = self.root;
        let mut path = Vec::new();
        for level in (1..=self.levels).rev() {
            let at = table.wrapping_add(self.offset) + 8 * index(address, level);
            let Some(entry) = machine.try_peek(at) else {
                break;
            };
            path.push(at);
            if entry & 1 == 0 || entry & 0x80 != 0 {
                break;
            }
            table = target(entry);
        }
        path
    }

    /// Maps one page of 4 KiB, 2 MiB or 1 GiB. `to` is a guest address if the table is nested.
    pub fn map(&self, machine: &mut Machine, from: u64, to: u64, size: u64, rights: Rights) {
        assert_eq!((from | to) % size, 0);
        let level = HostTables::level_of(size);
        let at = self.entry(machine, from, level);
        machine.poke(at, v2_leaf(to, level, rights));
    }

    /// Takes one page away.
    pub fn unmap(&self, machine: &mut Machine, from: u64, size: u64) {
        let at = self.entry(machine, from, HostTables::level_of(size));
        machine.poke(at, 0);
    }
}

/// A GCR3 table. Its pointers are `offset` below the memory that they name.
#[derive(Clone, Copy, Debug)]
pub struct Gcr3 {
    /// GCR3 TRP.
    pub pointer: u64,
    /// GLX: levels minus 1.
    pub glx: u8,
    /// 0, or [`GUEST_OFFSET`] if pointers are guest physical.
    pub offset: u64,
}

impl Gcr3 {
    /// An empty table.
    pub fn new(machine: &mut Machine, glx: u8, offset: u64) -> Self {
        Gcr3 {
            pointer: machine.page() - offset,
            glx,
            offset,
        }
    }

    /// Where in memory the entry of a PASID is, with tables on the way.
    pub fn entry(&self, machine: &mut Machine, pasid: u32) -> u64 {
        let mut table = self.pointer;
        for above in (1..=self.glx).rev() {
            let at = table + self.offset + 8 * u64::from(pasid >> (9 * above) & 0x1ff);
            let mut entry = machine.peek(at);
            if entry & 1 == 0 {
                entry = (machine.page() - self.offset) | 1;
                machine.poke(at, entry);
            }
            table = target(entry);
        }
        table + self.offset + 8 * u64::from(pasid & 0x1ff)
    }

    /// Gives a PASID its page tables.
    pub fn set(&self, machine: &mut Machine, pasid: u32, tables: &PageTables) {
        let at = self.entry(machine, pasid);
        machine.poke(at, tables.root | 1);
    }
}
