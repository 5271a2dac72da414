// SPDX-License-Identifier: GPL-2.0

//! The tags of hardware.md 4.5: {DomainID, PASID}, and what lies under them.

use crate::caches::sets::Key;

/// Whose addresses a cached entry translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// DomainID of the device-table entry.
    pub(crate) domain: u16,
    /// PASID of guest addresses; `None` for addresses that a host table translates. Requests
    /// without a PASID that GIOV sends to the guest's table have PASID 0 here.
    pub(crate) pasid: Option<u32>,
}

impl Tag {
    fn number(self) -> u64 {
        let space = self.pasid.map_or(0, |pasid| 1 << 20 | u64::from(pasid));
        u64::from(self.domain) << 21 | space
    }
}

impl Key for Tag {
    fn number(&self) -> u64 {
        Tag::number(*self)
    }
}

/// A naturally aligned range of addresses under a tag. Of a final translation it is the page; of
/// a directory entry what lies below that entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) tag: Tag,
    /// First address.
    pub(crate) start: u64,
    /// log2 of the size, 12 to 64.
    pub(crate) shift: u8,
}

impl Range {
    /// The range of that size around an address.
    pub(crate) fn around(tag: Tag, address: u64, shift: u8) -> Self {
        Range {
            tag,
            start: address & !low_bits(shift),
            shift,
        }
    }

    /// Last address.
    pub(crate) fn last(&self) -> u64 {
        self.start | low_bits(self.shift)
    }
}

impl Key for Range {
    fn number(&self) -> u64 {
        let page = self.start >> 12;
        page ^ self.tag.number().rotate_left(24) ^ u64::from(self.shift).rotate_left(58)
    }
}

/// A value with the lowest `count` bits set.
pub(crate) const fn low_bits(count: u8) -> u64 {
    if count >= 64 {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}
