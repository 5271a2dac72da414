// SPDX-License-Identifier: GPL-2.0

//! What of a device-table entry counts for interrupts, and what suppresses faults (hardware.md 3.9).

use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::{event, Bench, Dte, HostTables, Rights};

const DEVICE: u16 = 0x0300;
const MSI: u64 = 0xfee0_1000;

#[test]
fn reserved_bits_of_the_interrupt_half_count_with_iv_only() {
    for (iv, extra, illegal) in [
        (true, [0, 0, 1 << 52, 0], true),
        (true, [0, 0, 1 << 53, 0], true),
        (true, [0, 0, 0, 1], true),
        (true, [0, 0, 0, 1 << 14], true),
        (true, [0, 0, 0, 1 << 48], true),
        (true, [0, 0, 0, 1 << 53], false),
        (true, [0, 0, 1 << 59, 0xffff_ffff_8000], false),
        (false, [0, 0, 3 << 52, !0], false),
        (true, [1 << 63, 1 << 42, 0, 0], false),
    ] {
        let mut bench = Bench::genoa();
        bench.install(
            DEVICE,
            &Dte {
                iv,
                int_ctl: 1,
                extra,
                ..Dte::blocked()
            },
        );
        let answer = bench.dma(DEVICE, MSI, Access::Write, None);
        assert_eq!(answer == Answer::Abort, illegal, "{iv} {extra:x?}");
    }
}

#[test]
fn only_writes_to_the_interrupt_range_are_interrupts() {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 3);
    for page in [0xfedf_f000, 0xfee0_0000, 0xfeef_f000, 0xfef0_0000] {
        table.map(
            &mut bench.machine,
            page,
            0x50_0000_0000 | page,
            0x1000,
            Rights::ALL,
        );
    }
    let entry = Dte {
        iv: true,
        int_ctl: 1,
        ..Dte::host(5, table.root, 3)
    };
    bench.install(DEVICE, &entry);
    for (address, interrupt) in [
        (0xfedf_fff8, false),
        (0xfee0_0000, true),
        (0xfeef_fffc, true),
        (0xfef0_0000, false),
    ] {
        let moved = 0x50_0000_0000 | address;
        let written = if interrupt { address } else { moved };
        assert_eq!(bench.target(DEVICE, address, Access::Write), Some(written));
        assert_eq!(bench.target(DEVICE, address, Access::Read), Some(moved));
    }
}

#[test]
fn sa_suppresses_page_faults_and_se_those_after_the_first() {
    for (sa, se, logged) in [
        (false, false, 3),
        (true, false, 0),
        (false, true, 1),
        (true, true, 0),
    ] {
        let mut bench = Bench::genoa();
        let entry = Dte {
            sa,
            se,
            ..Dte::host(5, bench.semaphore, 3)
        };
        bench.install(DEVICE, &entry);
        for page in [0x1000, 0x2000, 0x3000] {
            assert_eq!(bench.dma(DEVICE, page, Access::Read, None), Answer::Abort);
        }
        assert_eq!(bench.events().len(), logged, "SA {sa} SE {se}");
        // The state of SE lives in the cached entry.
        bench.install(DEVICE, &entry);
        bench.dma(DEVICE, 0x1000, Access::Read, None);
        assert_eq!(bench.events().len(), logged.min(1));
    }
}

#[test]
fn nothing_suppresses_illegal_entries_hardware_errors_and_interrupts() {
    let mut bench = Bench::genoa();
    let quiet = Dte {
        sa: true,
        se: true,
        ..Dte::host(5, 0x666_0000_0000, 3)
    };
    bench.install(DEVICE, &quiet);
    assert_eq!(
        bench.aborts(DEVICE, 0x1000, Access::Read).code(),
        event::TABLE_ERROR
    );
    bench.install(DEVICE, &Dte { had: 2, ..quiet });
    assert_eq!(
        bench.aborts(DEVICE, 0x1000, Access::Read).code(),
        event::ILLEGAL_ENTRY
    );
    bench.install(DEVICE, &Dte { iv: true, ..quiet });
    assert_eq!(
        bench.aborts(DEVICE, MSI, Access::Write).code(),
        event::PAGE_FAULT
    );
}
