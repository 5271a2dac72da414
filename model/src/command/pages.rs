// SPDX-License-Identifier: GPL-2.0

//! The range of addresses of an invalidation.

/// A range of addresses as the invalidation commands encode it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// First address, aligned to the size.
    pub start: u64,
    /// Last address.
    pub last: u64,
}

/// A lowest zero bit here, or above, or none at all, stands for every address
/// (hardware.md 3.4).
const EVERYTHING: u32 = 51;

impl Pages {
    /// Every address.
    pub const ALL: Pages = Pages {
        start: 0,
        last: u64::MAX,
    };

    /// The range of an address field: one page, or with `several` (S) the naturally aligned range
    /// of 2^(n+1) bytes around the address, where n is its lowest zero bit at or above bit 12.
    pub const fn decode(address: u64, several: bool) -> Self {
        let first_page_last = address | 0xfff;
        if !several {
            return Pages {
                start: address & !0xfff,
                last: first_page_last,
            };
        }
        let n = first_page_last.trailing_ones();
        if n >= EVERYTHING {
            return Pages::ALL;
        }
        let inside = (1 << (n + 1)) - 1;
        Pages {
            start: address & !inside,
            last: address | inside,
        }
    }
}
