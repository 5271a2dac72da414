// SPDX-License-Identifier: GPL-2.0

//! What nobody invalidates stays in the caches: only so does a missing invalidation show.

use amd_iommu_model::request::Access;

use crate::support::{command, Bench, Dte, HostTables, Rights};

/// log2 of the sizes of the pages, one at each multiple of 4 GiB.
const SIZES: [u32; 5] = [12, 16, 21, 25, 30];

/// Requesters with their DomainIDs, which differ in one half each.
const DEVICES: [(u16, u16); 3] = [(0x0100, 0x0011), (0x0200, 0x0111), (0x0300, 0x0012)];

fn address(page: usize) -> u64 {
    (page as u64) << 32
}

fn bench() -> Bench {
    let mut bench = Bench::genoa();
    for (requester, domain) in DEVICES {
        let tables = HostTables::new(&mut bench.machine, 4);
        for (page, size) in SIZES.into_iter().enumerate() {
            let to = address(page) + (u64::from(domain) << 40);
            tables.map(
                &mut bench.machine,
                address(page),
                to,
                1 << size,
                Rights::ALL,
            );
        }
        bench.install(requester, &Dte::host(domain, tables.root, 4));
    }
    bench
}

/// Whether a request is answered from the cache.
fn hits(bench: &mut Bench, requester: u16, page: usize) -> bool {
    let before = bench.iommu.counters().caches.translation;
    assert!(bench
        .target(requester, address(page), Access::Read)
        .is_some());
    let after = bench.iommu.counters().caches.translation;
    assert_eq!(after.hits + after.misses, before.hits + before.misses + 1);
    after.hits > before.hits
}

fn all() -> impl Iterator<Item = (u16, u16, usize)> {
    DEVICES
        .into_iter()
        .flat_map(|(requester, domain)| (0..SIZES.len()).map(move |page| (requester, domain, page)))
}

#[test]
fn an_invalidation_takes_its_page_and_no_other() {
    let mut bench = bench();
    for (requester, _, page) in all() {
        assert!(!hits(&mut bench, requester, page), "nothing is cached yet");
    }
    for (requester, domain, page) in all() {
        let last = address(page) + ((1 << SIZES[page]) - 1);
        let words = command::invalidate_pages(domain, None, address(page), last, false);
        bench.execute(&[words]);
        for (other, _, kept) in all() {
            let gone = (other, kept) == (requester, page);
            assert_eq!(hits(&mut bench, other, kept), !gone, "{other:x} {kept}");
        }
    }
}

#[test]
fn dropping_a_domain_leaves_the_others() {
    let mut bench = bench();
    for (requester, domain) in DEVICES {
        for (other, _, page) in all() {
            hits(&mut bench, other, page);
        }
        bench.execute(&[command::invalidate_domain(domain, None)]);
        for (other, _, page) in all() {
            assert_eq!(hits(&mut bench, other, page), other != requester);
        }
    }
}

/// Walks that share tables with an earlier one read only what differs.
#[test]
fn directories_are_kept() {
    let mut bench = Bench::genoa();
    let tables = HostTables::new(&mut bench.machine, 4);
    for page in [0, 0x1000, 0x20_0000, 0x4000_0000] {
        tables.map(&mut bench.machine, page, page, 0x1000, Rights::ALL);
    }
    bench.install(0x0100, &Dte::host(5, tables.root, 4));
    // The first walk reads an entry at each level; a neighbour only what it does not share.
    for (page, entries) in [(0, 4), (0x1000, 1), (0x20_0000, 2), (0x4000_0000, 3)] {
        let before = bench.iommu.counters().walks.entries;
        assert_eq!(bench.target(0x0100, page, Access::Read), Some(page));
        let after = bench.iommu.counters().walks.entries;
        // The referee's own walks are not counted.
        assert_eq!(after - before, entries, "{page:x}");
    }
}

/// Requester IDs spread over the cache of device-table entries, whatever they have in common.
#[test]
fn entries_of_many_devices_stay() {
    for step in [1, 8, 0x100] {
        let mut bench = Bench::genoa();
        let requesters = (0..32u16).map(|number| number * step);
        for requester in requesters.clone() {
            bench.install(requester, &Dte::pass(1));
        }
        for round in 0..2 {
            let before = bench.iommu.counters().caches.device_table;
            for requester in requesters.clone() {
                assert_eq!(bench.target(requester, 0x5000, Access::Read), Some(0x5000));
            }
            let after = bench.iommu.counters().caches.device_table;
            assert_eq!(after.hits - before.hits, 32 * round, "step {step:x}");
        }
    }
}
