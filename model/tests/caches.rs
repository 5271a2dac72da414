// SPDX-License-Identifier: GPL-2.0

//! What the caches keep, what drops it, and what the referee says of the rest (hardware.md 3.4,
//! 3.9, 4.5).

use amd_iommu_model::config::Features;
use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;
use amd_iommu_model::Config;

use crate::support::stage::{DEVICE, DOMAIN};
use crate::support::{command, tables, Bench, Dte, HostTables, Rights};

const PAGE: u64 = 0x1000;

/// A device in domain 7 with one page, which the cache has.
fn host(size: u64) -> (Bench, HostTables) {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 4);
    table.map(
        &mut bench.machine,
        0x4000_0000,
        0x9000_0000,
        size,
        Rights::ALL,
    );
    bench.install(DEVICE, &Dte::host(DOMAIN, table.root, 4));
    bench.target(DEVICE, 0x4000_0000, Access::Read);
    (bench, table)
}

#[test]
fn a_page_stays_until_an_invalidation_of_its_domain_reaches_it() {
    let everything = (0, u64::MAX);
    // Size of the page, domain, PASID, range, whether it goes.
    let cases = [
        (PAGE, DOMAIN, None, (0x4000_0000, 0x4000_0fff), true),
        (PAGE, DOMAIN, None, (0x4000_1000, 0x4000_1fff), false),
        (PAGE, DOMAIN, None, (0x3fff_f000, 0x3fff_ffff), false),
        (PAGE, DOMAIN, None, (0x4000_0000, 0x4000_ffff), true),
        (PAGE, DOMAIN, None, everything, true),
        (PAGE, DOMAIN + 1, None, everything, false),
        (PAGE, DOMAIN + 0x100, None, everything, false),
        (PAGE, DOMAIN, Some(0), everything, false),
        (1 << 21, DOMAIN, None, (0x401f_f000, 0x401f_ffff), true),
        (1 << 21, DOMAIN, None, (0x4020_0000, 0x4020_0fff), false),
        (1 << 16, DOMAIN, None, (0x4000_f000, 0x4000_ffff), true),
    ];
    for (size, domain, pasid, (first, last), goes) in cases {
        let (mut bench, table) = host(size);
        table.map(
            &mut bench.machine,
            0x4000_0000,
            0xa000_0000,
            size,
            Rights::ALL,
        );
        bench.execute(&[command::invalidate_pages(domain, pasid, first, last, false)]);
        let expected = if goes { 0xa000_0000 } else { 0x9000_0000 };
        assert_eq!(
            bench.target(DEVICE, 0x4000_0000, Access::Read),
            Some(expected),
            "{size:x} {domain} {first:x}"
        );
        assert_eq!(bench.stale(), u64::from(!goes));
    }
}

#[test]
fn invalidate_all_drops_pages_and_an_entry_invalidation_does_not() {
    for (command, goes) in [
        (command::invalidate_all(), true),
        (command::invalidate_entry(DEVICE), false),
    ] {
        let (mut bench, table) = host(PAGE);
        table.unmap(&mut bench.machine, 0x4000_0000, PAGE);
        bench.execute(&[command]);
        assert_eq!(
            bench.target(DEVICE, 0x4000_0000, Access::Read).is_none(),
            goes
        );
        assert_eq!(bench.stale(), u64::from(!goes));
    }
}

#[test]
fn a_new_root_needs_the_invalidation_of_the_domain() {
    let (mut bench, _) = host(PAGE);
    let other = HostTables::new(&mut bench.machine, 3);
    other.map(
        &mut bench.machine,
        0x4000_0000,
        0xa000_0000,
        PAGE,
        Rights::ALL,
    );
    bench.install(DEVICE, &Dte::host(DOMAIN, other.root, 3));
    assert_eq!(
        bench.target(DEVICE, 0x4000_0000, Access::Read),
        Some(0x9000_0000)
    );
    assert_eq!(bench.stale(), 1);
    bench.execute(&[command::invalidate_domain(DOMAIN, None)]);
    assert_eq!(
        bench.target(DEVICE, 0x4000_0000, Access::Read),
        Some(0xa000_0000)
    );
    assert_eq!(bench.stale(), 1);
}

