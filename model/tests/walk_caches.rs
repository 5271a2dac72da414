// SPDX-License-Identifier: GPL-2.0

//! What the caches keep of guest tables, nested or not, and what drops it (hardware.md 3.4, 3.9,
//! 4.5).

use amd_iommu_model::config::Features;
use amd_iommu_model::request::Access;
use amd_iommu_model::Config;

use crate::support::stage::{Stage, DEVICE, DOMAIN};
use crate::support::{command, Bench, Dte, PageTables, Rights};

const PAGE: u64 = 0x1000;

#[test]
fn absent_pages_are_cached_with_npcache_only() {
    for np_cache in [false, true] {
        for nested in [false, true] {
            let mut features = Features::genoa();
            features.np_cache = np_cache;
            let mut stage = Stage::on(Bench::on(Config::new(features)), nested, 4, 0, 1);
            assert_eq!(stage.target(0x5000, Access::Read, Some(1)), None);
            stage.map(0x5000, 0x8000_9000, PAGE, Rights::ALL);
            let found = stage.target(0x5000, Access::Read, Some(1)).is_some();
            assert_eq!(found, !np_cache);
            // What a guest maps without telling is its own affair.
            let found = stage.bench.stale();
            assert_eq!(found, u64::from(np_cache && !nested));
            let page = command::invalidate_pages(DOMAIN, Some(1), 0x5000, 0x5fff, false);
            stage.bench.execute(&[page]);
            assert!(stage.target(0x5000, Access::Read, Some(1)).is_some());
        }
    }
}

/// What goes from a guest's caches: GN, PASID, range, PDE, and whether the page goes.
#[test]
fn guest_pages_are_tagged_with_domain_and_pasid() {
    for nested in [false, true] {
        let all = (0, u64::MAX);
        for (domain, pasid, (first, last), goes) in [
            (DOMAIN, Some(1), (0x5000, 0x5fff), true),
            (DOMAIN, Some(1), (0x6000, 0x6fff), false),
            (DOMAIN, Some(0), all, false),
            (DOMAIN + 1, Some(1), all, false),
            (DOMAIN, None, all, nested),
            (DOMAIN, None, (0x8000_9000, 0x8000_9fff), nested),
            (DOMAIN, None, (0x5000, 0x5fff), false),
        ] {
            let mut stage = Stage::new(nested, 4, 0, 1);
            stage.map(0x5000, 0x8000_9000, PAGE, Rights::ALL);
            let old = stage.target(0x5000, Access::Read, Some(1));
            stage.map(0x5000, 0x8000_a000, PAGE, Rights::ALL);
            stage
                .bench
                .execute(&[command::invalidate_pages(domain, pasid, first, last, false)]);
            let now = stage.target(0x5000, Access::Read, Some(1));
            assert_eq!(now != old, goes, "{nested} {domain} {pasid:?} {first:x}");
            assert_eq!(stage.bench.stale(), u64::from(!goes && !nested));
        }
    }
}

#[test]
fn a_change_of_the_host_table_reaches_nested_pages_by_their_guest_physical_address() {
    for (first, last, goes) in [
        (0x9000_0000, 0x9000_0fff, true),
        (0x9000_1000, 0x9000_1fff, false),
        (0, u64::MAX, true),
    ] {
        let mut stage = Stage::new(true, 4, 0, 1);
        stage.map(0x5000, 0x10_9000_0000, PAGE, Rights::ALL);
        let table = stage.host.unwrap();
        table.map(
            &mut stage.bench.machine,
            0x10_9000_0000,
            0x7000,
            PAGE,
            Rights::ALL,
        );
        assert_eq!(stage.target(0x5000, Access::Read, Some(1)), Some(0x7000));
        table.map(
            &mut stage.bench.machine,
            0x10_9000_0000,
            0x8000,
            PAGE,
            Rights::ALL,
        );
        let base = if last == u64::MAX { 0 } else { 0x10_0000_0000 };
        let command = command::invalidate_pages(DOMAIN, None, base | first, base | last, false);
        stage.bench.execute(&[command]);
        let expected = if goes { 0x8000 } else { 0x7000 };
        assert_eq!(stage.target(0x5000, Access::Read, Some(1)), Some(expected));
        assert_eq!(stage.bench.stale(), u64::from(!goes));
    }
}

