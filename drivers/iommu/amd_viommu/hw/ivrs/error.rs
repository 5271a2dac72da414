// SPDX-License-Identifier: GPL-2.0

//! Why a table is refused.

use core::fmt::{self, Display, Formatter};

/// What is wrong with a table, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Offset of the block or entry, in bytes from the start of the table.
    pub offset: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There are fewer bytes than the table says it has.
    Truncated,
    /// It is another table.
    Signature,
    /// The table says it has this many bytes, too few for its header.
    HeaderTooShort(usize),
    /// The bytes add up to this instead of 0.
    Checksum(u8),
    /// The header of a block does not fit into the rest of the table.
    BlockHeaderPastEnd,
    /// A block says it has this many bytes, too few for one of its type.
    BlockTooShort(usize),
    /// A block says it has this many bytes, but the table ends before.
    BlockPastEnd(usize),
    /// A device entry of this type does not fit into the rest of its block.
    EntryPastEnd(u8),
    /// A range of devices has a start, but the next entry is not its end.
    RangeWithoutEnd,
    /// A range of devices has an end, but the entry before is not its start.
    RangeWithoutStart,
    /// A range of devices ends before it starts.
    RangeReversed,
    /// The unique ID of an ACPI device has a length that does not fit its format.
    UniqueId,
    /// An IOMMU has its registers at an address that is zero or not aligned.
    MmioBase(u64),
    /// An IOMMU has its capability block at an offset that is not possible.
    CapOffset(u16),
    /// Two IOMMUs are the same PCI function, or have the same registers.
    DuplicateIommu,
    /// There are more IOMMUs than there can be.
    TooManyIommus,
    /// There is no IOMMU in a block of a known type.
    NoIommu,
    /// A memory region is empty.
    MemoryEmpty,
    /// A memory region ends outside the physical address space.
    MemoryPastEnd,
}

impl Error {
    /// The same place with a reason that tells more.
    pub(super) fn because(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {})", self.fault, self.offset)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeaderTooShort(len) => {
                return write!(f, "the table length {len} is less than the header has")
            }
            Self::Checksum(sum) => {
                return write!(f, "the checksum is wrong, the sum is {sum:#04x}")
            }
            Self::BlockTooShort(len) => {
                return write!(f, "the block length {len} is too small for its type")
            }
            Self::BlockPastEnd(len) => {
                return write!(f, "the block of {len} bytes ends past the end of the table")
            }
            Self::EntryPastEnd(kind) => {
                return write!(
                    f,
                    "the device entry of type {kind:#04x} ends past its block"
                )
            }
            Self::MmioBase(base) => {
                return write!(f, "the register base {base:#x} is not possible")
            }
            Self::CapOffset(offset) => {
                return write!(f, "the capability offset {offset:#x} is not possible")
            }
            Self::Truncated => "the table is longer than the memory that holds it",
            Self::Signature => "the signature is not IVRS",
            Self::BlockHeaderPastEnd => "the table ends in the middle of a block header",
            Self::RangeWithoutEnd => "a device range is not followed by its end",
            Self::RangeWithoutStart => "a device range has no start",
            Self::RangeReversed => "a device range ends before it starts",
            Self::UniqueId => "a unique ID has a length that does not fit its format",
            Self::DuplicateIommu => "an IOMMU is described twice",
            Self::TooManyIommus => "there are too many IOMMUs",
            Self::NoIommu => "there is no IOMMU in a block of a known type",
            Self::MemoryEmpty => "a memory region is empty",
            Self::MemoryPastEnd => "a memory region ends outside the physical address space",
        })
    }
}
