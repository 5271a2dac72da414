// SPDX-License-Identifier: GPL-2.0

//! The ACPI table that describes the IOMMUs of a machine (hardware reference 3.7).
//!
//! Firmware may be wrong or hostile. [`Ivrs::parse`] walks the whole table once, through the same
//! decoders that its accessors use later, and refuses it as a whole if anything does not add up. So
//! the accessors cannot fail. [`Ivrs::trusted`] reads the same table again later and checks nothing.
//! Blocks and device entries of unknown types are stepped over by their length, because later
//! revisions of the table add such.

mod device;
mod entry;
mod error;
mod ivhd;
mod ivmd;
mod reader;

pub use device::{AcpiHid, DeviceInfo, Special, Uid, Variety};
pub use error::{Error, Fault};
pub use ivhd::{Attributes, Ivhd, IvhdFlags};
pub use ivmd::Region;

use ivmd::Ivmd;
use reader::{Items, Reader, Take};

/// Bytes of the header, with IVinfo and the reserved bytes behind it.
const HEADER: usize = 48;

/// More IOMMUs than any machine has; keeps the search for duplicates short.
const MAX_IOMMUS: usize = 256;

bitfield! {
    /// IVinfo: what all IOMMUs of the machine have in common.
    pub struct IvInfo(u32) {
        /// EFRSup: IVHD blocks have a copy of the feature register.
        0:0 efr_sup: bool;
        /// GVASize: width of guest virtual addresses, 2 for 48 bits.
        7:5 gva_size: u8;
        /// PASize: width of physical addresses in bits.
        14:8 pa_size: u8;
        /// VASize: width of virtual addresses in bits.
        21:15 va_size: u8;
    }
}

/// A table that is, or once was, found correct.
#[derive(Clone, Copy, Debug)]
pub struct Ivrs<'a> {
    info: IvInfo,
    ivhd_type: u8,
    blocks: Reader<'a>,
}

/// One block of the table.
enum Block<'a> {
    Ivhd(Ivhd<'a>),
    Ivmd(Ivmd),
    Unknown,
}

impl<'a> Take<'a> for Block<'a> {
    fn take(rest: Reader<'a>) -> Result<(Self, Reader<'a>), Error> {
        /// Type, flags and length.
        const HEADER: usize = 4;

        let len = usize::from(
            rest.u16(2)
                .map_err(|e| e.because(Fault::BlockHeaderPastEnd))?,
        );
        if len < HEADER {
            return Err(rest.error(Fault::BlockTooShort(len)));
        }
        let (block, rest) = rest
            .split(len)
            .map_err(|e| e.because(Fault::BlockPastEnd(len)))?;

        Ok((Self::decode(block)?, rest))
    }
}

impl<'a> Block<'a> {
    fn decode(block: Reader<'a>) -> Result<Self, Error> {
        let known = match block.u8(0)? {
            0x10 | 0x11 | 0x40 => Self::Ivhd(Ivhd::decode(block)?),
            0x20..=0x22 => Self::Ivmd(Ivmd::decode(block)?),
            _ => Self::Unknown,
        };

        Ok(known)
    }

    /// Checks what decoding does not.
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Ivhd(ivhd) => ivhd.check(),
            Self::Ivmd(_) | Self::Unknown => Ok(()),
        }
    }
}

impl<'a> Ivrs<'a> {
    /// A block type that no IOMMU has.
    const NO_TYPE: u8 = 0;

    /// Checks the table in `bytes`, which may be longer than the table.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, and where.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let table = Self::table(Reader::new(bytes))?;
        Self::check_header(table)?;
        let ivrs = Self::decode(table)?;

        for block in Items::<Block<'a>>::new(ivrs.blocks) {
            block?.check()?;
        }
        ivrs.check_iommus()?;

        Ok(ivrs)
    }

    /// Reads a table that [`Ivrs::parse`] has accepted, at the cost of a walk over its blocks.
    ///
    /// For any other bytes the answers mean nothing, and may end early.
    pub fn trusted(bytes: &'a [u8]) -> Self {
        Self::table(Reader::new(bytes))
            .and_then(Self::decode)
            .unwrap_or(Self {
                info: IvInfo::default(),
                ivhd_type: Self::NO_TYPE,
                blocks: Reader::new(&[]),
            })
    }

    /// What all IOMMUs of the machine have in common.
    pub fn info(&self) -> IvInfo {
        self.info
    }

    /// The IOMMUs of the machine.
    ///
    /// Firmware describes each one several times, in block types of growing ability. One type
    /// serves for all: the last one that describes the first IOMMU of the table.
    pub fn iommus(&self) -> impl Iterator<Item = Ivhd<'a>> + 'a {
        let ivhd_type = self.ivhd_type;

        self.ivhds()
            .filter(move |ivhd| ivhd.block_type == ivhd_type)
    }

    /// The memory regions with special needs that concern a device.
    pub fn memory(&self, segment: u16, devid: u16) -> impl Iterator<Item = Region> + 'a {
        self.known_blocks().filter_map(move |block| match block {
            Block::Ivmd(ivmd) => ivmd.region_for(segment, devid),
            _ => None,
        })
    }

    /// Cuts off what lies behind the table.
    fn table(bytes: Reader<'a>) -> Result<Reader<'a>, Error> {
        let len = usize::try_from(bytes.u32(4)?).map_err(|_| bytes.error(Fault::Truncated))?;
        let (table, _) = bytes.split(len)?;

        Ok(table)
    }

    fn check_header(table: Reader<'a>) -> Result<(), Error> {
        if table.len() < HEADER {
            return Err(table.error(Fault::HeaderTooShort(table.len())));
        }
        if table.array(0)? != *b"IVRS" {
            return Err(table.error(Fault::Signature));
        }
        match table.sum() {
            0 => Ok(()),
            sum => Err(table.error(Fault::Checksum(sum))),
        }
    }

    fn decode(table: Reader<'a>) -> Result<Self, Error> {
        let (_, blocks) = table.split(HEADER)?;
        let mut ivrs = Self {
            info: IvInfo(table.u32(36)?),
            ivhd_type: Self::NO_TYPE,
            blocks,
        };
        ivrs.ivhd_type = ivrs.choose_type();

        Ok(ivrs)
    }

    /// Every block of a known type; the table has been checked, so none is missing.
    fn known_blocks(&self) -> impl Iterator<Item = Block<'a>> + 'a {
        Items::new(self.blocks).map_while(Result::ok)
    }

    /// Every description of an IOMMU, whatever its type.
    fn ivhds(&self) -> impl Iterator<Item = Ivhd<'a>> + 'a {
        self.known_blocks().filter_map(|block| match block {
            Block::Ivhd(ivhd) => Some(ivhd),
            _ => None,
        })
    }

    fn choose_type(&self) -> u8 {
        let first = self.ivhds().next();
        let same = |ivhd: &Ivhd<'_>| first.as_ref().is_some_and(|first| first.same_iommu(ivhd));

        self.ivhds()
            .filter(same)
            .last()
            .map_or(Self::NO_TYPE, |ivhd| ivhd.block_type)
    }

    fn check_iommus(&self) -> Result<(), Error> {
        if self.iommus().next().is_none() {
            return Err(self.blocks.error(Fault::NoIommu));
        }
        for (index, ivhd) in self.iommus().enumerate() {
            if index >= MAX_IOMMUS {
                return Err(ivhd.error(Fault::TooManyIommus));
            }
            if self
                .iommus()
                .take(index)
                .any(|other| ivhd.conflicts(&other))
            {
                return Err(ivhd.error(Fault::DuplicateIommu));
            }
        }

        Ok(())
    }
}