#[test]
fn directory_entries_go_with_pde_only() {
    for directories in [false, true] {
        let (mut bench, table) = host(PAGE);
        // The table of level 1 moves, with another page in it.
        let at = table.entry(&mut bench.machine, 0x4000_0000, 2);
        let moved = bench.machine.page();
        bench.machine.poke(at, tables::v1_table(moved, 1));
        bench
            .machine
            .poke(moved, tables::v1_leaf(0xa000_0000, 1, PAGE, Rights::ALL));
        let range = (0x4000_0000, 0x4000_0fff);
        bench.execute(&[command::invalidate_pages(
            DOMAIN,
            None,
            range.0,
            range.1,
            directories,
        )]);
        let expected = if directories {
            0xa000_0000
        } else {
            0x9000_0000
        };
        assert_eq!(
            bench.target(DEVICE, 0x4000_0000, Access::Read),
            Some(expected)
        );
        assert_eq!(
            bench.stale(),
            u64::from(!directories),
            "a walk from a stale directory counts"
        );
    }
}

#[test]
fn directories_outside_the_range_stay() {
    let (mut bench, table) = host(PAGE);
    let entries = |bench: &Bench| bench.iommu.counters().walks.entries;
    table.map(
        &mut bench.machine,
        0x4000_1000,
        0x9000_1000,
        PAGE,
        Rights::ALL,
    );
    table.map(
        &mut bench.machine,
        0x4000_2000,
        0x9000_2000,
        PAGE,
        Rights::ALL,
    );
    // The table of level 1 that serves the page lies beside this range, those above reach it.
    bench.execute(&[command::invalidate_pages(
        DOMAIN,
        None,
        0x4020_0000,
        0x4020_0fff,
        true,
    )]);
    let before = entries(&bench);
    bench.target(DEVICE, 0x4000_1000, Access::Read);
    assert_eq!(entries(&bench) - before, 1);
    bench.execute(&[command::invalidate_pages(
        DOMAIN,
        None,
        0x4000_3000,
        0x4000_3fff,
        true,
    )]);
    bench.target(DEVICE, 0x4000_2000, Access::Read);
    assert_eq!(entries(&bench) - before, 1 + 4);
}

#[test]
fn rights_are_cached_and_matter_only_for_what_is_asked() {
    let (mut bench, table) = host(PAGE);
    table.map(
        &mut bench.machine,
        0x4000_0000,
        0x9000_0000,
        PAGE,
        Rights::READ,
    );
    assert!(bench.target(DEVICE, 0x4000_0000, Access::Read).is_some());
    assert_eq!(bench.stale(), 0, "a read is allowed by both");
    assert!(
        bench.target(DEVICE, 0x4000_0000, Access::Write).is_some(),
        "from the cache"
    );
    assert_eq!(bench.stale(), 1);
    bench.execute(&[command::invalidate_pages(
        DOMAIN,
        None,
        0x4000_0000,
        0x4000_0fff,
        false,
    )]);
    assert!(bench.target(DEVICE, 0x4000_0000, Access::Write).is_none());
    table.map(
        &mut bench.machine,
        0x4000_0000,
        0x9000_0000,
        PAGE,
        Rights::ALL,
    );
    assert!(bench.target(DEVICE, 0x4000_0000, Access::Read).is_some());
    assert!(bench.target(DEVICE, 0x4000_0000, Access::Write).is_some());
    assert_eq!(bench.stale(), 1);
}

#[test]
fn a_cached_directory_forbids_what_its_entry_does() {
    let (mut bench, table) = host(PAGE);
    let at = table.entry(&mut bench.machine, 0x4000_0000, 2);
    let value = bench.machine.peek(at);
    bench.machine.poke(at, value & !(1 << 61));
    for directory_is_cached in [false, true] {
        bench.execute(&[command::invalidate_domain(DOMAIN, None)]);
        if directory_is_cached {
            bench.target(DEVICE, 0x4000_0000, Access::Write);
        }
        let event = bench.aborts(DEVICE, 0x4000_1000, Access::Read);
        assert!(
            event.permission(),
            "nothing is mapped there, but reading is forbidden above"
        );
    }
}

