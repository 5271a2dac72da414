// SPDX-License-Identifier: GPL-2.0

//! The Device ID and Domain ID maps of a guest (hardware.md 5.3). They lie in the private address
//! space; the hardware writes an entry when software writes a map register, and reads one for each
//! ID in a command of the guest.
//!
//! Of the entries only hDevID at 39:24 of a device entry is known. Private to this model are: bit
//! 0 says that the entry is valid, so that a fresh table maps nothing; a domain entry has hDomID
//! at 39:24 as well; the second quadword of a device entry is 0 (OQ-23). No entry depends on the
//! guest ID.

use super::control::Register;
use super::memory::{Fault, Space};
use super::Part;
use crate::bits::{bit, field, with_field};
use crate::config::MapClear;
use crate::system::System;
use crate::Iommu;

/// One of the two maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// gDevID to hDevID, 16 bytes for each.
    Device,
    /// gDomID to hDomID, 8 bytes for each.
    Domain,
}

impl Map {
    /// The register that changes it.
    pub fn register(self) -> Register {
        match self {
            Map::Device => Register::DeviceMap,
            Map::Domain => Register::DomainMap,
        }
    }

    /// log2 of the size of an entry.
    fn entry_shift(self) -> u32 {
        match self {
            Map::Device => 4,
            Map::Domain => 3,
        }
    }

    /// Size of an entry in bytes.
    pub fn entry_size(self) -> usize {
        1 << self.entry_shift()
    }

    /// Pages of 4 KiB in the map of a guest.
    pub fn pages(self) -> u64 {
        1 << (4 + self.entry_shift())
    }

    /// Private address of the map of a guest: 65536 entries.
    pub fn table(self, gid: u16) -> u64 {
        let base = match self {
            Map::Device => 0x10_0000_0000,
            Map::Domain => 0x20_0000_0000,
        };
        base | (u64::from(gid) << (16 + self.entry_shift()))
    }

    /// Private address of an entry.
    pub fn entry(self, gid: u16, id: u16) -> u64 {
        self.table(gid) | (u64::from(id) << self.entry_shift())
    }
}

/// First quadword of an entry.
fn encode(host: u64, valid: bool) -> u64 {
    with_field(u64::from(valid), 39, 24, host)
}

/// The ID that an entry leads to.
pub(super) fn decode(entry: u64) -> Option<u16> {
    bit(entry, 0).then_some(field(entry, 39, 24) as u16)
}

impl Iommu {
    /// Writes the entry that a map register named (OQ-20).
    pub(super) fn update_map(&mut self, system: &mut dyn System, gid: u16, map: Map, value: u64) {
        let id = field(value, 61, 46) as u16;
        let valid = bit(value, 0) || self.config.readings.map_clear == MapClear::Ignored;
        let quadword = encode(field(value, 29, 14), valid).to_le_bytes();
        let mut bytes = [0; 16];
        for (byte, new) in bytes.iter_mut().zip(quadword) {
            *byte = new;
        }
        let place = (Space::Private, map.entry(gid, id));
        let entry = bytes.get(..map.entry_size()).unwrap_or(&bytes);
        if let Err(fault) = self.engine_write(system, gid, place, entry) {
            self.report_fault(system, gid, Part::Commands, &fault);
        }
    }

    /// The host's ID for one of a guest, if the entry is valid.
    pub(super) fn look_up(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        map: Map,
        id: u16,
    ) -> Result<Option<u16>, Fault> {
        let mut bytes = [0; 8];
        let place = (Space::Private, map.entry(gid, id));
        self.engine_read(system, gid, place, &mut bytes)?;
        Ok(decode(u64::from_le_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_lie_where_the_worked_examples_say() {
        assert_eq!(Map::Device.entry(1, 0x108), 0x10_0010_1080);
        assert_eq!(Map::Device.entry(0xffff, 0xffff), 0x1f_ffff_fff0);
        assert_eq!(Map::Domain.entry(0x7fff, 5), 0x23_fff8_0028);
        assert_eq!(Map::Device.table(0x7fff), 0x17_fff0_0000);
        assert_eq!(Map::Domain.table(0xffff), 0x27_fff8_0000);
    }

    #[test]
    fn only_a_valid_entry_leads_to_an_id() {
        assert_eq!(encode(0x300, true), (0x300 << 24) | 1);
        assert_eq!(decode(encode(0xabcd, true)), Some(0xabcd));
        assert_eq!(decode(encode(0xabcd, false)), None);
        assert_eq!(decode(0), None);
    }
}
