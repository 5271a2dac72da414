// SPDX-License-Identifier: GPL-2.0

//! What a command says, and which commands are legal.

use crate::command::layout::Layout;
use crate::command::Pages;
use crate::config::{Features, GuestInvalidateAll, Readings};

/// A command whose reserved bits and opcode have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opcode 1.
    CompletionWait {
        /// Address and value to store, if `s` is set.
        store: Option<(u64, u64)>,
        /// Whether `i` is set.
        interrupt: bool,
    },
    /// Opcode 2.
    InvalidateDevtabEntry {
        /// Requester ID.
        device: u16,
    },
    /// Opcode 3.
    InvalidateIommuPages {
        /// DomainID.
        domain: u16,
        /// PASID, if GN is set.
        pasid: Option<u32>,
        /// Range of addresses.
        pages: Pages,
        /// Directory entries go as well.
        directories: bool,
    },
    /// Opcode 4.
    InvalidateIotlbPages {
        /// Requester ID.
        device: u16,
        /// PASID, if GN is set.
        pasid: Option<u32>,
        /// Range of addresses.
        pages: Pages,
    },
    /// Opcode 5.
    InvalidateInterruptTable {
        /// Requester ID.
        device: u16,
    },
    /// Opcode 8.
    InvalidateIommuAll,
    /// Opcode 9.
    InsertGuestEvent {
        /// Guest ID.
        gid: u16,
    },
    /// Opcode Ah.
    ResetVmmio {
        /// Guest ID.
        gid: u16,
        /// All engines.
        all: bool,
        /// The command engine.
        command: bool,
    },
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illegal {
    /// No such opcode, or none that this part, or this source, may use.
    Opcode(u8),
    /// A reserved bit is set.
    Reserved,
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The host's ring.
    Host,
    /// A guest's ring: commands of the host are illegal.
    Guest,
}

impl Command {
    /// Decodes the four words of a command and checks its reserved bits.
    ///
    /// # Errors
    ///
    /// [`Illegal`]: the caller logs ILLEGAL_COMMAND_ERROR.
    pub fn decode(
        words: [u32; 4],
        features: &Features,
        readings: &Readings,
        source: Source,
    ) -> Result<Self, Illegal> {
        let layout = Layout::new(words);
        let opcode = layout.opcode();
        if !is_available(opcode, features, readings, source) {
            return Err(Illegal::Opcode(opcode));
        }
        if layout.has_reserved(readings) {
            return Err(Illegal::Reserved);
        }
        Self::of(layout, readings).ok_or(Illegal::Opcode(opcode))
    }

    fn of(layout: Layout, readings: &Readings) -> Option<Self> {
        Some(match layout.opcode() {
            1 => Command::CompletionWait {
                store: layout.store(),
                interrupt: layout.interrupt(),
            },
            2 => Command::InvalidateDevtabEntry {
                device: layout.low_id(),
            },
            3 => Command::InvalidateIommuPages {
                domain: layout.high_id(),
                pasid: layout.iommu_pasid(),
                pages: layout.pages(),
                directories: layout.directories(),
            },
            4 => Command::InvalidateIotlbPages {
                device: layout.low_id(),
                pasid: layout.iotlb_pasid(),
                pages: layout.pages(),
            },
            5 => Command::InvalidateInterruptTable {
                device: layout.low_id(),
            },
            8 => Command::InvalidateIommuAll,
            9 => Command::InsertGuestEvent {
                gid: layout.high_id(),
            },
            0xa => Command::ResetVmmio {
                gid: layout.low_id(),
                all: layout.reset_all(readings),
                command: layout.reset_command(),
            },
            _ => return None,
        })
    }

    /// The opcode.
    pub const fn opcode(&self) -> u8 {
        match self {
            Command::CompletionWait { .. } => 1,
            Command::InvalidateDevtabEntry { .. } => 2,
            Command::InvalidateIommuPages { .. } => 3,
            Command::InvalidateIotlbPages { .. } => 4,
            Command::InvalidateInterruptTable { .. } => 5,
            Command::InvalidateIommuAll => 8,
            Command::InsertGuestEvent { .. } => 9,
            Command::ResetVmmio { .. } => 0xa,
        }
    }
}

/// Whether this source may use an opcode on a part with these features. PREFETCH_IOMMU_PAGES (6)
/// and COMPLETE_PPR_REQUEST (7) belong to features that no configuration can announce.
fn is_available(opcode: u8, features: &Features, readings: &Readings, source: Source) -> bool {
    let host = source == Source::Host;
    match opcode {
        1 | 2 | 3 | 5 => true,
        4 => features.iotlb,
        8 => features.invalidate_all() && (host || guests_may_invalidate_all(readings)),
        9 | 0xa => host && features.viommu(),
        _ => false,
    }
}

/// OQ-11.
fn guests_may_invalidate_all(readings: &Readings) -> bool {
    readings.guest_invalidate_all == GuestInvalidateAll::OwnOnly
}
