// SPDX-License-Identifier: GPL-2.0

//! External interrupts: those of a guest's IOMMU (hardware reference 6.4).
//!
//! The hardware raises them as if the IOMMU itself were a device with 2^18 interrupts, four for each
//! guest. The interrupt table in the IOMMU's own entry has two levels therefore: the first, which is
//! there as a whole, and tables for 256 guests each, which are made when one of these is.

use super::vfctrl::{CmdControl, EvtControl};
use crate::interrupt::{Irte128, Length};
use crate::regs::Status;

/// Size of the first level.
pub const FIRST_BYTES: usize = Length::EXTERNAL.entries() * FIRST_ENTRY;

/// Size of a table of the second level.
pub const SECOND_BYTES: usize = SECOND_ENTRIES * size_of::<Irte128>();

const FIRST_ENTRY: usize = 8;

/// The interrupt ID has 8 bits for a table of the second level.
const SECOND_BITS: u8 = 8;

const SECOND_ENTRIES: usize = 1 << SECOND_BITS;

/// Which interrupt of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Its event log has an event or has overflowed, or a COMPLETION_WAIT asks for it.
    Events,
    /// Its page request log has a request.
    PageRequests,
}

/// An external interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalId(u32);

impl ExternalId {
    /// An interrupt of a guest.
    pub fn new(source: Source, gid: u16) -> Self {
        let kind: u32 = match source {
            Source::Events => 0,
            Source::PageRequests => 1,
        };
        Self((kind << 16) | u32::from(gid))
    }

    /// The ID as a number of 18 bits.
    pub fn id(self) -> u32 {
        self.0
    }

    /// Which table of the second level it is in: index of the first.
    pub fn table(self) -> usize {
        (self.0 >> SECOND_BITS) as usize
    }

    /// Where the entry of that table is in the first level.
    pub fn first_offset(self) -> usize {
        self.table() * FIRST_ENTRY
    }

    /// Where its entry is in the table of the second level.
    pub fn second_offset(self) -> usize {
        self.0 as usize % SECOND_ENTRIES * size_of::<Irte128>()
    }
}

bitfield! {
    /// An entry of the first level.
    pub struct FirstEntry(u64) {
        /// Valid.
        0:0 valid, with_valid: bool;
        /// Number of entries of the table, as a power of two.
        5:2 length, with_length: u8;
        /// Address bits 51:6 of the table.
        51:6 table, with_table: u64;
    }
}

impl FirstEntry {
    /// Names a table of the second level at `phys`, which includes the encryption bit if there is one.
    ///
    /// Returns `None` if the entry cannot hold the address.
    pub fn naming(phys: u64) -> Option<Self> {
        let entry = Self::default()
            .with_valid(true)
            .with_length(SECOND_BITS)
            .with_table(phys >> 6);
        (entry.table() << 6 == phys).then_some(entry)
    }
}

/// The reasons for an interrupt that a guest has not acknowledged. The hardware raises one when such a bit
/// becomes set while its enable is (OQ-36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasons {
    events: bool,
    waits: bool,
}

impl Reasons {
    /// Those in the status of the guest's VF page; `None` if there are none.
    pub fn of(status: Status) -> Option<Self> {
        let events = status.event_overflow() || status.event_log_int();
        let waits = status.com_wait_int();
        (events || waits).then_some(Self { events, waits })
    }

    /// Whether the guest has enabled interrupts for one of them.
    pub fn are_enabled(self, commands: CmdControl, log: EvtControl) -> bool {
        self.events && log.event_int_en() || self.waits && commands.com_wait_int_en()
    }
}

/// Which of `vectors` host vectors the interrupts of a guest come by. There are few, so that many guests
/// share one. IDs are given out in order, which spreads them evenly.
pub fn vector_of(gid: u16, vectors: usize) -> usize {
    match vectors {
        0 => 0,
        _ => usize::from(gid) % vectors,
    }
}
