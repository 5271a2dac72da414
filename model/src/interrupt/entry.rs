// SPDX-License-Identifier: GPL-2.0

//! Entries of interrupt tables (hardware.md 3.6): 32 bits while GAEn = 0, 128 bits while GAEn = 1.

use crate::bits::{bit, field, mask};

/// An entry as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptEntry {
    /// 32 bits.
    Short(u32),
    /// 128 bits.
    Long([u64; 2]),
}

/// Where a remapped interrupt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// APIC ID, or a set of them.
    pub destination: u32,
    /// DM: the destination is a logical one.
    pub logical: bool,
    /// Lowest priority rather than fixed.
    pub lowest_priority: bool,
    /// Vector.
    pub vector: u8,
}

/// A reserved bit or value is set in an entry that is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservedSet;

/// RemapEn or Valid.
const VALID: u64 = 1 << 0;
/// SupIOPF or NoFault.
const QUIET: u64 = 1 << 1;
/// Guest, GuestMode: needs guest APIC modes, which the model does not have.
const GUEST: u64 = 1 << 7;
/// Behind the vector of a short entry.
const SHORT_RESERVED: u64 = mask(31, 24) | GUEST;
/// Around the vAPIC backing page of a long entry.
const LONG_RESERVED: u64 = mask(55, 52) | mask(11, 8);
/// What a long entry has for guest mode only: GaTag, and the backing page.
const GUEST_MODE_ONLY: [u64; 2] = [mask(63, 32), mask(51, 12)];

impl InterruptEntry {
    /// An entry from its bytes, of which there are 4 or 16.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let word = |bytes: &[u8]| {
            let backwards = bytes.iter().rev();
            backwards.fold(0, |value, byte| value << 8 | u64::from(*byte))
        };
        match bytes.split_at_checked(8) {
            Some((low, high)) => InterruptEntry::Long([word(low), word(high)]),
            None => InterruptEntry::Short(word(bytes) as u32),
        }
    }

    fn low(self) -> u64 {
        match self {
            InterruptEntry::Short(word) => u64::from(word),
            InterruptEntry::Long([low, _]) => low,
        }
    }

    /// RemapEn, or Valid.
    pub fn is_valid(self) -> bool {
        self.low() & VALID != 0
    }

    /// SupIOPF, or NoFault: what goes wrong with this entry is not logged. It counts in an entry
    /// that is not valid too: that is what most faults are about.
    pub fn is_quiet(self) -> bool {
        self.low() & QUIET != 0
    }

    /// Where an entry that is valid sends its interrupt.
    ///
    /// # Errors
    ///
    /// [`ReservedSet`], which is a page fault with RZ = 1.
    pub fn target(self) -> Result<Target, ReservedSet> {
        if self.has_reserved() {
            return Err(ReservedSet);
        }
        let low = self.low();
        let (destination, vector) = match self {
            InterruptEntry::Short(_) => (field(low, 15, 8), field(low, 23, 16)),
            InterruptEntry::Long([_, high]) => (
                field(low, 31, 8) | field(high, 63, 56) << 24,
                field(high, 7, 0),
            ),
        };
        Ok(Target {
            destination: destination as u32,
            logical: bit(low, 6),
            lowest_priority: bit(low, 2),
            vector: vector as u8,
        })
    }

    /// Of the types only fixed (0) and lowest priority (1) are defined.
    fn has_reserved(self) -> bool {
        let own = match self {
            InterruptEntry::Short(word) => u64::from(word) & SHORT_RESERVED,
            InterruptEntry::Long([low, high]) => low & GUEST | high & LONG_RESERVED,
        };
        own != 0 || field(self.low(), 4, 2) > 1
    }

    /// Whether an interrupt meets the same in both. Software may fill in an entry that is not valid,
    /// and what only guest mode uses, in any order. RqEoi changes nothing here, but belongs to
    /// what the driver says of an interrupt.
    pub(crate) fn agrees_with(self, other: Self) -> bool {
        self.used() == other.used()
    }

    /// The bits that count, as a long entry has them; a short one never agrees with a long one.
    fn used(self) -> (bool, [u64; 2]) {
        let [tag, page] = GUEST_MODE_ONLY;
        match self {
            entry if !entry.is_valid() => (true, [entry.low() & QUIET, 0]),
            InterruptEntry::Short(word) => (false, [u64::from(word), 0]),
            InterruptEntry::Long([low, high]) => (true, [low & !tag, high & !page]),
        }
    }
}
