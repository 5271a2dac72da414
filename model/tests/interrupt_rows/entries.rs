// SPDX-License-Identifier: GPL-2.0

//! The rows of the table that are about entries of interrupt tables.

use amd_iommu_model::config::{Features, InterruptRead};
use amd_iommu_model::Config;

use super::{both_forms, Scene, DEVICE, NOT_PRESENT, RESERVED};
use crate::support::bench::reg;
use crate::support::{Dte, Irte, Logged};

#[test]
fn an_entry_that_is_not_valid_or_reserved_is_a_page_fault() {
    let good = Irte::fixed(5, 0x41);
    for long in both_forms() {
        for (entry, expected) in [
            (good, None),
            (Irte { kind: 1, ..good }, None),
            (Irte { eoi: true, ..good }, None),
            (
                Irte {
                    valid: false,
                    ..good
                },
                Some(NOT_PRESENT),
            ),
            (Irte::default(), Some(NOT_PRESENT)),
            (Irte { kind: 2, ..good }, Some(RESERVED)),
            (Irte { kind: 4, ..good }, Some(RESERVED)),
            (Irte { kind: 7, ..good }, Some(RESERVED)),
            (
                Irte {
                    guest: true,
                    ..good
                },
                Some(RESERVED),
            ),
        ] {
            let (sent, word) = Scene::new(long).entry(&entry, false);
            assert_eq!(
                (sent.is_some(), word),
                (expected.is_none(), expected),
                "{entry:?}"
            );
        }
    }
}

#[test]
fn each_reserved_bit_of_an_entry_counts_while_it_is_valid() {
    let reserved = |long: bool, index: u32| match (long, index) {
        (false, _) => index >= 24,
        (true, _) => (72..76).contains(&index) || (116..120).contains(&index),
    };
    // The flags have their own test.
    for (long, index) in (8..32)
        .map(|i| (false, i))
        .chain((8..128).map(|i| (true, i)))
    {
        for valid in both_forms() {
            let extra = match index {
                0..64 => [1 << index, 0],
                _ => [0, 1 << (index - 64)],
            };
            let entry = Irte {
                extra,
                valid,
                ..Irte::default()
            };
            let expected = match (valid, reserved(long, index)) {
                (false, _) => Some(NOT_PRESENT),
                (true, true) => Some(RESERVED),
                (true, false) => None,
            };
            let (_, word) = Scene::new(long).entry(&entry, false);
            assert_eq!(word, expected, "{long} {index} {valid}");
        }
    }
}

/// IG of the device-table entry, SupIOPF or NoFault of the table's entry; the write still aborts.
#[test]
fn page_faults_of_interrupts_can_be_kept_quiet() {
    for long in both_forms() {
        for bad in [
            Irte::default(),
            Irte {
                kind: 3,
                ..Irte::fixed(5, 0x41)
            },
        ] {
            for (quiet, ig) in [(true, false), (false, true), (true, true)] {
                let found = Scene::new(long).entry(&Irte { quiet, ..bad }, ig);
                assert_eq!(found, (None, None), "{long} {quiet} {ig}");
            }
        }
    }
}

/// OQ-42. Neither IG nor anything else suppresses a hardware error, and the registers latch it.
#[test]
fn a_table_that_cannot_be_read_is_a_hardware_error_or_nothing() {
    for (reading, logged) in [
        (InterruptRead::HardwareError, true),
        (InterruptRead::Silent, false),
    ] {
        for long in both_forms() {
            let mut config = Config::new(Features::genoa());
            config.readings.interrupt_read = reading;
            let mut scene = Scene::on(config, long);
            scene.bench.machine.remove(scene.table.at);
            let entry = Dte {
                ig: true,
                ..scene.table.remapping(9)
            };
            scene.bench.install(DEVICE, &entry);
            assert_eq!(scene.bench.interrupt(DEVICE, 0x25), None);
            let at = scene.table.place(0x25) & !7;
            let event = Logged([0x300, 0x4408_0005, at as u32, (at >> 32) as u32]);
            let expected: &[Logged] = if logged { &[event] } else { &[] };
            assert_eq!(scene.bench.events(), expected, "{long}");
            let latched = scene.bench.get(reg::HW_EVENT_STATUS);
            assert_eq!(latched, u64::from(logged));
            assert_eq!(
                scene.bench.get(reg::HW_EVENT_HIGH),
                if logged { at } else { 0 }
            );
        }
    }
}
