// SPDX-License-Identifier: GPL-2.0

//! The cache of device-table entries and its referee (hardware.md 3.3 and 3.9).

use amd_iommu_model::config::Features;
use amd_iommu_model::device_table::{DeviceEntry, EntryRules, Half};
use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;
use amd_iommu_model::{Config, Iommu};

use crate::support::bench::reg;
use crate::support::{command, Bench, Dte};

const DEVICE: u16 = 0x0300;

fn passes(bench: &mut Bench) -> bool {
    bench.target(DEVICE, 0x5000, Access::Write).is_some()
}

fn invalidate(bench: &mut Bench) {
    bench.execute(&[command::invalidate_entry(DEVICE)]);
}

/// The masks of hardware.md 3.3 with every feature that the model has, less PPR, SATS and the
/// attributes, which it has not.
#[test]
fn reserved_bits_are_those_of_the_specification() {
    let mut config = Config::new(Features::genoa());
    config.features.efr &= !(1 << 48);
    let cases = [
        (
            Features::genoa(),
            true,
            [
                0x8030_0000_0000_007c,
                1 << 42,
                3 << 52,
                0xffdf_0000_0000_7fff,
            ],
        ),
        (
            Features::basic(),
            false,
            [
                0x9ff0_0000_0000_007c,
                0xffff_fc00_ffff_0000,
                0x00f0_0000_0000_0000,
                0xffdf_ffff_ffff_ffff,
            ],
        ),
        (
            config.features,
            true,
            [
                0x8070_0000_0000_007c,
                1 << 42,
                3 << 52,
                0xffdf_0000_0000_7fff,
            ],
        ),
    ];
    for (features, guest, reserved) in cases {
        let rules = EntryRules::new(&features, &config.readings, guest);
        assert_eq!(rules.reserved(), reserved, "{:x}", features.efr);
    }
}

/// W1 to W13 of hardware.md 10.1.
#[test]
fn the_worked_entries_mean_what_they_say() {
    let v2 = DeviceEntry([
        0x79c0_0000_0000_0003,
        0xfedc_b800_530e_0007,
        0x0040_0000_0000_0000,
        0,
    ]);
    let table = v2.guest_table().unwrap();
    assert_eq!(
        (table.pointer, table.glx, table.levels),
        (0xf_edcb_a987_6000, 1, 5)
    );
    assert!(v2.giov() && v2.host_table().is_none() && v2.domain() == 7);
    let nested = DeviceEntry([0x75d0_0002_0000_0803, 0x2468_0011, 0, 0x1_0108_8000]);
    assert_eq!(nested.guest_table().unwrap().pointer, 0x1234_5000);
    let host = nested.host_table().unwrap();
    assert_eq!(
        (host.root, host.levels, nested.domain()),
        (0x2_0000_0000, 4, 0x11)
    );
    assert!(nested.viommu_enabled());
    assert_eq!((nested.guest_device(), nested.guest()), (0x108, 1));
    let own = DeviceEntry([0x6000_0003_0000_0603, 0x20, 0x2000_0003_0001_0015, 0]);
    let host = own.host_table().unwrap();
    assert_eq!((host.root, host.levels), (0x3_0000_0000, 3));
    assert!(own.interrupts_valid() && own.interrupt_table_length() == 10);
    // The one with PPR is illegal in a part without PPRSup.
    let features = Features::genoa();
    let rules = EntryRules::new(&features, &Config::new(features).readings, true);
    assert!(rules.check_memory(&v2).is_ok() && rules.check_interrupt(&own).is_ok());
    assert!(rules.check_memory(&nested).is_err());
}

#[test]
fn an_entry_stays_until_it_is_invalidated() {
    for first in [Dte::default(), Dte::pass(1)] {
        let mut bench = Bench::genoa();
        bench.install(DEVICE, &first);
        assert!(passes(&mut bench));
        bench.put_entry(DEVICE, Dte::blocked().words());
        assert!(passes(&mut bench), "from the cache");
        assert_eq!(bench.late(Rule::StaleDeviceEntry), 1);
        // Neither another device nor the pages of its domain have to do with it.
        bench.execute(&[
            command::invalidate_entry(DEVICE + 1),
            command::invalidate_domain(1, None),
        ]);
        assert!(passes(&mut bench), "still");
        invalidate(&mut bench);
        assert!(!passes(&mut bench));
        assert_eq!(bench.late(Rule::StaleDeviceEntry), 1, "in time");
    }
}

