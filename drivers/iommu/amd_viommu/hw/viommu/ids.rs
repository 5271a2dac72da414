// SPDX-License-Identifier: GPL-2.0

//! Choosing guest IDs and translate IDs.

use core::ops::RangeInclusive;

/// The guest IDs there are: 0 is not used, and bit 15 marks secure guests (OQ-22).
pub const GUESTS: RangeInclusive<u16> = 1..=0x7FFF;

/// Finds a guest ID that is not used.
pub fn guest(used: impl Fn(u16) -> bool) -> Option<u16> {
    let mut all = GUESTS;

    all.find(|&gid| !used(gid))
}

/// Finds a requester ID that no device has, and none can get, for an IOMMU's translate ID.
///
/// `used` tells which IDs belong to devices, to their aliases and virtual functions, to buses that
/// devices may appear on, to other guests, or are kept for another purpose. The search goes
/// downwards, because devices are numbered upwards. The IOMMU's own ID is that of its private
/// address space, and a register with ID 0 is what a guest without a translate ID has.
pub fn translate(own: u16, used: impl Fn(u16) -> bool) -> Option<u16> {
    (1..=u16::MAX).rev().find(|&id| id != own && !used(id))
}
