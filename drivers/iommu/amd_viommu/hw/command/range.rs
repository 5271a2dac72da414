// SPDX-License-Identifier: GPL-2.0

//! The address range of an invalidation (hardware reference 3.4 and 10.4).
//!
//! A command names one page, or a naturally aligned power of two of bytes: with the S bit the
//! lowest zero bit `n` of the address, at or above bit 12, says that the range has `2^(n+1)` bytes.

/// Bits of an address that a command holds.
const ADDRESS: u64 = !0xFFF;

/// The address that, with S, names everything.
const EVERYTHING: u64 = 0x7FFF_FFFF_FFFF_F000;

/// The highest `n` that encodes a range. With a higher one, or with no zero bit, the range is
/// everything.
const LARGEST: u32 = 50;

/// A range of addresses, the way a command holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: u64,
    sized: bool,
}

impl Range {
    /// Every address there is.
    pub const ALL: Self = Self {
        address: EVERYTHING,
        sized: true,
    };

    /// The smallest range that a single command can name and that covers all of `first..=last`.
    ///
    /// It may be larger than asked for, never smaller. Invalidating more than necessary costs time
    /// only.
    pub fn new(first: u64, last: u64) -> Self {
        // The number of low bits in which addresses of the range can differ.
        let bits = u64::BITS - (first ^ last).leading_zeros();

        match bits {
            0..=12 => Self {
                address: first & ADDRESS,
                sized: false,
            },
            13..=52 => Self::sized_by(first.min(last), bits),
            _ => Self::ALL,
        }
    }

    /// Takes the address field and the S bit of a command.
    pub fn from_fields(address: u64, sized: bool) -> Self {
        Self {
            address: address & ADDRESS,
            sized,
        }
    }

    /// The address field of the command.
    pub fn address(self) -> u64 {
        self.address
    }

    /// The S bit of the command.
    pub fn sized(self) -> bool {
        self.sized
    }

    /// The first and the last address that the hardware invalidates.
    pub fn bounds(self) -> (u64, u64) {
        let n = (self.address | !ADDRESS).trailing_ones();

        match (self.sized, n) {
            (false, _) => (self.address, self.address | !ADDRESS),
            (true, 0..=LARGEST) => {
                let inside = (2 << n) - 1;
                (self.address & !inside, self.address | inside)
            }
            (true, _) => (0, u64::MAX),
        }
    }

    /// The aligned range of `2^bits` bytes around `first`, whose bit `bits - 1` is 0.
    fn sized_by(first: u64, bits: u32) -> Self {
        let ones = (1 << (bits - 1)) - 1;

        Self {
            address: (first | ones) & ADDRESS,
            sized: true,
        }
    }
}
