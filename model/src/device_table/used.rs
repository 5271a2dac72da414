// SPDX-License-Identifier: GPL-2.0

//! Which bits of an entry decide over a request.
//!
//! The referee compares entries by these alone: software may fill in what is not looked at in
//! any order.

use crate::bits::mask;
use crate::device_table::DeviceEntry;

/// The half of an entry that a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// q0 and q1, with the guest's fields of q2 and q3: memory requests.
    Memory,
    /// q2: interrupts.
    Interrupt,
}

const V: u64 = 1;
const TV: u64 = 1 << 1;
/// IR and IW.
const RIGHTS: u64 = mask(62, 61);
/// HAD, HostTRP.
const HOST: u64 = mask(8, 7) | mask(51, 12);
const MODE: u64 = mask(11, 9);
const GV: u64 = 1 << 55;
/// GIOV, GLX and the pointer bits 14:12.
const GUEST_Q0: u64 = mask(54, 54) | mask(60, 56);
/// DomainID, SE, SA, EX.
const DOMAIN: u64 = mask(15, 0) | mask(34, 33) | mask(39, 39);
const GUEST_Q1: u64 = mask(31, 16) | mask(63, 43);
const GUEST_PAGING_MODE: u64 = mask(55, 54);
/// IV, IntTabLen, IG, IntTRP, the pass bits and IntCtl.
const INTERRUPT: u64 = mask(51, 0) | mask(58, 56) | mask(63, 60);
const VIOMMU_ENABLE: u64 = 1 << 15;
/// vImuEn, GDeviceID, GuestID.
const VIOMMU: u64 = mask(47, 15);

impl DeviceEntry {
    /// Bits of the quadwords that decide over a request that uses `half`.
    pub fn used(&self, half: Half) -> [u64; 4] {
        match half {
            Half::Interrupt if self.interrupts_valid() => [0, 0, INTERRUPT, 0],
            Half::Interrupt => [0, 0, 1, 0],
            Half::Memory if !self.valid() => [V, 0, 0, 0],
            Half::Memory if !self.translation_valid() => [V | TV, 0, 0, 0],
            Half::Memory if self.blocks() => [V | TV | RIGHTS, 0, 0, 0],
            Half::Memory => self.used_to_translate(),
        }
    }

    fn used_to_translate(&self) -> [u64; 4] {
        let mut used = [V | TV | RIGHTS | MODE | GV, DOMAIN, 0, VIOMMU];
        let [q0, q1, q2, q3] = &mut used;
        if self.mode() != 0 {
            *q0 |= HOST;
        }
        if self.guest_valid() {
            *q0 |= GUEST_Q0;
            *q1 |= GUEST_Q1;
            *q2 |= GUEST_PAGING_MODE;
        }
        if !self.viommu_enabled() {
            *q3 = VIOMMU_ENABLE;
        }
        used
    }

    /// Whether this entry, which is valid, lets no memory request through.
    pub(crate) fn blocks(&self) -> bool {
        let rights = self.read_allowed() || self.write_allowed();
        self.valid() && !(self.translation_valid() && rights)
    }

    /// Whether a request that used this entry would have met the same in `other`.
    pub fn agrees_with(&self, other: &DeviceEntry, half: Half) -> bool {
        self.agrees_in(other, self.used(half))
    }

    /// Whether a request could go the same way by this entry and by `other`.
    ///
    /// vImuEn and its IDs do not count: they say to whom a fault is told. Linux writes q3 before
    /// q0 and q1 when it switches translation on, and after them when it switches it off
    /// (hardware.md 3.3), so that a request meets the IDs of one entry with the table of another.
    pub(crate) fn leads_as(&self, other: &DeviceEntry, half: Half) -> bool {
        let [q0, q1, q2, _] = self.used(half);
        self.agrees_in(other, [q0, q1, q2, 0])
    }

    fn agrees_in(&self, other: &DeviceEntry, bits: [u64; 4]) -> bool {
        let pairs = self.0.iter().zip(other.0);
        pairs
            .zip(bits)
            .all(|((mine, theirs), used)| (mine ^ theirs) & used == 0)
    }
}
