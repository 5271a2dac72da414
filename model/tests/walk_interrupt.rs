// SPDX-License-Identifier: GPL-2.0

//! What of a device-table entry counts for interrupts, and which writes are some (hardware.md 3.9).

use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::{event, Bench, Dte, HostTables, Irte, IrteTable, Rights};

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

/// What is no message is refused, as a page fault under a valid entry, and never counted as an interrupt
/// that went somewhere. Nor is a write of which only the address is known, where it would be remapped.
#[test]
fn what_is_no_message_is_blocked() {
    let table_of = |bench: &mut Bench| {
        let table = IrteTable::new(&mut bench.machine, true);
        table.put(&mut bench.machine, 0, &Irte::fixed(5, 0x41));
        table.remapping(9)
    };
    for (iv, access, logged) in [
        (true, Access::ReadWrite, true),
        (true, Access::Write, false),
        (false, Access::ReadWrite, false),
    ] {
        let mut bench = Bench::genoa();
        let entry = Dte {
            iv,
            ..table_of(&mut bench)
        };
        bench.install(DEVICE, &entry);
        let answer = bench.dma(DEVICE, MSI, access, None);
        assert_eq!(answer, Answer::Abort, "{iv} {access:?}");
        let counters = bench.iommu.counters();
        let fates = &counters.device_interrupts.fates;
        let found = (
            fates.remapped,
            fates.forwarded,
            fates.blocked,
            counters.aborts,
        );
        assert_eq!(found, (0, 0, 1, 1), "{iv} {access:?}");
        let events = bench.events();
        assert_eq!(events.len(), usize::from(logged), "{iv} {access:?}");
        for event in events {
            assert_eq!((event.code(), event.interrupt()), (event::PAGE_FAULT, true));
            assert!(!event.present() && !event.write());
        }
    }
}
