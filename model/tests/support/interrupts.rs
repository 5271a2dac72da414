// SPDX-License-Identifier: GPL-2.0

//! Interrupt tables by the names of their fields (hardware.md 3.6).

use super::entry::Dte;
use super::machine::Machine;

/// An entry of an interrupt table. All fields 0: not valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Irte {
    /// RemapEn, Valid.
    pub valid: bool,
    /// SupIOPF, NoFault.
    pub quiet: bool,
    /// IntType.
    pub kind: u64,
    /// RqEoi.
    pub eoi: bool,
    /// DM.
    pub logical: bool,
    /// Guest, GuestMode.
    pub guest: bool,
    /// Destination.
    pub destination: u64,
    /// Vector.
    pub vector: u64,
    /// Bits to set besides, of the long form.
    pub extra: [u64; 2],
}

impl Irte {
    /// Remapped, fixed, physical.
    pub fn fixed(destination: u64, vector: u64) -> Self {
        Irte {
            valid: true,
            destination,
            vector,
            ..Irte::default()
        }
    }

    fn flags(&self) -> u64 {
        u64::from(self.valid)
            | u64::from(self.quiet) << 1
            | self.kind << 2
            | u64::from(self.eoi) << 5
            | u64::from(self.logical) << 6
            | u64::from(self.guest) << 7
    }

    /// The 128 bits while GAEn = 1.
    pub fn long(&self) -> [u64; 2] {
        [
            self.flags() | (self.destination & 0xff_ffff) << 8 | self.extra[0],
            self.vector | (self.destination >> 24) << 56 | self.extra[1],
        ]
    }

    /// The 32 bits while GAEn = 0.
    pub fn short(&self) -> u32 {
        (self.flags() | (self.destination & 0xff) << 8 | self.vector << 16 | self.extra[0]) as u32
    }
}

/// A table in memory, with entries of one form.
#[derive(Clone, Copy, Debug)]
pub struct IrteTable {
    /// Where it is.
    pub at: u64,
    /// Entries have 128 bits.
    pub long: bool,
}

impl IrteTable {
    /// A table of zeros, with room for 2048 entries and more behind them.
    pub fn new(machine: &mut Machine, long: bool) -> Self {
        let at = machine.pages(16);
        IrteTable { at, long }
    }

    /// Where an entry is.
    pub fn place(&self, index: u64) -> u64 {
        self.at + index * if self.long { 16 } else { 4 }
    }

    /// Writes an entry; the IOMMU is not told.
    pub fn put(&self, machine: &mut Machine, index: u64, entry: &Irte) {
        let at = self.place(index);
        if self.long {
            let [low, high] = entry.long();
            machine.poke(at, low);
            machine.poke(at + 8, high);
        } else {
            let (pair, shift) = (at & !7, 8 * (at & 4));
            let other = machine.peek(pair) & !(0xffff_ffff << shift);
            machine.poke(pair, other | u64::from(entry.short()) << shift);
        }
    }

    /// A device-table entry that remaps interrupts by this table and blocks memory requests.
    pub fn remapping(&self, length: u64) -> Dte {
        Dte {
            iv: true,
            int_ctl: 2,
            int_tab_len: length,
            int_table: self.at,
            domain: 5,
            ..Dte::blocked()
        }
    }
}
