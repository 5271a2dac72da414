// SPDX-License-Identifier: GPL-2.0

//! Walks of host (v1) tables against hardware.md 4.1 and 10.8.

use amd_iommu_model::config::Features;
use amd_iommu_model::request::{Access, Translation};
use amd_iommu_model::{Answer, Config};

use crate::support::{event, tables, Bench, Dte, HostTables, Rights};

const DEVICE: u16 = 0x0300;
const VA: u64 = 0x7fff_1234_5678;

/// A device with an empty table of `levels`, on a part that has six.
fn start(levels: u8) -> (Bench, HostTables) {
    let mut features = Features::genoa();
    features.np_cache = false;
    let mut bench = Bench::on(Config::new(features));
    let table = HostTables::new(&mut bench.machine, levels);
    bench.install(DEVICE, &Dte::host(5, table.root, levels.into()));
    (bench, table)
}

/// Writes the entry that a walk to `address` meets in the table of `level`.
fn poke(bench: &mut Bench, table: &HostTables, address: u64, level: u8, value: u64) -> u64 {
    let at = table.entry(&mut bench.machine, address, level);
    bench.machine.poke(at, value);
    at
}

fn page_fault(bench: &mut Bench, address: u64, flags: u32) {
    let events = bench.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let words = events[0].0;
    assert_eq!(words[0], u32::from(DEVICE), "{events:?}");
    assert_eq!(words[1], 0x2000_0005 | flags, "{events:?}");
    assert_eq!(events[0].address(), address);
}

const PR: u32 = 1 << 20;
const RW: u32 = 1 << 21;
const PE: u32 = 1 << 22;
const RZ: u32 = 1 << 23;

/// The leaves W87 to W98 with the address that a walk to the last page of each gives.
#[test]
fn every_page_size_of_the_worked_examples_translates() {
    let cases = [
        (0x6000_0001_2345_6001, 1, 12, 0x1_2345_6000),
        (0x7000_0001_2345_6041, 1, 12, 0x1_2345_6000),
        (0x6000_0001_0000_2e01, 1, 13, 0x1_0000_2000),
        (0x6000_0001_0000_be01, 1, 15, 0x1_0000_8000),
        (0x6000_0001_0001_7e01, 1, 16, 0x1_0001_0000),
        (0x6000_0001_0017_fe01, 1, 20, 0x1_0010_0000),
        (0x6000_0001_0020_0001, 2, 21, 0x1_0020_0000),
        (0x6000_0001_005f_fe01, 2, 22, 0x1_0040_0000),
        (0x6000_0001_4000_0001, 3, 30, 0x1_4000_0000),
        (0x6000_0005_ffff_fe01, 3, 34, 0x4_0000_0000),
        (0x6000_0080_0000_0001, 4, 39, 0x80_0000_0000),
        (0x6001_0000_0000_0001, 5, 48, 0x1_0000_0000_0000_u64),
    ];
    for (value, level, shift, target) in cases {
        let (mut bench, table) = start(6);
        let size = 1u64 << shift;
        let va = (0x12_3456_7890_abcd & !(size - 1)) | (size - 0x988);
        poke(&mut bench, &table, va, level, value);
        let expected = Answer::Forward(Translation {
            address: target | (size - 0x988),
            size,
            read: true,
            write: true,
        });
        for round in ["walked", "cached"] {
            let answer = bench.dma(DEVICE, va, Access::ReadWrite, None);
            assert_eq!(answer, expected, "{value:x} {round}");
        }
    }
}

#[test]
fn the_largest_encoded_page_is_2_to_the_52() {
    let (mut bench, table) = start(6);
    poke(&mut bench, &table, VA, 5, 0x6007_ffff_ffff_fe01);
    let Answer::Forward(page) = bench.dma(DEVICE, VA, Access::Read, None) else {
        panic!("{:?}", bench.events());
    };
    assert_eq!((page.address, page.size), (VA, 1 << 52));
}

