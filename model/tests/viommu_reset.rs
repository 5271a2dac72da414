// SPDX-License-Identifier: GPL-2.0

//! What the bits of RESET_VMMIO reach, in each reading (OQ-8, OQ-30).

use amd_iommu_model::config::{ResetFlags, ResetScope};
use amd_iommu_model::referee::Rule;

use crate::support::bench::control;
use crate::support::command;
use crate::support::viommu::*;

const ALL: u32 = 1 << 28;
const VCMD_BIT: u32 = 1 << 31;

/// Whether each part of a guest stands at 0: the command engine, the event log, the rest.
#[derive(Debug, PartialEq, Eq)]
struct Cleared {
    commands: bool,
    events: bool,
    misc: bool,
}

/// A guest whose every register holds something, both engines running.
fn busy(host: &mut Host) -> Guest {
    let guest = host.running_guest(1);
    host.map_device(&guest, 5, 6);
    host.map_domain(&guest, 5, 6);
    host.submit(&guest, &[command::completion_wait(None, true)]);
    host.set_vf(&guest, page::EVENT_HEAD, 0x20);
    guest
}

/// Whether all of these are 0; a part must not be reset by halves.
fn zero(values: &[u64]) -> bool {
    let zeros = values.iter().filter(|value| **value == 0).count();
    assert!(zeros == 0 || zeros == values.len(), "{values:x?}");
    zeros > 0
}

fn cleared(host: &mut Host, guest: &Guest) -> Cleared {
    let status = host.status(guest);
    let pointers = [page::COMMAND_HEAD, page::COMMAND_TAIL, page::EVENT_HEAD];
    let [head, tail, event_head] = pointers.map(|pointer| host.vf(guest, pointer));
    let registers = [ctl::COMMAND, ctl::EVENT, ctl::MISC];
    let [command, event, misc] = registers.map(|register| host.get(guest, register));
    let maps = [ctl::DEVICE_MAP, ctl::DOMAIN_MAP].map(|register| host.get(guest, register));
    Cleared {
        commands: zero(&[head, tail, command, status & COMMAND_RUN, status & WAIT_INT]),
        events: zero(&[event_head, event, status & EVENT_RUN]),
        misc: zero(&[misc, maps[0], maps[1]]),
    }
}

#[test]
fn each_reading_of_all_and_vcmd_reaches_its_part() {
    let everything = [true; 3];
    let commands = [true, false, false];
    let others = [false, true, true];
    let table = [
        (ResetFlags::Engine, ALL, everything),
        (ResetFlags::Engine, VCMD_BIT, commands),
        (ResetFlags::Apart, ALL, others),
        (ResetFlags::Apart, VCMD_BIT, commands),
        (ResetFlags::Whole, ALL, everything),
        (ResetFlags::Whole, VCMD_BIT, everything),
    ];
    for (reading, bits, [commands, events, misc]) in table {
        let mut host = Host::reading(|r| r.reset_flags = reading);
        let guest = busy(&mut host);
        host.bench.submit(&[[bits | 1, 0xa000_0000, 0, 0]]);
        let expected = Cleared {
            commands,
            events,
            misc,
        };
        assert_eq!(cleared(&mut host, &guest), expected, "{reading:?} {bits:x}");
    }
}

#[test]
fn both_bits_are_everything_and_none_is_nothing_in_every_reading() {
    for &reading in ResetFlags::ALL {
        for (bits, expected) in [(ALL | VCMD_BIT, true), (0, false)] {
            let mut host = Host::reading(|r| r.reset_flags = reading);
            let guest = busy(&mut host);
            host.bench.submit(&[[bits | 1, 0xa000_0000, 0, 0]]);
            let all = Cleared {
                commands: expected,
                events: expected,
                misc: expected,
            };
            assert_eq!(cleared(&mut host, &guest), all, "{reading:?} {bits:x}");
        }
    }
}

#[test]
fn an_engine_that_all_leaves_alone_goes_on() {
    let mut host = Host::reading(|r| r.reset_flags = ResetFlags::Apart);
    let guest = busy(&mut host);
    host.bench.submit(&[[ALL | 1, 0xa000_0000, 0, 0]]);
    host.set(&guest, ctl::MISC, u64::from(guest.translate_id) << 16);
    let (gpa, spa) = host.place();
    assert!(host.submit(&guest, &[store(gpa, 7)]));
    assert_eq!(host.bench.machine.peek(spa), 7);
}

#[test]
fn a_reset_by_halves_begins_no_life() {
    for (reading, bits, begins) in [
        (ResetFlags::Engine, ALL, true),
        (ResetFlags::Engine, VCMD_BIT, false),
        (ResetFlags::Apart, ALL, false),
        (ResetFlags::Apart, ALL | VCMD_BIT, true),
        (ResetFlags::Whole, VCMD_BIT, true),
    ] {
        let mut host = Host::reading(|r| r.reset_flags = reading);
        host.bench.submit(&[[bits | 3, 0xa000_0000, 0, 0]]);
        host.set(&stranger(3), ctl::EVENT, 8);
        let expected = u64::from(!begins);
        assert_eq!(
            host.broken(Rule::GuestNotReset),
            expected,
            "{reading:?} {bits:x}"
        );
    }
}

#[test]
fn misc_and_map_registers_survive_in_one_reading() {
    for (reading, kept) in [
        (ResetScope::Registers, false),
        (ResetScope::RegistersButMisc, true),
    ] {
        let mut host = Host::reading(|r| r.reset_scope = reading);
        let guest = busy(&mut host);
        host.bench.submit(&[command::reset_vmmio(1)]);
        let expected = Cleared {
            commands: true,
            events: true,
            misc: !kept,
        };
        assert_eq!(cleared(&mut host, &guest), expected, "{reading:?}");
        let table = host.bench.machine.peek(guest.devices + 0x50);
        assert_ne!(table, 0, "the maps in memory are not touched");
    }
}

#[test]
fn a_reset_while_the_viommu_is_off_reaches_the_same() {
    let mut host = Host::new();
    let guest = busy(&mut host);
    host.bench.clear_control(control::VIOMMU);
    host.bench.submit(&[command::reset_vmmio(1)]);
    host.bench.set_control(control::VIOMMU);
    let all = Cleared {
        commands: true,
        events: true,
        misc: true,
    };
    assert_eq!(cleared(&mut host, &guest), all);
}
