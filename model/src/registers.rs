// SPDX-License-Identifier: GPL-2.0

//! The MMIO registers: their state, and what the other parts ask of it.
//!
//! The `map` says which registers there are. `access` turns an access of the processor into a
//! read or write of one of them; `write` holds the effects of writes; [`status`] raises
//! interrupts.

pub mod control;
pub mod ring;
pub mod status;

mod access;
mod map;
mod write;

use crate::bits::{bit, field, mask};
use crate::config::Config;

use control::Control;
use ring::Ring;
use status::Status;

pub use access::WINDOW;
pub use map::{name, OTHER};

/// Size of a device-table entry in bytes.
const ENTRY_BYTES: u64 = 32;

/// Registers that hold state.
#[derive(Debug)]
pub struct Registers {
    pub(crate) control: Control,
    pub(crate) command: Ring,
    pub(crate) event: Ring,
    pub(crate) status: Status,
    /// Device table base, and the bases of segments 1 to 7.
    device_table: [u64; 8],
    /// Exclusion base and limit, without the ones that the limit reads back.
    exclusion: [u64; 2],
    /// Hardware event upper, lower and status.
    hardware_error: [u64; 3],
}

/// The exclusion range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exclusion {
    /// First address.
    pub(crate) start: u64,
    /// Last address.
    pub(crate) last: u64,
    /// Every device is excluded, not only those whose entry has EX set.
    pub(crate) allow: bool,
}

impl Registers {
    /// Registers after power-on.
    pub fn new(_config: &Config) -> Self {
        Registers {
            control: Control(0),
            command: Ring::default(),
            event: Ring::default(),
            status: Status(0),
            device_table: [0; 8],
            exclusion: [0; 2],
            hardware_error: [0; 3],
        }
    }

    /// Where the entry of a requester is; `None` if it lies beyond the table or its segment.
    ///
    /// With segments on, the top bits of the requester ID choose the segment register and the
    /// rest index its table (hardware.md 3.9).
    pub(crate) fn device_entry_address(&self, requester: u16) -> Option<u64> {
        let index_bits = 16 - u32::from(self.control.segments());
        let requester = u32::from(requester);
        let register = *self.device_table.get((requester >> index_bits) as usize)?;
        let offset = (u64::from(requester) & ((1 << index_bits) - 1)) * ENTRY_BYTES;
        let bytes = (field(register, 8, 0) + 1) << 12;
        (offset < bytes).then_some((register & mask(51, 12)) + offset)
    }

    /// The exclusion range, if it is enabled and not empty.
    pub(crate) fn exclusion(&self) -> Option<Exclusion> {
        let [base, limit] = self.exclusion;
        let range = Exclusion {
            start: base & mask(51, 12),
            last: limit | mask(11, 0),
            allow: bit(base, 1),
        };
        (bit(base, 0) && range.start <= range.last).then_some(range)
    }
}

#[cfg(test)]
mod tests;
