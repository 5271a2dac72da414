// SPDX-License-Identifier: GPL-2.0

//! The address range that HyperTransport keeps for itself (hardware.md 3.9).

use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::stage::{Stage, DEVICE};
use crate::support::{Bench, Dte, Gcr3, HostTables, PageTables, Rights};

/// The HyperTransport range cannot be reached, translated or not; the referee minds only if the
/// driver has mapped it.
#[test]
fn addresses_of_hypertransport_are_no_dma_addresses() {
    let edges = [
        (0xfc_ffff_f000, true),
        (0xfd_0000_0000, false),
        (0xfd_f800_0000, false),
        (0xff_ffff_ffff, false),
        (0x100_0000_0000, true),
    ];
    for (kind, mapped, violations) in [(0, false, 0), (4, false, 0), (4, true, 3)] {
        let mut bench = Bench::genoa();
        let tables = HostTables::new(&mut bench.machine, 4);
        for (address, usable) in edges {
            if usable || mapped {
                let page = address & !0xfff;
                tables.map(&mut bench.machine, page, page, 0x1000, Rights::ALL);
            }
        }
        let entry = Dte {
            mode: kind,
            ..Dte::host(5, tables.root, 4)
        };
        bench.install(DEVICE, &entry);
        for (address, usable) in edges {
            let found = bench.target(DEVICE, address, Access::Write);
            assert_eq!(found, usable.then_some(address), "{kind} {address:x}");
            if !usable {
                let events = bench.events();
                assert_eq!(events.len(), 1, "{events:?}");
                assert_eq!(events[0].0[1], 0x2020_0005);
                assert_eq!(events[0].address(), address);
            }
        }
        let count = bench.iommu.referee().count_of(Rule::HyperTransportMapped);
        assert_eq!(count, violations, "{kind} {mapped}");
    }
}

#[test]
fn hypertransport_does_not_matter_to_entries_that_forward_nor_to_processes() {
    let address = 0xfd_0000_0000;
    let mut bench = Bench::genoa();
    assert_eq!(bench.target(DEVICE, address, Access::Read), Some(address));
    let gcr3 = Gcr3::new(&mut bench.machine, 0, 0);
    let tables = PageTables::new(&mut bench.machine, 4, 0);
    gcr3.set(&mut bench.machine, 1, &tables);
    tables.map(&mut bench.machine, address, 0x9000, 0x1000, Rights::ALL);
    bench.install(DEVICE, &Dte::guest(5, gcr3.pointer, 0));
    let answer = bench.dma(DEVICE, address, Access::Read, Some(1));
    assert_ne!(answer, Answer::Abort);
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

/// Requests without a PASID that go through a guest table: the driver's own one, and that of a
/// guest, which may map what it likes.
#[test]
fn what_a_guest_maps_there_is_not_the_drivers_fault() {
    for nested in [false, true] {
        let mut stage = Stage::new(nested, 5, 0, 0);
        stage.map(0xfd_0000_0000, 0x8000_7000, 0x1000, Rights::ALL);
        assert_eq!(stage.target(0xfd_0000_0000, Access::Read, None), None);
        let referee = stage.bench.iommu.referee();
        let count = referee.count_of(Rule::HyperTransportMapped);
        assert_eq!(count, u64::from(!nested));
    }
}