#[test]
fn invalidate_all_drops_entries() {
    let mut bench = Bench::genoa();
    assert!(passes(&mut bench));
    bench.put_entry(DEVICE, Dte::blocked().words());
    bench.execute(&[command::invalidate_all()]);
    assert!(!passes(&mut bench));
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn a_moved_table_is_used_from_the_next_fetch_on() {
    let mut bench = Bench::genoa();
    assert!(passes(&mut bench));
    let table = bench.machine.pages(512);
    bench.machine.poke(table + 32 * u64::from(DEVICE), 1);
    bench.set(reg::DEVICE_TABLE, table | 0x1ff);
    assert!(passes(&mut bench), "from the cache");
    assert_eq!(bench.late(Rule::StaleDeviceEntry), 1);
    invalidate(&mut bench);
    assert!(!passes(&mut bench));
}

/// The rows say which quadword software changes behind the back of the cache, and whether a
/// memory request and an interrupt had used what changed.
#[test]
fn only_bits_that_were_used_make_an_entry_stale() {
    let host = Dte {
        ir: true,
        iw: true,
        ..Dte::default()
    };
    let translating = Dte {
        iv: true,
        int_ctl: 1,
        ..Dte::pass(1)
    };
    let idle = Dte {
        ir: false,
        iw: false,
        ..Dte::host(1, 0x1000, 3)
    };
    let cases = [
        (host, 0, 1, true, false),
        (host, 0, 1 << 1, false, false),
        (host, 1, 0xffff, false, false),
        (host, 2, 1, false, true),
        (host, 2, 1 << 60, false, false),
        (Dte::blocked(), 0, 1 << 61, false, false),
        (idle, 1, 0xffff, false, false),
        (idle, 0, 1 << 12, false, false),
        (idle, 0, 1 << 61, true, false),
        (Dte::blocked(), 0, 1 << 1, true, false),
        (translating, 0, 1 << 62, true, false),
        (translating, 0, 1 << 12, false, false),
        (translating, 0, 1 << 54, false, false),
        (translating, 1, 1 << 16, false, false),
        (translating, 1, 1 << 0, true, false),
        (translating, 2, 1 << 61, false, true),
        (translating, 2, 1 << 54, false, false),
        (translating, 3, 1 << 16, false, false),
        (translating, 3, 1 << 15, true, false),
    ];
    for (entry, word, change, memory, interrupt) in cases {
        for (half, used) in [(Half::Memory, memory), (Half::Interrupt, interrupt)] {
            let mut bench = Bench::genoa();
            bench.install(DEVICE, &entry);
            let address = if half == Half::Memory {
                0x5000
            } else {
                0xfee0_0000
            };
            bench.dma(DEVICE, address, Access::Write, None);
            let mut words = entry.words();
            words[word] ^= change;
            bench.put_entry(DEVICE, words);
            bench.dma(DEVICE, address, Access::Write, None);
            let found = bench.late(Rule::StaleDeviceEntry);
            assert_eq!(
                found,
                u64::from(used),
                "{entry:?} {word} {change:x} {half:?}"
            );
        }
    }
}

#[test]
fn a_mixture_of_two_entries_is_torn() {
    let (old, new) = (Dte::host(1, 0x1000, 3), Dte::host(2, 0x2000, 4));
    let mixture = [new.words()[0], old.words()[1], 0, 0];
    for (met, torn) in [(old.words(), false), (new.words(), false), (mixture, true)] {
        let mut bench = Bench::genoa();
        bench.install(DEVICE, &old);
        // Fetched anew while software is at work.
        bench.put_entry(DEVICE, met);
        bench.dma(DEVICE, 0x5000, Access::Read, None);
        bench.put_entry(DEVICE, new.words());
        assert_eq!(
            bench.late(Rule::TornDeviceEntry),
            0,
            "not known before it is settled"
        );
        invalidate(&mut bench);
        assert_eq!(
            bench.late(Rule::TornDeviceEntry),
            u64::from(torn),
            "{met:x?}"
        );
        bench.dma(DEVICE, 0x5000, Access::Read, None);
        invalidate(&mut bench);
        assert_eq!(bench.late(Rule::TornDeviceEntry), u64::from(torn));
    }
}

#[test]
fn halves_may_be_written_one_after_the_other_while_v_is_0() {
    let (old, new) = (Dte::default(), Dte::host(2, 0x2000, 4));
    let mut bench = Bench::genoa();
    bench.install(DEVICE, &old);
    let mut words = old.words();
    words[1] = new.words()[1];
    bench.put_entry(DEVICE, words);
    bench.dma(DEVICE, 0x5000, Access::Read, None);
    bench.put_entry(DEVICE, new.words());
    invalidate(&mut bench);
    assert_eq!(bench.late(Rule::TornDeviceEntry), 0);
}

#[test]
fn reserved_bits_of_valid_halves_are_violations() {
    for (entry, found) in [
        (
            Dte {
                extra: [1 << 5, 0, 0, 0],
                ..Dte::pass(1)
            },
            1,
        ),
        (
            Dte {
                extra: [1 << 5, 0, 0, 0],
                ..Dte::default()
            },
            0,
        ),
        (
            Dte {
                extra: [0, 0, 1 << 52, 0],
                ..Dte::pass(1)
            },
            0,
        ),
        (
            Dte {
                iv: true,
                extra: [0, 0, 1 << 52, 0],
                ..Dte::pass(1)
            },
            1,
        ),
        (
            Dte {
                mode: 7,
                ..Dte::pass(1)
            },
            0,
        ),
    ] {
        let mut bench = Bench::genoa();
        bench.install(DEVICE, &entry);
        bench.dma(DEVICE, 0x5000, Access::Read, None);
        assert_eq!(bench.late(Rule::ReservedEntryBit), found, "{entry:?}");
    }
}

#[test]
fn the_referee_looks_at_every_nth_use_or_never() {
    for (every, found) in [(0, 0), (1, 6), (2, 3), (3, 2)] {
        let mut config = Config::new(Features::genoa());
        config.check_hits = every;
        let mut bench = Bench::on(config);
        passes(&mut bench);
        bench.put_entry(DEVICE, Dte::blocked().words());
        for _ in 0..6 {
            passes(&mut bench);
            bench.late(Rule::StaleDeviceEntry);
        }
        assert_eq!(bench.late(Rule::StaleDeviceEntry), found);
    }
}

#[test]
fn more_requesters_than_the_cache_holds_are_served() {
    let mut bench = Bench::genoa();
    for round in 0..2u64 {
        for device in 0..2048u16 {
            if round == 0 {
                bench.put_entry(
                    device,
                    Dte::host(device, u64::from(device) << 12, 7).words(),
                );
            }
            bench.dma(device, 0x5000, Access::Read, None);
            let events = bench.events();
            assert_eq!((events[0].device(), events[0].domain()), (device, device));
        }
    }
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn a_reset_forgets_the_entries() {
    let mut bench = Bench::genoa();
    assert!(passes(&mut bench));
    bench.put_entry(DEVICE, Dte::blocked().words());
    Iommu::reset(&mut bench.iommu);
    bench.bring_up();
    assert!(!passes(&mut bench));
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn an_invalidation_judges_its_own_device_only() {
    let (old, new) = (Dte::host(1, 0x1000, 3), Dte::host(2, 0x2000, 4));
    let mut bench = Bench::genoa();
    bench.install(DEVICE, &old);
    bench.put_entry(DEVICE, new.words());
    bench.dma(DEVICE, 0x5000, Access::Read, None);
    bench.install(DEVICE + 1, &Dte::pass(9));
    assert_eq!(bench.late(Rule::TornDeviceEntry), 0);
    invalidate(&mut bench);
    assert_eq!(bench.late(Rule::TornDeviceEntry), 0);
}

#[test]
fn invalidate_all_settles_every_entry() {
    let mut bench = Bench::genoa();
    bench.install(DEVICE, &Dte::host(1, 0x1000, 3));
    for entry in [Dte::host(2, 0x2000, 4), Dte::host(3, 0x3000, 5)] {
        bench.put_entry(DEVICE, entry.words());
        bench.execute(&[command::invalidate_all()]);
        bench.dma(DEVICE, 0x5000, Access::Read, None);
    }
    bench.install(DEVICE, &Dte::host(4, 0x4000, 6));
    assert_eq!(bench.late(Rule::TornDeviceEntry), 0);
}