/// What is cached of the host's table is judged when it forbids, too, but only where the guest's
/// own table allows.
#[test]
fn an_old_denial_of_the_host_is_stale_and_one_of_the_guest_is_not() {
    for guest_allows in [false, true] {
        let mut stage = Stage::new(true, 4, 0, 1);
        let (rights, machine) = ([Rights::READ, Rights::ALL], &mut stage.bench.machine);
        let (table, own) = (stage.host.unwrap(), rights[usize::from(guest_allows)]);
        table.map(machine, 0x10_9000_0000, 0x7000, PAGE, Rights::READ);
        stage.map(0x5000, 0x10_9000_0000, PAGE, own);
        assert_eq!(stage.target(0x5000, Access::Read, Some(1)), Some(0x7000));
        let machine = &mut stage.bench.machine;
        table.map(machine, 0x10_9000_0000, 0x7000, PAGE, Rights::ALL);
        stage.map(0x5000, 0x10_9000_0000, PAGE, Rights::ALL);
        assert_eq!(stage.target(0x5000, Access::Write, Some(1)), None);
        assert_eq!(stage.bench.stale(), u64::from(guest_allows));
    }
}

#[test]
fn gcr3_entries_are_cached_by_pasid_and_go_with_pde() {
    let cases = [(1, true, true), (1, false, false), (2, true, false)];
    let all = [false, true]
        .into_iter()
        .flat_map(|nested| cases.map(|case| (nested, case)));
    for (nested, (pasid, directories, goes)) in all {
        let mut stage = Stage::new(nested, 4, 0, 1);
        let offset = stage.gcr3.offset;
        stage.map(0x5000, 0x8000_9000, PAGE, Rights::ALL);
        stage.target(0x5000, Access::Read, Some(1));
        let other = PageTables::new(&mut stage.bench.machine, 4, offset);
        other.map(
            &mut stage.bench.machine,
            0x5000,
            0x8000_a000,
            PAGE,
            Rights::ALL,
        );
        let gcr3 = stage.gcr3;
        gcr3.set(&mut stage.bench.machine, 1, &other);
        stage.bench.execute(&[command::invalidate_pages(
            DOMAIN,
            Some(1),
            0x5000,
            0x5fff,
            false,
        )]);
        stage.bench.execute(&[command::invalidate_pages(
            DOMAIN,
            Some(pasid),
            0,
            u64::MAX,
            directories,
        )]);
        let expected = if goes { 0x8000_a000 } else { 0x8000_9000 };
        assert_eq!(
            stage.target(0x5000, Access::Read, Some(1)),
            Some(expected + offset)
        );
        let violations = u64::from(!goes && !nested);
        assert_eq!(stage.bench.stale(), violations);
    }
}

#[test]
fn the_gcr3_entry_is_found_in_its_cache() {
    let mut stage = Stage::new(false, 4, 1, 0x345);
    stage.map(0x5000, 0x9000, PAGE, Rights::ALL);
    stage.map(0x80_0000_5000, 0x9000, PAGE, Rights::ALL);
    stage.target(0x5000, Access::Read, Some(0x345));
    let before = stage.bench.iommu.counters().walks.entries;
    assert_eq!(before, 2 + 4);
    // No directory leads there: the walk begins at the root again.
    stage.target(0x80_0000_5000, Access::Read, Some(0x345));
    let counters = stage.bench.iommu.counters();
    assert_eq!(counters.walks.entries - before, 4);
    assert_eq!(
        (counters.caches.pasid.hits, counters.caches.pasid.misses),
        (1, 1)
    );
}

/// The host moves the page of a guest's table, or of its GCR3 table, to memory with other
/// contents. What was read there is dropped by GN = 0 and PDE = 1 over its guest physical address.
#[test]
fn nested_directory_and_gcr3_entries_go_with_a_change_of_structure_below() {
    for (gcr3, (first, last), directories, goes) in [
        (false, (0, 0xfff), true, true),
        (false, (0, 0xfff), false, false),
        (false, (0x1000, 0x1fff), true, true),
        (true, (0, 0xfff), true, true),
        (true, (0x1000, 0x1fff), true, true),
        (true, (0x1000, 0x1fff), false, false),
    ] {
        let mut stage = Stage::new(true, 4, 0, 1);
        stage.map(0x5000, 0x8000_9000, PAGE, Rights::ALL);
        stage.map(0x80_0000_5000, 0x8000_9000, PAGE, Rights::ALL);
        let table = stage.host.unwrap();
        let place = if gcr3 {
            stage.gcr3.entry(&mut stage.bench.machine, 1)
        } else {
            stage.walked()[2]
        };
        // Its page alone is seen at a guest physical address of its own.
        let machine = &mut stage.bench.machine;
        let own = 0x20_0000_0000;
        table.map(machine, own, place & !0xfff, PAGE, Rights::ALL);
        let entry = if gcr3 {
            Dte {
                gcr3: own,
                ..stage.entry
            }
        } else {
            let above = stage.tables.entry(machine, 0x5000, 3);
            machine.poke(above, own | 0x27);
            stage.entry
        };
        stage.bench.install(DEVICE, &entry);
        assert!(stage.target(0x5000, Access::Read, Some(1)).is_some());
        let empty = stage.bench.machine.page();
        table.map(&mut stage.bench.machine, own, empty, PAGE, Rights::ALL);
        let command = command::invalidate_pages(DOMAIN, None, own | first, own | last, directories);
        stage.bench.execute(&[command]);
        // What the host table says of that page is dropped in any case.
        let page = command::invalidate_pages(DOMAIN, None, own, own | 0xfff, false);
        stage.bench.execute(&[page]);
        let other = if gcr3 { 0x80_0000_5000 } else { 0x6000 };
        let before = stage.bench.iommu.counters().walks.entries;
        let found = stage.target(if gcr3 { other } else { 0x5000 }, Access::Read, Some(1));
        if gcr3 {
            assert_eq!(found.is_none(), goes, "GCR3 {first:x}");
        } else {
            stage.target(other, Access::Read, Some(1));
            let read = stage.bench.iommu.counters().walks.entries - before;
            assert_eq!(read > 2, goes, "{read} entries, {first:x} {directories}");
        }
    }
}

