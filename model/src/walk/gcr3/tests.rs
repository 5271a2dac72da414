// SPDX-License-Identifier: GPL-2.0

//! What is kept of a GCR3 table that lies in a guest's memory.

use crate::config::{Config, Features};
use crate::device_table::{GuestTable, HostTable};
use crate::system::{Abort, Interrupt, System};
use crate::walk::tables::{Guest, Host, Live, Settings, Walk};
use crate::Iommu;

/// Quadwords and where they are; what is not there aborts.
const MEMORY: [(u64, u64); 4] = [
    // The host table, of one level: guest pages 3 and 4.
    (0x20_0018, 0x6000_0000_0000_7001),
    (0x20_0020, 0x6000_0000_0000_8001),
    // The GCR3 table, of two levels: PASID 345h.
    (0x7008, 0x4001),
    (0x8a28, 0x5001),
];

struct Memory;

impl System for Memory {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort> {
        let found = MEMORY.iter().find(|(at, _)| *at == address).ok_or(Abort)?;
        buffer.copy_from_slice(&found.1.to_le_bytes());
        Ok(())
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Abort> {
        Err(Abort)
    }
    fn compare_exchange(&mut self, _: u64, _: u64, _: u64) -> Result<u64, Abort> {
        Err(Abort)
    }
    fn interrupt(&mut self, _: Interrupt) {}
    fn now(&self) -> u64 {
        0
    }
    fn wake(&mut self, _: u64) {}
}

const GUEST: Guest = Guest {
    host: Host {
        domain: 7,
        table: Some(HostTable {
            root: 0x20_0000,
            levels: 1,
        }),
        had: 0,
    },
    table: GuestTable {
        pointer: 0x3000,
        glx: 1,
        levels: 4,
    },
    pasid: 0x345,
};

/// The eight bytes of the entry for the PASID itself, where the guest has put them.
#[test]
fn a_root_is_kept_with_the_guest_physical_address_of_its_entry() -> Result<(), &'static str> {
    let mut iommu = Iommu::new(Config::new(Features::genoa())).map_err(|_| "no such part")?;
    let mut settings = Settings::of(&iommu);
    settings.gcr3_pointer_nested = true;
    let mut walk = Walk {
        system: &mut Memory,
        settings,
        live: Some(Live {
            caches: &mut iommu.caches,
            counters: &mut iommu.counters,
            referee: &mut iommu.referee,
            requester: 0x300,
            missed: false,
        }),
        watch: None,
    };
    let found = walk.guest_root(&GUEST);
    assert_eq!(
        found.map(|(table, known)| (table.address, known)).ok(),
        Some((0x5000, false))
    );
    let kept = iommu.caches.roots.find(&GUEST.tag());
    let kept = kept.map(|root| (root.address, root.through));
    assert_eq!(kept, Some((0x5000, Some((0x4a28, 0x4a2f)))));
    Ok(())
}