#[test]
fn bad_entries_fault_with_the_flags_of_their_class() {
    let rw = 3 << 61;
    // Level, entry, access is a write, flags of the event.
    let cases = [
        (1, 0, false, 0),
        (1, 0, true, RW),
        (1, rw, false, 0),
        // Reserved bits come before permissions, in leaves 58:52, in table entries 60:52.
        (1, 1 | 1 << 52, false, PR | RZ),
        (1, 1 | 1 << 58, true, PR | RZ | RW),
        (2, 1 | 1 << 55 | 7 << 9, false, PR | RZ),
        (2, rw | 1 | 1 << 9 | 1 << 59, false, PR | RZ),
        (2, rw | 1 | 1 << 9 | 1 << 60, false, PR | RZ),
        // Permissions come before sizes and levels.
        (1, 1 | 1 << 62, false, PR | PE),
        (1, 1 | 1 << 61, true, PR | PE | RW),
        (2, 1 | 1 << 9 | 1 << 61, true, PR | PE | RW),
        (2, 1 | 2 << 9 | 1 << 61, true, PR | PE | RW),
        (2, 1 | 7 << 9 | 1 << 62, false, PR | PE),
        // Encoded sizes at or beyond the defaults of the levels, and without a zero bit.
        (2, rw | 1 | 7 << 9, false, PR),
        (2, rw | 1 | 7 << 9 | 0xff << 12, false, PR),
        (2, rw | 1 | 7 << 9 | 0x1_ffff << 12, false, PR),
        (1, rw | 1 | 7 << 9 | 0xff << 12, false, PR),
        (5, rw | 1 | 7 << 9 | 0xff_ffff_ffff << 12, false, PR),
        // Level order, and no leaf at level 6.
        (2, rw | 1 | 2 << 9, false, PR),
        (2, rw | 1 | 6 << 9, false, PR),
        (6, rw | 1, false, PR),
        (6, rw | 1 | 6 << 9, false, PR),
    ];
    for (level, value, write, flags) in cases {
        let (mut bench, table) = start(6);
        poke(&mut bench, &table, VA, level, value);
        let access = if write { Access::Write } else { Access::Read };
        let answer = bench.dma(DEVICE, VA, access, None);
        assert_eq!(answer, Answer::Abort, "{level} {value:x}");
        page_fault(&mut bench, VA, flags);
    }
}

#[test]
fn ignored_bits_are_ignored() {
    let (mut bench, table) = start(3);
    let leaf = 0x6000_0001_2345_6001 | 1 << 63 | 0xf << 1 | 3 << 7 | 1 << 59 | 1 << 60;
    poke(&mut bench, &table, 0x1234_5678, 1, leaf);
    let at = table.entry(&mut bench.machine, 0x1234_5678, 2);
    let entry = bench.machine.peek(at);
    bench.machine.poke(at, entry | 1 << 63 | 0xf << 1 | 7 << 6);
    assert_eq!(
        bench.target(DEVICE, 0x1234_5678, Access::Write),
        Some(0x1_2345_6678)
    );
}

#[test]
fn skipped_levels_need_zero_address_bits() {
    // From level, to level, bits of the address that the skipped levels would have translated.
    for (from, to) in [(3, 1), (4, 1), (5, 2), (6, 1), (6, 4)] {
        let low = 12 + 9 * u32::from(to);
        let high = 12 + 9 * (u32::from(from) - 1);
        for bit in [low, high - 1] {
            let (mut bench, table) = start(6);
            let va = 0x1000_0000_0000_0000 >> (4 * u32::from(6 - from)) & !((1 << high) - 1);
            let upper = table.entry(&mut bench.machine, va, from);
            let lower = bench.machine.page();
            bench.machine.poke(upper, tables::v1_table(lower, to));
            let size = 1u64 << (12 + 9 * (to - 1));
            bench
                .machine
                .poke(lower, tables::v1_leaf(0, to, size, Rights::ALL));
            assert_eq!(
                bench.target(DEVICE, va | 0x123, Access::Read),
                Some(0x123),
                "{from} {to}"
            );
            assert_eq!(
                bench.target(DEVICE, va | 1 << bit, Access::Read),
                None,
                "{from} {to} {bit}"
            );
            page_fault(&mut bench, va | 1 << bit, PR);
        }
    }
}

