// SPDX-License-Identifier: GPL-2.0

//! GAUpdateDis, a feature that no preset has: A in guest tables stays as it is (hardware.md 2.1,
//! 2.3, 4.2); and how much of an entry's address an event shows (OQ-32).

use amd_iommu_model::config::{EntryAddress, Features};
use amd_iommu_model::request::Access;
use amd_iommu_model::Config;

use crate::support::bench::reg;
use crate::support::event::TABLE_ERROR;
use crate::support::stage::{Stage, A, D, DEVICE, DOMAIN};
use crate::support::{Bench, Dte, HostTables, Rights};

/// EFR bit GAUpdateDisSup.
const FEATURE: u64 = 1 << 61;
/// Control bit GAUpdateDis.
const CONTROL: u64 = 1 << 54;

fn bench(efr: u64) -> Bench {
    let mut features = Features::genoa();
    features.efr |= efr;
    Bench::on(Config::new(features))
}

#[test]
fn the_control_bit_is_there_with_its_feature_only() {
    for (efr, kept) in [(0, 0), (FEATURE, CONTROL)] {
        let mut bench = bench(efr);
        bench.set_control(CONTROL);
        assert_eq!(bench.get(reg::CONTROL) & CONTROL, kept);
        assert_eq!(bench.violations().len(), usize::from(kept == 0));
    }
    for features in [Features::genoa(), Features::v2(), Features::basic()] {
        assert_eq!(features.efr & FEATURE, 0);
    }
}

#[test]
fn the_feature_needs_guest_tables() {
    let mut features = Features::v2();
    features.efr |= FEATURE;
    assert_eq!(features.check(), Ok(()));
    let mut features = Features::basic();
    features.efr |= FEATURE;
    assert!(features.check().is_err());
}

#[test]
fn a_stays_while_the_bit_is_set_and_d_does_not() {
    for (control, access, expected) in [
        (0, Access::Read, A),
        (0, Access::Write, A | D),
        (CONTROL, Access::Read, 0),
        (CONTROL, Access::Write, D),
    ] {
        let mut stage = Stage::on(bench(FEATURE), false, 4, 0, 0);
        stage.bench.set_control(control);
        let page = stage.bench.machine.page();
        stage.map(0x5000, page, 0x1000, Rights::ALL);
        let path = stage.tables.path(&stage.bench.machine, 0x5000);
        for &entry in &path {
            let value = stage.bench.machine.peek(entry);
            stage.bench.machine.poke(entry, value & !(A | D));
        }
        assert_eq!(stage.target(0x5000, access, None), Some(page));
        let (leaf, above) = path.split_last().unwrap();
        assert_eq!(stage.bench.machine.peek(*leaf) & (A | D), expected);
        for entry in above {
            assert_eq!(stage.bench.machine.peek(*entry) & (A | D), expected & A);
        }
    }
}

#[test]
fn the_address_of_an_entry_is_shown_by_8_or_by_16_bytes() {
    for (reading, unseen) in [(EntryAddress::From3, 0), (EntryAddress::From4, 8)] {
        let mut config = Config::new(Features::genoa());
        config.readings.entry_address = reading;
        let mut bench = Bench::on(config);
        let tables = HostTables::new(&mut bench.machine, 3);
        bench.install(DEVICE, &Dte::host(DOMAIN, tables.root, 3));
        for address in [0x5000, 0x6000] {
            let at = tables.entry(&mut bench.machine, address, 1);
            bench.machine.remove(at);
            assert_eq!(bench.target(DEVICE, address, Access::Read), None);
            let events = bench.events();
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].code(), TABLE_ERROR);
            assert_eq!(events[0].address(), at & !unseen, "{reading:?}");
            let latched = bench.get(reg::HW_EVENT_HIGH);
            assert_eq!(latched, at & !unseen, "{reading:?}");
            bench.machine.add(at);
        }
    }
}

#[test]
fn other_addresses_are_shown_in_full_in_both_readings() {
    for &reading in EntryAddress::ALL {
        let mut config = Config::new(Features::genoa());
        config.readings.entry_address = reading;
        let mut bench = Bench::on(config);
        bench.install(DEVICE, &Dte::blocked());
        bench.target(DEVICE, 0x5008, Access::Read);
        assert_eq!(bench.events()[0].address(), 0x5008);
    }
}
