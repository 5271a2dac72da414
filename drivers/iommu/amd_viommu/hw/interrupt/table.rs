// SPDX-License-Identifier: GPL-2.0

//! An interrupt table: how long it is, where it lies, and the message that names one of its entries.

use super::Format;

/// The number of entries of a table, a power of two (IntTabLen).
///
/// # Invariants
///
/// The exponent is at most 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(u8);

impl Length {
    /// What hardware has without the feature of longer tables (NumIntRemapSup): 512 entries.
    pub const MAX: Self = Self(9);

    /// The first level of the table for external interrupts: 1024 entries (hardware reference 6.4).
    pub const EXTERNAL: Self = Self(10);

    /// The shortest table with at least `entries` entries.
    ///
    /// Returns `None` if there must be more than [`Length::MAX`] has.
    pub fn holding(entries: usize) -> Option<Self> {
        let exponent = entries.checked_next_power_of_two()?.trailing_zeros();
        // INVARIANT: `MAX` is less than 11.
        u8::try_from(exponent)
            .ok()
            .map(Self)
            .filter(|length| *length <= Self::MAX)
    }

    /// The number of entries.
    pub const fn entries(self) -> usize {
        1 << self.0
    }

    /// The value of the field IntTabLen.
    pub const fn field(self) -> u8 {
        self.0
    }

    /// The size of a table in memory.
    pub const fn bytes(self, format: Format) -> usize {
        self.entries() * format.bytes()
    }
}

/// A table in memory.
///
/// # Invariants
///
/// `phys` has no bit outside 51:7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    phys: u64,
    length: Length,
}

impl Table {
    /// Bits 51:7 of an address. In both formats tables begin at a multiple of 128 bytes.
    const ADDRESS: u64 = 0x000F_FFFF_FFFF_FF80;

    /// Describes a table at `phys`, which includes the encryption bit if there is one.
    ///
    /// Returns `None` if an entry of the device table cannot hold the address.
    pub fn new(phys: u64, length: Length) -> Option<Self> {
        // INVARIANT: Just checked.
        (phys & !Self::ADDRESS == 0).then_some(Self { phys, length })
    }

    /// Physical address, with the encryption bit.
    pub fn phys(self) -> u64 {
        self.phys
    }

    /// The number of entries.
    pub fn length(self) -> Length {
        self.length
    }

    /// Where the entry at `index` lies, counted from the beginning of the table.
    ///
    /// Returns `None` beyond the end.
    pub fn offset(self, format: Format, index: u16) -> Option<usize> {
        let index = usize::from(index);

        (index < self.length.entries()).then(|| index * format.bytes())
    }
}

/// What a device writes to raise an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The address.
    pub address: u64,
    /// The data.
    pub data: u32,
}

impl Message {
    /// Where interrupts are written to. The bits that name an APIC otherwise mean nothing when
    /// interrupts are remapped.
    const ADDRESS: u64 = 0xFEE0_0000;

    /// The message that names the entry at `index`. Bits 10:8 of the data are its delivery mode
    /// elsewhere: remapped, they belong to the index.
    pub fn naming(index: u16) -> Self {
        Self {
            address: Self::ADDRESS,
            data: index.into(),
        }
    }
}