#[test]
fn an_address_above_the_reach_of_mode_is_not_present() {
    for levels in 1..=6u8 {
        let (mut bench, table) = start(levels);
        let size = 1u64 << (12 + 9 * (u32::from(levels.min(3)) - 1));
        let reach = 12 + 9 * u32::from(levels);
        let inside = if reach < 64 {
            (1u64 << reach) - size
        } else {
            u64::MAX - size + 1
        };
        table.map(
            &mut bench.machine,
            inside,
            0x40_0000_0000,
            size,
            Rights::ALL,
        );
        assert_eq!(
            bench.target(DEVICE, inside, Access::Read),
            Some(0x40_0000_0000),
            "{levels}"
        );
        if reach < 64 {
            assert_eq!(
                bench.target(DEVICE, inside | 1 << reach, Access::Read),
                None
            );
            page_fault(&mut bench, inside | 1 << reach, 0);
        }
    }
}

#[test]
fn rights_are_those_of_the_entry_and_every_level() {
    for (level, bit) in [(1, 61), (1, 62), (2, 61), (3, 62), (0, 61), (0, 62)] {
        let (mut bench, table) = start(3);
        table.map(&mut bench.machine, 0x5000, 0x9000, 0x1000, Rights::ALL);
        if level == 0 {
            let mut entry = Dte::host(5, table.root, 3);
            (entry.ir, entry.iw) = (bit != 61, bit != 62);
            bench.install(DEVICE, &entry);
        } else {
            let at = table.entry(&mut bench.machine, 0x5000, level);
            let entry = bench.machine.peek(at);
            bench.machine.poke(at, entry & !(1 << bit));
        }
        let (good, bad, flags) = match bit {
            61 => (Access::Write, Access::Read, PR | PE),
            _ => (Access::Read, Access::Write, PR | PE | RW),
        };
        assert_eq!(bench.dma(DEVICE, 0x5000, bad, None), Answer::Abort);
        page_fault(&mut bench, 0x5000, flags);
        let Answer::Forward(page) = bench.dma(DEVICE, 0x5123, good, None) else {
            panic!("{level} {bit}");
        };
        assert_eq!((page.read, page.write), (bit != 61, bit != 62));
        // The same from the cache.
        assert_eq!(bench.dma(DEVICE, 0x5000, bad, None), Answer::Abort);
        page_fault(&mut bench, 0x5000, flags);
    }
}

#[test]
fn a_and_d_are_set_as_had_says() {
    const A: u64 = 1 << 5;
    const D: u64 = 1 << 6;
    for (had, access, upper, leaf) in [
        (0, Access::Write, 0, 0),
        (1, Access::Read, A, A),
        (1, Access::Write, A, A),
        (3, Access::Read, A, A),
        (3, Access::Write, A, A | D),
        (3, Access::ReadWrite, A, A | D),
    ] {
        let (mut bench, table) = start(3);
        let mut entry = Dte::host(5, table.root, 3);
        entry.had = had;
        bench.install(DEVICE, &entry);
        table.map(&mut bench.machine, 0x5000, 0x9000, 0x1000, Rights::ALL);
        let before = table.path(&bench.machine, 0x5000).map_values(&bench);
        assert_eq!(bench.target(DEVICE, 0x5000, access), Some(0x9000));
        let after = table.path(&bench.machine, 0x5000).map_values(&bench);
        let set: Vec<u64> = before.iter().zip(&after).map(|(b, a)| b ^ a).collect();
        assert_eq!(set, [upper, upper, leaf], "HAD {had} {access:?}");
    }
}