#[test]
fn two_devices_of_a_domain_share_translations() {
    let (mut bench, _) = host(PAGE);
    let empty = HostTables::new(&mut bench.machine, 4);
    bench.install(
        0x400,
        &Dte {
            iw: false,
            ..Dte::host(DOMAIN, empty.root, 4)
        },
    );
    assert_eq!(
        bench.target(0x400, 0x4000_0000, Access::Read),
        Some(0x9000_0000)
    );
    assert_eq!(
        bench.target(0x400, 0x4000_0000, Access::Write),
        None,
        "IW is the device's own"
    );
    assert!(bench.target(DEVICE, 0x4000_0000, Access::Write).is_some());
}

#[test]
fn the_smallest_of_overlapping_pages_answers() {
    let (mut bench, table) = host(1 << 21);
    // A split without invalidation: both sizes are cached now, as in hardware.
    table.map(
        &mut bench.machine,
        0x4000_0000,
        0x9000_0000,
        PAGE,
        Rights::ALL,
    );
    bench.execute(&[command::invalidate_pages(
        DOMAIN,
        None,
        0x4000_0000,
        0x4000_0fff,
        true,
    )]);
    assert_eq!(
        bench.target(DEVICE, 0x4000_0000, Access::Read),
        Some(0x9000_0000)
    );
    assert_eq!(
        bench.target(DEVICE, 0x4000_1000, Access::Read),
        None,
        "the large page is gone as a whole"
    );
    assert_eq!(bench.stale(), 0);
}

#[test]
fn more_pages_than_the_cache_holds_are_served_and_most_of_them_are_kept() {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 4);
    bench.install(DEVICE, &Dte::host(DOMAIN, table.root, 4));
    let pages = |count: u64| (0..count).map(|page| 0x4000_0000 + page * PAGE);
    for va in pages(8192) {
        table.map(
            &mut bench.machine,
            va,
            va + 0x10_0000_0000,
            PAGE,
            Rights::ALL,
        );
    }
    for va in pages(8192) {
        assert_eq!(
            bench.target(DEVICE, va, Access::Read),
            Some(va + 0x10_0000_0000)
        );
    }
    bench.execute(&[command::invalidate_all()]);
    for _ in 0..2 {
        for va in pages(2048) {
            bench.target(DEVICE, va, Access::Read);
        }
    }
    let hits = bench.iommu.counters().caches.translation.hits;
    assert!(
        hits > 1800,
        "{hits} of 2048 pages are found in a cache of 4096"
    );
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn random_evictions_happen_in_asynchronous_models_only_and_follow_the_seed() {
    let run = |seed: Option<u64>| {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::on(config);
        let table = HostTables::new(&mut bench.machine, 4);
        table.map(&mut bench.machine, 0, 0x10_0000_0000, 1 << 30, Rights::ALL);
        bench.install(DEVICE, &Dte::host(DOMAIN, table.root, 4));
        for page in 0..20_000 {
            let va = page % 1000 * PAGE;
            assert_eq!(
                bench.target(DEVICE, va, Access::Read),
                Some(va + 0x10_0000_0000)
            );
        }
        let caches = bench.iommu.counters().caches;
        (caches.evictions, caches.device_table.misses)
    };
    assert_eq!(run(None), (0, 1));
    let (evictions, _) = run(Some(7));
    assert!(evictions > 0);
    assert_eq!(run(Some(7)), run(Some(7)));
    assert_ne!(run(Some(7)), run(Some(8)));
}

#[test]
fn a_reserved_bit_in_a_table_is_a_violation() {
    let (mut bench, table) = host(PAGE);
    let at = table.entry(&mut bench.machine, 0x4000_1000, 1);
    bench.machine.poke(at, 0x6010_0000_9000_1001);
    assert_eq!(bench.target(DEVICE, 0x4000_1000, Access::Read), None);
    assert_eq!(bench.iommu.referee().count_of(Rule::ReservedTableBit), 1);
}
