// SPDX-License-Identifier: GPL-2.0

//! The two levels of the table: what is checked, what is kept.

use amd_iommu_model::config::{ExternalLengths, InterruptRead};
use amd_iommu_model::referee::Rule;

use super::{message, refusal, Scene, GID, NOT_PRESENT, OWN, RESERVED};
use crate::support::viommu::VCMD;
use crate::support::{command, Dte, Irte, IrteTable, Logged};

#[test]
fn entries_of_both_levels_are_checked() {
    let good = Irte::fixed(3, 0x51);
    let quiet = Irte {
        quiet: true,
        ..Irte::default()
    };
    for (first, entry, word) in [
        (0, good, Some(NOT_PRESENT)),
        (1 << 1, good, Some(RESERVED)),
        (1 << 52, good, Some(RESERVED)),
        (!0, Irte::default(), Some(NOT_PRESENT)),
        (!0, Irte { kind: 2, ..good }, Some(RESERVED)),
        (
            !0,
            Irte {
                guest: true,
                ..good
            },
            Some(RESERVED),
        ),
        (!0, quiet, None),
        (
            !0,
            Irte {
                quiet: true,
                kind: 2,
                ..good
            },
            None,
        ),
    ] {
        let mut scene = Scene::new();
        let place = scene.first + 8;
        let value = match first {
            0 => 0,
            u64::MAX => scene.host.bench.machine.peek(place),
            bit => scene.host.bench.machine.peek(place) | bit,
        };
        scene.host.bench.machine.poke(place, value);
        scene.put(&entry);
        scene.complete();
        let expected = word.map(|word| refusal(word, VCMD)).unwrap_or_default();
        assert_eq!(scene.events(), expected, "{first:x} {entry:?}");
        assert_eq!(scene.delivered(), 0);
        // Not to be valid is no mistake.
        let reserved = first != 0 && entry != Irte::default() && entry != quiet;
        let broken = scene.host.broken(Rule::ReservedInterruptBit);
        assert_eq!(broken, u64::from(reserved), "{first:x} {entry:?}");
    }
}

/// OQ-42, at both levels.
#[test]
fn a_level_that_cannot_be_read_is_a_hardware_error_or_nothing() {
    for second in [false, true] {
        for (reading, logged) in [
            (InterruptRead::HardwareError, true),
            (InterruptRead::Silent, false),
        ] {
            let mut scene = Scene::reading(|readings| readings.interrupt_read = reading);
            let index = u64::from(GID & 0xff);
            let place = match second {
                true => scene.second.place(index),
                false => scene.first + 8,
            };
            scene.host.bench.machine.remove(place);
            scene.complete();
            let dw0 = u32::from(OWN) | u32::from(VCMD) << 27;
            let event = Logged([dw0, 0x4408_0020, place as u32, (place >> 32) as u32]);
            let expected = if logged { vec![event] } else { vec![] };
            assert_eq!(scene.events(), expected, "{second}");
            assert_eq!(scene.host.broken(Rule::InterruptTableUnreadable), 1);
        }
    }
}

/// OQ-18: lengths that bound the index of every guest, or those that are known.
#[test]
fn lengths_bound_the_indices_or_have_to_be_those_that_are_known() {
    for (first, second, limits, exact) in [
        (10, 8, Ok(()), Ok(())),
        (1, 8, Ok(()), Err(RESERVED)),
        (0, 8, Err(NOT_PRESENT), Err(RESERVED)),
        (10, 3, Ok(()), Err(RESERVED)),
        (10, 2, Err(NOT_PRESENT), Err(RESERVED)),
    ] {
        for (reading, expected) in [
            (ExternalLengths::Limits, limits),
            (ExternalLengths::Exact, exact),
        ] {
            let mut scene = Scene::reading(|readings| readings.external_lengths = reading);
            let place = scene.first + 8;
            let value = scene.second.at | second << 2 | 1;
            scene.host.bench.machine.poke(place, value);
            let own = Dte {
                int_tab_len: first,
                ..scene.own
            };
            scene.host.bench.install(OWN, &own);
            let sent = scene.complete();
            assert_eq!(scene.delivered(), u64::from(expected.is_ok()));
            assert_eq!(sent == message(0xfee0_3000, 0x51), expected.is_ok());
            let events = expected.err().map(|word| refusal(word, VCMD));
            assert_eq!(scene.events(), events.unwrap_or_default());
            let known = (first, second) == (10, 8);
            let found = scene.host.broken(Rule::ExternalTableLength);
            assert_eq!(found == 0, known, "{first} {second}");
        }
    }
}

#[test]
fn a_level_that_is_not_aligned_is_named() {
    let mut scene = Scene::new();
    let own = Dte {
        int_table: scene.first + 0x40,
        ..scene.own
    };
    scene.host.bench.install(OWN, &own);
    scene.complete();
    assert_eq!(scene.host.broken(Rule::InterruptTableMisaligned), 1);

    let mut scene = Scene::new();
    let second = scene.second.at + 0x40;
    let place = scene.first + 8;
    scene.host.bench.machine.poke(place, second | 8 << 2 | 1);
    scene.complete();
    assert_eq!(scene.host.broken(Rule::InterruptTableMisaligned), 1);
}

/// Entries of both levels are kept until the own table is invalidated.
#[test]
fn a_changed_level_is_found_after_the_invalidation_of_the_own_table() {
    for second in [false, true] {
        let mut scene = Scene::new();
        scene.complete();
        let index = u64::from(GID & 0xff);
        let new = Irte::fixed(4, 0x61);
        let machine = &mut scene.host.bench.machine;
        if second {
            scene.second.put(machine, index, &new);
        } else {
            let other = IrteTable::new(machine, true);
            other.put(machine, index, &new);
            machine.poke(scene.first + 8, other.at | 8 << 2 | 1);
        }
        let wrong = [command::invalidate_interrupts(0x300)];
        scene.host.bench.execute(&wrong);
        assert_eq!(scene.complete(), message(0xfee0_3000, 0x51), "{second}");
        scene.invalidate();
        assert_eq!(scene.complete(), message(0xfee0_4000, 0x61), "{second}");
        assert_eq!(scene.host.bench.late(Rule::StaleInterruptEntry), 0);
    }
}

#[test]
fn an_old_entry_of_a_guest_that_is_never_invalidated_is_a_violation() {
    for taken_away in [false, true] {
        let mut scene = Scene::new();
        scene.complete();
        if taken_away {
            scene.host.bench.machine.poke(scene.first + 8, 0);
        } else {
            let new = Irte::fixed(4, 0x61);
            let index = u64::from(GID & 0xff);
            scene.second.put(&mut scene.host.bench.machine, index, &new);
        }
        scene.complete();
        assert_eq!(scene.host.bench.late(Rule::StaleInterruptEntry), 1);
    }
}

/// W116, W118: where the entries of guest IDs are.
#[test]
fn each_guest_has_the_entry_of_its_external_id() {
    for (gid, first, second) in [(1, 0, 1), (0x7fff, 0x7f, 0xff), (0x00ff, 0, 0xff)] {
        let mut scene = Scene::new();
        let machine = &mut scene.host.bench.machine;
        machine.poke(scene.first + 8, 0);
        let place = scene.first + 8 * first;
        machine.poke(place, scene.second.at | 8 << 2 | 1);
        let entry = Irte::fixed(7, 0x71);
        scene.second.put(machine, second, &entry);
        scene.invalidate();
        scene.guest = scene.host.running_guest(gid);
        scene.host.bench.machine.interrupts.clear();
        assert_eq!(scene.complete(), message(0xfee0_7000, 0x71), "{gid:x}");
    }
}