#[test]
fn the_first_write_through_a_cached_clean_page_sets_d() {
    let (mut bench, table) = start(3);
    let mut entry = Dte::host(5, table.root, 3);
    entry.had = 3;
    bench.install(DEVICE, &entry);
    table.map(&mut bench.machine, 0x5000, 0x9000, 0x1000, Rights::ALL);
    let at = table.entry(&mut bench.machine, 0x5000, 1);
    bench.target(DEVICE, 0x5000, Access::Read);
    assert_eq!(bench.machine.peek(at) >> 5 & 3, 1);
    bench.target(DEVICE, 0x5000, Access::Write);
    assert_eq!(bench.machine.peek(at) >> 5 & 3, 3);
    // From here on the cache has it dirty: D that software clears stays clear.
    bench.machine.poke(at, bench.machine.peek(at) & !(1 << 6));
    bench.target(DEVICE, 0x5000, Access::Write);
    assert_eq!(bench.machine.peek(at) >> 5 & 3, 1);
}

#[test]
fn a_table_that_does_not_answer_is_a_hardware_error() {
    let (mut bench, table) = start(3);
    table.map(&mut bench.machine, 0x5000, 0x9000, 0x1000, Rights::ALL);
    let at = table.entry(&mut bench.machine, 0x5000, 1);
    bench.machine.remove(at);
    assert_eq!(bench.target(DEVICE, 0x5000, Access::Write), None);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].code(), event::TABLE_ERROR);
    assert_eq!(events[0].address(), at);
    assert_eq!(
        (events[0].domain(), events[0].kind(), events[0].write()),
        (5, 2, true)
    );
}

#[test]
fn indices_are_those_of_the_worked_examples() {
    // W101 and W102: level, byte offset in its table.
    for (va, levels, indices) in [
        (0x7fff_1234_5678, 4, vec![0xff, 0x1fc, 0x91, 0x145]),
        (0x2b_fff8_0000, 3, vec![0xaf, 0x1ff, 0x180]),
    ] {
        let (mut bench, table) = start(levels);
        let mut at = table.root;
        for (level, index) in (1..=levels).rev().zip(&indices) {
            let next = bench.machine.page();
            let entry = match level {
                1 => tables::v1_leaf(0x8000, 1, 0x1000, Rights::ALL),
                _ => tables::v1_table(next, level - 1),
            };
            bench.machine.poke(at + 8 * index, entry);
            at = next;
        }
        assert_eq!(
            bench.target(DEVICE, va, Access::Read),
            Some(0x8000 | va & 0xfff)
        );
    }
}

#[test]
fn requests_and_aborts_and_walks_are_counted() {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 3);
    table.map(&mut bench.machine, 0x5000, 0x9000, 0x1000, Rights::ALL);
    bench.install(DEVICE, &Dte::host(5, table.root, 3));
    for address in [0x5000, 0x5008, 0x6000] {
        bench.dma(DEVICE, address, Access::Read, None);
    }
    let counters = bench.iommu.counters();
    assert_eq!((counters.requests, counters.aborts), (3, 1));
    assert_eq!(
        (
            counters.walks.host,
            counters.walks.guest,
            counters.walks.nested
        ),
        (2, 0, 0)
    );
    // Three levels for the first; the tables of levels 2 and 1 are cached for the last.
    assert_eq!(counters.walks.entries, 3 + 1);
    assert_eq!(
        (
            counters.caches.translation.hits,
            counters.caches.translation.misses
        ),
        (1, 2)
    );
    assert_eq!(
        (
            counters.caches.device_table.hits,
            counters.caches.device_table.misses
        ),
        (2, 1)
    );
    assert_eq!(
        (
            counters.caches.directory.hits,
            counters.caches.directory.misses
        ),
        (1, 1)
    );
}

/// The values at a list of addresses.
trait Values {
    fn map_values(&self, bench: &Bench) -> Vec<u64>;
}

impl Values for Vec<u64> {
    fn map_values(&self, bench: &Bench) -> Vec<u64> {
        self.iter().map(|at| bench.machine.peek(*at)).collect()
    }
}
