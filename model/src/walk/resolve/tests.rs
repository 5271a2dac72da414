// SPDX-License-Identifier: GPL-2.0

//! Addresses of the IOMMU itself, on a few quadwords of memory.

use alloc::collections::BTreeMap;

use super::Unresolved;
use crate::config::Features;
use crate::{Abort, Config, Interrupt, Iommu, System};

/// Memory of quadwords; what is not there aborts.
struct Memory(BTreeMap<u64, u64>);

impl System for Memory {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort> {
        for (at, chunk) in (address..).step_by(8).zip(buffer.chunks_exact_mut(8)) {
            chunk.copy_from_slice(&self.0.get(&at).ok_or(Abort)?.to_le_bytes());
        }
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

const TABLE: u64 = 0x10_0000;
const ROOT: u64 = 0x20_0000;
/// V, TV, Mode 1, IR, IW.
const GOOD: u64 = 0x6000_0000_0020_0203;

/// Resolves through requester 2, whose entry begins with `q0`.
fn resolve(q0: u64, address: u64, write: bool) -> Result<u64, Unresolved> {
    let mut memory = Memory(BTreeMap::from([
        (TABLE + 0x40, q0),
        (TABLE + 0x48, 0x20),
        (TABLE + 0x50, 0),
        (TABLE + 0x58, 0),
        (ROOT, 0x6000_0000_0000_7001),
        (ROOT + 8, 0x2000_0000_0000_8001),
        (ROOT + 16, 0),
        (ROOT + 24, 0x6010_0000_0000_9001),
        (ROOT + 32, 0x6000_0000_0000_9401),
    ]));
    let Ok(mut iommu) = Iommu::new(Config::new(Features::genoa())) else {
        return Err(Unresolved::Failed);
    };
    iommu.mmio_write(&mut memory, 0, 8, TABLE | 0x1ff);
    let found = iommu.resolve_host(&mut memory, 2, address, write);
    assert_eq!(iommu.counters.walks.private, 1);
    assert_eq!(iommu.counters.events.len(), 0);
    found
}

#[test]
fn a_page_resolves_with_the_rights_that_it_has() {
    assert_eq!(resolve(GOOD, 0x123, false), Ok(0x7123));
    assert_eq!(resolve(GOOD, 0x123, true), Ok(0x7123));
    assert_eq!(resolve(GOOD, 0x1123, false), Ok(0x8123));
    assert_eq!(resolve(GOOD, 0x1123, true), Err(Unresolved::Permission));
}

#[test]
fn every_way_to_fail_has_its_name() {
    for (address, why) in [
        (0x2000, Unresolved::NotPresent),
        (1 << 21, Unresolved::NotPresent),
        (0x3000, Unresolved::BadTable),
        (0x4000, Unresolved::BadTable),
        (0x5000, Unresolved::Failed),
    ] {
        assert_eq!(resolve(GOOD, address, false), Err(why), "{address:x}");
    }
}

#[test]
fn the_entry_must_translate() {
    let (v, tv, ir, iw) = (1, 1 << 1, 1 << 61, 1 << 62);
    for q0 in [
        GOOD & !v,
        GOOD & !tv,
        GOOD & !(7 << 9),
        GOOD | 7 << 9,
        GOOD | 1 << 63,
        GOOD | 1 << 2,
    ] {
        for write in [false, true] {
            assert_eq!(resolve(q0, 0x123, write), Err(Unresolved::Entry), "{q0:x}");
        }
    }
    assert_eq!(resolve(GOOD & !ir, 0, false), Err(Unresolved::Permission));
    assert_eq!(resolve(GOOD & !ir, 0, true), Ok(0x7000));
    assert_eq!(resolve(GOOD & !iw, 0, true), Err(Unresolved::Permission));
    assert_eq!(resolve(GOOD & !iw, 0, false), Ok(0x7000));
}
