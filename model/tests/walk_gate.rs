// SPDX-License-Identifier: GPL-2.0

//! What comes before a walk: enables, device table, interrupts, exclusion, suppression
//! (hardware.md 3.3 and 3.9).

use amd_iommu_model::config::{Features, GuestDisabled};
use amd_iommu_model::request::{Access, Translation};
use amd_iommu_model::{Answer, Config};

use crate::support::bench::{control, reg};
use crate::support::{event, Bench, Dte};

const DEVICE: u16 = 0x0300;
const MSI: u64 = 0xfee0_1000;

fn everything(address: u64) -> Answer {
    Answer::Forward(Translation {
        address,
        size: 0,
        read: true,
        write: true,
    })
}

#[test]
fn a_disabled_iommu_forwards_everything_and_reads_nothing() {
    let mut bench = Bench::off(Config::new(Features::genoa()));
    for (address, access) in [
        (0x1234_5678, Access::Write),
        (MSI, Access::Write),
        (!0, Access::Read),
    ] {
        assert_eq!(
            bench.dma(DEVICE, address, access, None),
            everything(address)
        );
    }
    assert_eq!(bench.iommu.counters().caches.device_table.misses, 0);
}

#[test]
fn an_entry_that_is_not_valid_forwards_untranslated() {
    let mut bench = Bench::genoa();
    // All other bits of the half are not looked at.
    bench.put_entry(DEVICE, [!1, !0, 0, 0]);
    assert_eq!(
        bench.dma(DEVICE, 0x1234_5678, Access::ReadWrite, None),
        everything(0x1234_5678)
    );
    assert_eq!(
        bench.dma(DEVICE, MSI, Access::Write, Some(3)),
        Answer::Forward(Translation {
            address: MSI,
            size: 0x1000,
            read: false,
            write: true,
        })
    );
    assert!(bench.events().is_empty());
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn pass_through_checks_the_rights_of_the_entry() {
    for (ir, iw, access, flags) in [
        (true, true, Access::ReadWrite, None),
        (true, false, Access::Read, None),
        (true, false, Access::Write, Some(0x2070_0001)),
        (false, true, Access::Read, Some(0x2050_0001)),
        (false, true, Access::Execute, Some(0x2050_0001)),
        (false, true, Access::ReadWrite, Some(0x2070_0001)),
    ] {
        let mut bench = Bench::genoa();
        bench.install(
            DEVICE,
            &Dte {
                ir,
                iw,
                ..Dte::pass(1)
            },
        );
        let answer = bench.dma(DEVICE, 0x5000, access, None);
        match flags {
            None => assert_eq!(
                answer,
                Answer::Forward(Translation {
                    address: 0x5000,
                    size: 0,
                    read: ir,
                    write: iw,
                })
            ),
            Some(flags) => {
                assert_eq!(answer, Answer::Abort);
                assert_eq!(bench.only_event().0, [0x300, flags, 0x5000, 0]);
            }
        }
    }
}

/// W68, W73 and their kin: entry, flags of the event without code and DomainID.
#[test]
fn entries_are_judged_in_the_order_of_the_specification() {
    let good = Dte::host(5, 0x1_2345_6000, 4);
    let extra = |q0, q1| Dte {
        extra: [q0, q1, 0, 0],
        ..good
    };
    let blocked = |entry: Dte| Dte {
        tv: false,
        ir: false,
        iw: false,
        ..entry
    };
    let cases = [
        // Reserved bits come before TV.
        (
            blocked(extra(1 << 63, 0)),
            event::ILLEGAL_ENTRY,
            0x00a0_0000,
        ),
        (blocked(extra(1 << 2, 0)), event::ILLEGAL_ENTRY, 0x00a0_0000),
        (extra(1 << 6, 0), event::ILLEGAL_ENTRY, 0x00a0_0000),
        (extra(1 << 52, 0), event::ILLEGAL_ENTRY, 0x00a0_0000),
        (extra(1 << 53, 0), event::ILLEGAL_ENTRY, 0x00a0_0000),
        (extra(0, 1 << 42), event::ILLEGAL_ENTRY, 0x00a0_0000),
        (Dte { had: 2, ..good }, event::ILLEGAL_ENTRY, 0x00a0_0000),
        (
            Dte {
                gv: true,
                glx: 3,
                ..good
            },
            event::ILLEGAL_ENTRY,
            0x00a0_0000,
        ),
        (
            Dte {
                gv: true,
                glx: 2,
                ..good
            },
            event::ILLEGAL_ENTRY,
            0x00a0_0000,
        ),
        (
            Dte {
                gv: true,
                paging_mode: 2,
                ..good
            },
            event::ILLEGAL_ENTRY,
            0x00a0_0000,
        ),
        // TV comes before the rights, the rights before Mode.
        (blocked(good), event::PAGE_FAULT, 0x0020_0000),
        (
            Dte {
                mode: 7,
                iw: false,
                ..good
            },
            event::PAGE_FAULT,
            0x0070_0000,
        ),
        (Dte { mode: 7, ..good }, event::PAGE_FAULT, 0x0030_0000),
    ];
    for (entry, code, flags) in cases {
        let mut bench = Bench::genoa();
        bench.install(DEVICE, &entry);
        let found = bench.aborts(DEVICE, 0x1234_5678, Access::Write);
        assert_eq!(
            (found.code(), found.device(), found.address()),
            (code, DEVICE, 0x1234_5678)
        );
        assert_eq!(found.0[1] & 0x0fff_0000, flags, "{entry:?}");
    }
}

#[test]
fn bits_of_features_that_a_part_lacks_are_reserved() {
    let pass = Dte::pass(1);
    let basic = Features::basic();
    let small = Features {
        efr: Features::genoa().efr & !(0xf << 10),
        ..Features::genoa()
    };
    let cases = [
        (basic, Dte { had: 1, ..pass }, true),
        (basic, Dte { gv: true, ..pass }, true),
        (basic, Dte { giov: true, ..pass }, true),
        (
            basic,
            Dte {
                gcr3: 0x1000,
                ..pass
            },
            true,
        ),
        (
            basic,
            Dte {
                gcr3: 0x8000,
                ..pass
            },
            true,
        ),
        (
            basic,
            Dte {
                gcr3: 0x8000_0000,
                ..pass
            },
            true,
        ),
        (
            small,
            Dte {
                gv: true,
                paging_mode: 1,
                ..pass
            },
            true,
        ),
        (
            small,
            Dte {
                gv: true,
                paging_mode: 0,
                ..pass
            },
            false,
        ),
        (
            small,
            Dte {
                gv: false,
                glx: 3,
                paging_mode: 3,
                ..pass
            },
            false,
        ),
    ];
    for (features, entry, illegal) in cases {
        let mut bench = Bench::on(Config::new(features));
        bench.install(DEVICE, &entry);
        let answer = bench.dma(DEVICE, 0x5000, Access::Read, None);
        assert_eq!(answer == Answer::Abort, illegal, "{entry:?}");
        if illegal {
            let found = bench.only_event();
            assert!(found.code() == event::ILLEGAL_ENTRY && found.reserved());
        }
    }
    // Mode is limited by HATS, which is a page fault.
    let mut bench = Bench::on(Config::new(small));
    bench.install(DEVICE, &Dte::host(1, 0x1_2345_6000, 5));
    let found = bench.aborts(DEVICE, 0x5000, Access::Read);
    assert_eq!(found.0[1], 0x2010_0001);
}

/// OQ-37.
#[test]
fn guest_fields_while_gten_is_0_are_illegal_or_without_effect() {
    for (reading, illegal) in [
        (GuestDisabled::Illegal, true),
        (GuestDisabled::Ignored, false),
    ] {
        let mut config = Config::new(Features::genoa());
        config.readings.guest_disabled = reading;
        let mut bench = Bench::on(config);
        bench.clear_control(control::GUEST);
        bench.install(
            DEVICE,
            &Dte {
                glx: 3,
                paging_mode: 3,
                ..Dte::guest(1, 0x1_2345_6000, 1)
            },
        );
        let answer = bench.dma(DEVICE, 0x5000, Access::Read, None);
        if illegal {
            assert_eq!(answer, Answer::Abort);
            let found = bench.only_event();
            assert!(found.code() == event::ILLEGAL_ENTRY && found.reserved());
        } else {
            assert_eq!(answer, everything(0x5000));
            assert_eq!(
                bench.dma(DEVICE, 0x5000, Access::Read, Some(1)),
                Answer::Abort
            );
            assert_eq!(bench.only_event().code(), event::PAGE_FAULT);
        }
    }
}

#[test]
fn a_requester_beyond_the_table_gets_a_page_fault_without_address_or_domain() {
    let mut bench = Bench::genoa();
    let small = bench.device_table | 1;
    bench.clear_control(control::IOMMU);
    bench.set(reg::DEVICE_TABLE, small);
    bench.set_control(control::IOMMU);
    assert_eq!(bench.target(0xff, 0x5000, Access::Write), Some(0x5000));
    assert_eq!(bench.dma(0x100, 0x5000, Access::Write, None), Answer::Abort);
    assert_eq!(bench.only_event().0, [0x100, 0x2020_0000, 0, 0]);
}

/// W74.
#[test]
fn an_entry_that_cannot_be_read_is_a_hardware_error() {
    let mut bench = Bench::genoa();
    let at = bench.device_table + 0x6000;
    bench.machine.remove(at);
    let found = bench.aborts(DEVICE, 0x5000, Access::Write);
    assert_eq!(found.0[..2], [0x300, 0x3420_0000]);
    assert_eq!(found.address(), at);
}

#[test]
fn the_exclusion_range_is_for_all_devices_or_for_those_with_ex() {
    // Allow, EX, TV, PASID, whether the range applies.
    for (allow, ex, tv, pasid, applies) in [
        (true, false, true, None, true),
        (false, true, true, None, true),
        (false, false, true, None, false),
        (true, true, false, None, false),
        (true, true, true, Some(1), false),
    ] {
        let mut bench = Bench::genoa();
        bench.set(reg::EXCLUSION_LIMIT, 0x2_0000);
        bench.set(reg::EXCLUSION_BASE, 0x1_0000 | u64::from(allow) << 1 | 1);
        // No rights: even these are not asked for in the range.
        let entry = Dte {
            tv,
            extra: [0, u64::from(ex) << 39, 0, 0],
            ..Dte::blocked()
        };
        bench.install(DEVICE, &entry);
        for (address, inside) in [
            (0xffff, false),
            (0x1_0000, true),
            (0x2_0fff, true),
            (0x2_1000, false),
        ] {
            let expected = if applies && inside {
                everything(address)
            } else {
                Answer::Abort
            };
            assert_eq!(
                bench.dma(DEVICE, address, Access::Write, pasid),
                expected,
                "{address:x} {entry:?}"
            );
        }
    }
}
