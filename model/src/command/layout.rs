// SPDX-License-Identifier: GPL-2.0

//! The layout of commands in memory (hardware.md 3.4): fields and reserved bits.

use crate::bits::{bit, field, mask};
use crate::command::Pages;
use crate::config::{Readings, ResetAllBit};

/// The two 64-bit halves of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    q0: u64,
    q1: u64,
}

/// The opcode field, legal in every command.
const OPCODE: u64 = mask(63, 60);

impl Layout {
    pub(super) fn new([dw0, dw1, dw2, dw3]: [u32; 4]) -> Self {
        Layout {
            q0: u64::from(dw0) | (u64::from(dw1) << 32),
            q1: u64::from(dw2) | (u64::from(dw3) << 32),
        }
    }

    pub(super) fn opcode(self) -> u8 {
        field(self.q0, 63, 60) as u8
    }

    /// Whether a bit is set that the opcode does not define.
    pub(super) fn has_reserved(self, readings: &Readings) -> bool {
        let (q0, q1) = legal(self.opcode(), readings);
        self.q0 & !q0 != 0 || self.q1 & !q1 != 0
    }

    /// Where COMPLETION_WAIT stores, and what, if s is set.
    pub(super) fn store(self) -> Option<(u64, u64)> {
        bit(self.q0, 0).then_some((self.q0 & mask(51, 3), self.q1))
    }

    /// i of COMPLETION_WAIT.
    pub(super) fn interrupt(self) -> bool {
        bit(self.q0, 1)
    }

    /// The requester ID of those commands that have one, the guest ID of RESET_VMMIO.
    pub(super) fn low_id(self) -> u16 {
        field(self.q0, 15, 0) as u16
    }

    /// The DomainID of INVALIDATE_IOMMU_PAGES, the guest ID of INSERT_GUEST_EVENT.
    pub(super) fn high_id(self) -> u16 {
        field(self.q0, 47, 32) as u16
    }

    /// The PASID of INVALIDATE_IOMMU_PAGES, if GN is set.
    pub(super) fn iommu_pasid(self) -> Option<u32> {
        self.guest().then_some(field(self.q0, 19, 0) as u32)
    }

    /// The PASID of INVALIDATE_IOTLB_PAGES, in three parts, if GN is set.
    pub(super) fn iotlb_pasid(self) -> Option<u32> {
        let pasid =
            (field(self.q0, 59, 56) << 16) | (field(self.q0, 23, 16) << 8) | field(self.q0, 55, 48);
        self.guest().then_some(pasid as u32)
    }

    /// GN.
    fn guest(self) -> bool {
        bit(self.q1, 2)
    }

    /// PDE.
    pub(super) fn directories(self) -> bool {
        bit(self.q1, 1)
    }

    pub(super) fn pages(self) -> Pages {
        Pages::decode(self.q1 & mask(63, 12), bit(self.q1, 0))
    }

    /// All of RESET_VMMIO.
    pub(super) fn reset_all(self, readings: &Readings) -> bool {
        self.q0 & all_bit(readings) != 0
    }

    /// vCmd of RESET_VMMIO.
    pub(super) fn reset_command(self) -> bool {
        bit(self.q0, 31)
    }
}

/// The bits of both halves that an opcode defines.
fn legal(opcode: u8, readings: &Readings) -> (u64, u64) {
    let (q0, q1) = match opcode {
        1 => (mask(51, 0), u64::MAX),
        2 | 5 => (mask(15, 0), 0),
        3 => (mask(47, 32) | mask(19, 0), mask(63, 12) | mask(2, 0)),
        // The Type field, q1[5:4], is not among the bits that the sources call reserved on a part
        // without it.
        4 => (
            u64::MAX,
            mask(63, 12) | mask(5, 4) | mask(2, 2) | mask(0, 0),
        ),
        9 => (mask(47, 32), 0),
        0xa => (mask(31, 31) | all_bit(readings) | mask(15, 0), 0),
        _ => (0, 0),
    };
    (q0 | OPCODE, q1)
}

/// OQ-8: the bit of RESET_VMMIO that means All.
fn all_bit(readings: &Readings) -> u64 {
    match readings.reset_all_bit {
        ResetAllBit::Bit28 => 1 << 28,
        ResetAllBit::Bit27 => 1 << 27,
    }
}
