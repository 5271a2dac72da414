// SPDX-License-Identifier: GPL-2.0

//! The block that describes memory with special needs.

use super::{Error, Fault, Reader};

bitfield! {
    /// Flags of a block.
    struct IvmdFlags(u8) {
        /// Unity: devices use the memory under its physical address.
        0:0 unity: bool;
        /// IR: devices read it.
        1:1 read: bool;
        /// IW: devices write it.
        2:2 write: bool;
        /// Exclusion: requests for the memory must not be translated.
        3:3 exclusion: bool;
    }
}

/// A decoded block.
pub(super) struct Ivmd {
    flags: IvmdFlags,
    segment: u16,
    first: u16,
    last: u16,
    start: u64,
    end: u64,
}

/// Memory that a device must reach under its physical address, whatever its domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte, at the start of a page.
    pub start: u64,
    /// Last byte, at the end of a page.
    pub end: u64,
    /// The device reads it.
    pub read: bool,
    /// The device writes it.
    pub write: bool,
}

impl Ivmd {
    /// Bytes of a block.
    const LEN: usize = 32;

    /// Bits of an offset into a page.
    const PAGE: u64 = 0xFFF;

    /// The highest physical address that a table entry can hold.
    const LAST: u64 = (1 << 52) - 1;

    /// Decodes and checks a block.
    pub(super) fn decode(block: Reader<'_>) -> Result<Self, Error> {
        let (header, _) = block
            .split(Self::LEN)
            .map_err(|e| e.because(Fault::BlockTooShort(block.len())))?;
        let devid = header.u16(4)?;
        let (first, last) = match header.u8(0)? {
            0x20 => (0, u16::MAX),
            0x21 => (devid, devid),
            _ => (devid, header.u16(6)?),
        };
        if last < first {
            return Err(block.error(Fault::RangeReversed));
        }
        let (start, end) = bounds(header.u64(16)?, header.u64(24)?).map_err(|e| block.error(e))?;

        Ok(Self {
            flags: IvmdFlags(header.u8(1)?),
            segment: header.u16(8)?,
            first,
            last,
            start,
            end,
        })
    }

    /// What the block means for a device, if anything.
    ///
    /// An exclusion range counts as a unity range for reads and writes: both let the device reach
    /// the memory under its physical address, and the exclusion registers of the hardware can hold
    /// only one range.
    pub(super) fn region_for(&self, segment: u16, devid: u16) -> Option<Region> {
        let selected = self.segment == segment && (self.first..=self.last).contains(&devid);
        let special = self.flags.unity() || self.flags.exclusion();

        (selected && special).then_some(Region {
            start: self.start,
            end: self.end,
            read: self.flags.read() || self.flags.exclusion(),
            write: self.flags.write() || self.flags.exclusion(),
        })
    }
}

/// Checks a region, and returns its first and its last byte, widened to whole pages.
///
/// Firmware names regions that begin or end within a page. Page tables cannot express that, and a
/// device that does not reach all of its region does not work.
fn bounds(start: u64, len: u64) -> Result<(u64, u64), Fault> {
    let last = len.checked_sub(1).ok_or(Fault::MemoryEmpty)?;

    match start.checked_add(last) {
        Some(end) if end <= Ivmd::LAST => Ok((start & !Ivmd::PAGE, end | Ivmd::PAGE)),
        _ => Err(Fault::MemoryPastEnd),
    }
}