#[test]
fn an_absent_nested_page_goes_with_any_change_below() {
    let mut features = Features::genoa();
    features.np_cache = true;
    let mut stage = Stage::on(Bench::on(Config::new(features)), true, 4, 0, 1);
    stage.map(0x5000, 0x10_0000_0000, PAGE, Rights::ALL);
    assert_eq!(stage.target(0x5000, Access::Read, Some(1)), None);
    let table = stage.host.unwrap();
    table.map(
        &mut stage.bench.machine,
        0x10_0000_0000,
        0x7000,
        PAGE,
        Rights::ALL,
    );
    assert_eq!(stage.target(0x5000, Access::Read, Some(1)), None, "NpCache");
    let range = (0x10_0000_0000, 0x10_0000_0fff);
    stage.bench.execute(&[command::invalidate_pages(
        DOMAIN, None, range.0, range.1, false,
    )]);
    assert_eq!(stage.target(0x5000, Access::Read, Some(1)), Some(0x7000));
}

#[test]
fn another_pasid_keeps_its_gcr3_entry() {
    for (pasid, hits) in [(2, 1), (1, 0)] {
        let mut stage = Stage::new(false, 4, 0, 1);
        stage.map(0x5000, 0x9000, PAGE, Rights::ALL);
        stage.map(0x80_0000_5000, 0x9000, PAGE, Rights::ALL);
        stage.target(0x5000, Access::Read, Some(1));
        stage
            .bench
            .execute(&[command::invalidate_domain(DOMAIN, Some(pasid))]);
        stage.target(0x80_0000_5000, Access::Read, Some(1));
        assert_eq!(stage.bench.iommu.counters().caches.pasid.hits, hits);
    }
}

#[test]
fn invalidate_all_drops_directories_and_gcr3_entries() {
    let mut stage = Stage::new(false, 4, 0, 1);
    stage.map(0x5000, 0x9000, PAGE, Rights::ALL);
    stage.target(0x5000, Access::Read, Some(1));
    let entries = |stage: &Stage| stage.bench.iommu.counters().walks.entries;
    let cold = entries(&stage);
    stage.bench.execute(&[command::invalidate_all()]);
    stage.target(0x5000, Access::Read, Some(1));
    assert_eq!(entries(&stage), 2 * cold);
}

/// GN = 0 speaks of guest physical addresses: directory entries of a guest table that is not nested
/// were read through none, whatever the range.
#[test]
fn only_nested_directories_go_without_gn() {
    for (nested, everything) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut stage = Stage::new(nested, 4, 0, 1);
        stage.map(0x5000, 0x8000_9000, PAGE, Rights::ALL);
        stage.map(0x6000, 0x8000_a000, PAGE, Rights::ALL);
        stage.target(0x5000, Access::Read, Some(1));
        let offset = stage.gcr3.offset;
        let above = stage.tables.entry(&mut stage.bench.machine, 0x5000, 2) - offset;
        let (first, last) = if everything {
            (0, u64::MAX)
        } else {
            (above & !0xfff, above | 0xfff)
        };
        let command = command::invalidate_pages(DOMAIN, None, first, last, true);
        stage.bench.execute(&[command]);
        let before = stage.bench.iommu.counters().walks.entries;
        assert!(stage.target(0x6000, Access::Read, Some(1)).is_some());
        let read = stage.bench.iommu.counters().walks.entries - before;
        // The leaf, or the GCR3 entry, the four levels, and two of the host table for all of them.
        let expected = if nested { 1 + 4 + 2 } else { 1 };
        assert_eq!(read, expected, "{nested} {first:x}");
    }
}
