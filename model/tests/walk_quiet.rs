// SPDX-License-Identifier: GPL-2.0

//! What suppresses faults, and what nothing suppresses (hardware.md 3.9).

use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::{event, Bench, Dte};

const DEVICE: u16 = 0x0300;
const MSI: u64 = 0xfee0_1000;

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
