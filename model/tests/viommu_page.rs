// SPDX-License-Identifier: GPL-2.0

//! The VF page, RESET_VMMIO, and what the referee says of a driver's use of a guest ID
//! (hardware.md 5.4, 5.5, 6.1, 7.2, 10.15).

use amd_iommu_model::config::{DirtyShift, Readings, ResetScope};
use amd_iommu_model::referee::Rule;

use crate::support::viommu::*;
use crate::support::{command, Dte};

#[test]
fn pointers_beyond_the_ring_or_of_the_hardware_are_ignored() {
    let mut host = Host::new();
    let guest = host.guest(1, 8);
    for pointer in [
        page::COMMAND_HEAD,
        page::COMMAND_TAIL,
        page::EVENT_HEAD,
        page::EVENT_TAIL,
    ] {
        host.set_vf(&guest, pointer, 0xff0);
        assert_eq!(host.vf(&guest, pointer), 0xff0);
        host.set_vf(&guest, pointer, 0x1000);
        assert_eq!(host.vf(&guest, pointer), 0xff0);
        host.set_vf(&guest, pointer, 0xffff_ffff_fff8_004f);
        assert_eq!(host.vf(&guest, pointer), 0x40);
    }
    host.enable(&guest);
    host.set_vf(&guest, page::COMMAND_HEAD, 0x80);
    host.set_vf(&guest, page::EVENT_TAIL, 0x80);
    host.set_vf(&guest, page::EVENT_HEAD, 0x80);
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x40);
    assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0x40);
    assert_eq!(host.vf(&guest, page::EVENT_HEAD), 0x80);
    // What a guest does in its page is not the driver's fault.
    assert!(host.bench.violations().is_empty());
}

#[test]
fn status_bits_are_cleared_by_ones_and_run_bits_are_not() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.submit(&guest, &[command::completion_wait(None, true)]);
    let running = EVENT_RUN | COMMAND_RUN;
    assert_eq!(host.status(&guest), running | WAIT_INT);
    host.set_vf(&guest, page::STATUS, !WAIT_INT);
    assert_eq!(host.status(&guest), running | WAIT_INT);
    let at = (1 << 12) + page::STATUS;
    let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
    iommu.vf_write(machine, at + 4, 4, u64::MAX);
    assert_eq!(host.status(&guest), running | WAIT_INT);
    host.set_vf(&guest, page::STATUS, u64::MAX);
    assert_eq!(host.status(&guest), running);
}

#[test]
fn page_request_and_second_log_registers_of_the_page_read_0() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    for offset in (0x28..0x1000).step_by(8) {
        host.set_vf(&guest, offset, u64::MAX);
        assert_eq!(host.vf(&guest, offset), 0);
    }
}

#[test]
fn a_careful_driver_breaks_no_rule() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.map_device(&guest, 0x108, 0x300);
    host.map_domain(&guest, 1, 0x11);
    assert!(host.submit(&guest, &[command::invalidate_entry(0x108)]));
    let off = host.get(&guest, ctl::COMMAND) & !0x100;
    host.set(&guest, ctl::COMMAND, off);
    host.set(&guest, ctl::EVENT, 0);
    host.set(&guest, ctl::MISC, 0);
    assert!(host.bench.events().is_empty());
    assert!(host.bench.violations().is_empty());
}

#[test]
fn a_guest_without_reset_is_a_violation() {
    let mut host = Host::new();
    host.set(&stranger(1), ctl::MISC, 0xfff0_0000);
    assert_eq!(host.broken(Rule::GuestNotReset), 1);
    // The command engine alone is not the guest.
    host.bench.submit(&[[0x8000_0002, 0xa000_0000, 0, 0]]);
    host.set(&stranger(2), ctl::MISC, 0xfff0_0000);
    assert_eq!(host.broken(Rule::GuestNotReset), 2);
}

#[test]
fn a_guest_id_that_was_given_back_needs_a_reset_again() {
    let mut host = Host::new();
    let first = host.running_guest(1);
    let ring = host.get(&first, ctl::COMMAND);
    // The end of a guest (hardware.md 7.9).
    host.set(&first, ctl::COMMAND, ring & !0x100);
    host.set(&first, ctl::EVENT, 0);
    host.set(&first, ctl::DEVICE_MAP, map_value(1, 0, false));
    host.set(&first, ctl::MISC, 0);
    assert_eq!(host.broken(Rule::GuestNotReset), 0);
    let second = host.running_guest(1);
    assert_eq!(host.broken(Rule::GuestNotReset), 0, "{second:x?}");
    host.set(&second, ctl::COMMAND, 0);
    host.set(&second, ctl::EVENT, 0);
    host.set(&second, ctl::MISC, 0);
    host.set(&second, ctl::MISC, 0xfff0_0000);
    assert_eq!(host.broken(Rule::GuestNotReset), 1);
    // Nor is it new before it was taken away: 0 is no translate device ID.
    let mut host = Host::new();
    let guest = host.guest(2, 8);
    host.set(&guest, ctl::MISC, 0xffe0_0000);
    host.set(&guest, ctl::EVENT, 0);
    assert_eq!(host.broken(Rule::GuestNotReset), 0);
}

#[test]
fn a_translate_id_that_stops_translating_under_an_engine_is_a_violation() {
    for entry in [
        Dte::default(),
        Dte::blocked(),
        Dte::pass(1),
        Dte {
            tv: false,
            ..Dte::host(1, 0x1_0000_0000, 4)
        },
    ] {
        let mut host = Host::new();
        let guest = host.running_guest(1);
        host.bench.install(guest.translate_id, &entry);
        assert_eq!(host.broken(Rule::TranslateIdInvalid), 0);
        assert!(!host.submit(&guest, &[command::completion_wait(None, false)]));
        assert_eq!(host.broken(Rule::TranslateIdInvalid), 1, "{entry:x?}");
        assert_eq!(host.broken(Rule::PrivateUnmapped), 0);
    }
    // An address that is not there is the guest's own mistake.
    let mut host = Host::new();
    let guest = host.running_guest(1);
    assert!(!host.submit(&guest, &[store(0x1000, 1)]));
    assert_eq!(host.bench.events().len(), 1);
    assert!(host.bench.violations().is_empty());
}

#[test]
fn an_entry_of_the_iommu_itself_that_stops_translating_is_a_violation() {
    for entry in [Dte::default(), Dte::blocked(), Dte::pass(1)] {
        let mut host = Host::new();
        let guest = host.running_guest(1);
        let own = host.bench.iommu.config().device_id;
        host.bench.install(own, &entry);
        assert_eq!(host.broken(Rule::PrivateUnmapped), 0);
        host.submit(&guest, &[command::completion_wait(None, false)]);
        assert_eq!(host.broken(Rule::PrivateUnmapped), 1, "{entry:x?}");
        assert_eq!(host.broken(Rule::TranslateIdInvalid), 0);
    }
}

#[test]
fn an_engine_without_a_translate_id_that_translates_is_a_violation() {
    let entries = [
        (Dte::default(), 1),
        (Dte::blocked(), 1),
        (Dte::pass(1), 1),
        (
            Dte {
                tv: false,
                ..Dte::host(1, 0x1_0000_0000, 4)
            },
            1,
        ),
        (Dte::host(1, 0x1_0000_0000, 4), 0),
    ];
    for (entry, violations) in entries {
        let mut host = Host::new();
        let guest = host.guest(1, 8);
        host.bench.install(guest.translate_id, &entry);
        host.set(&guest, ctl::COMMAND, 0x8000_0108);
        assert_eq!(host.broken(Rule::TranslateIdInvalid), violations);
    }
    let mut host = Host::new();
    let guest = host.guest(1, 8);
    let parent = Dte::host(0x10, host.parent.root, 4);
    host.bench.install(0, &parent);
    host.set(&guest, ctl::MISC, 0);
    host.set(&guest, ctl::EVENT, 0x8000_0108);
    assert_eq!(host.broken(Rule::TranslateIdInvalid), 1);
}

#[test]
fn queues_and_translate_id_stand_still_while_enabled() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let (ring, log) = (host.get(&guest, ctl::COMMAND), host.get(&guest, ctl::EVENT));
    host.set(&guest, ctl::COMMAND, (ring ^ 0x1001) & !0x200);
    assert_eq!(host.get(&guest, ctl::COMMAND), ring & !0x200);
    assert_eq!(host.broken(Rule::GuestBusy), 1);
    host.set(&guest, ctl::EVENT, log ^ 0x1000);
    assert_eq!(host.get(&guest, ctl::EVENT), log);
    assert_eq!(host.broken(Rule::GuestBusy), 2);
    host.set(&guest, ctl::MISC, 0xffe0_0000);
    assert_eq!(host.get(&guest, ctl::MISC), 0xffe0_0000);
    assert_eq!(host.broken(Rule::GuestBusy), 3);
    assert_eq!(host.broken(Rule::TranslateIdInvalid), 1);
    // Off and elsewhere in one write is off first.
    host.set(&guest, ctl::COMMAND, 0x8000_0209);
    assert_eq!(host.get(&guest, ctl::COMMAND), 0x8000_0209);
    assert_eq!(host.broken(Rule::GuestBusy), 3);
}

/// Everything that a guest's registers show.
fn image(host: &mut Host, guest: &Guest) -> Vec<u64> {
    let block = (0..0x40).step_by(8).map(|at| (at, true));
    let page = (0..0x80).step_by(8).map(|at| (at, false));
    let mut seen = Vec::new();
    for (at, control) in block.chain(page) {
        seen.push(if control {
            host.get(guest, at)
        } else {
            host.vf(guest, at)
        });
    }
    seen
}

#[test]
fn reset_clears_one_guest_and_its_maps_stay() {
    let mut host = Host::new();
    let (one, two) = (host.running_guest(1), host.running_guest(2));
    for guest in [&one, &two] {
        host.map_device(guest, 1, 0x300);
        host.map_domain(guest, 1, 0x11);
        host.submit(guest, &[command::completion_wait(None, true)]);
    }
    let before = image(&mut host, &two);
    host.bench.submit(&[command::reset_vmmio(1)]);
    assert_eq!(image(&mut host, &one), [0; 24]);
    assert_eq!(image(&mut host, &two), before);
    assert_ne!(host.bench.machine.peek(one.devices + 0x10), 0);
    assert_ne!(host.bench.machine.peek(one.domains + 8), 0);
    assert!(host.bench.violations().is_empty());
}

#[test]
fn reset_of_the_command_engine_leaves_the_event_log() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.submit(&guest, &[command::completion_wait(None, true)]);
    let events = host.get(&guest, ctl::EVENT);
    host.bench.submit(&[[1, 0xa000_0000, 0, 0]]);
    assert_eq!(
        host.status(&guest),
        EVENT_RUN | COMMAND_RUN | WAIT_INT,
        "neither bit names an engine"
    );
    host.bench.submit(&[[0x8000_0001, 0xa000_0000, 0, 0]]);
    assert_eq!(host.status(&guest), EVENT_RUN);
    assert_eq!(host.get(&guest, ctl::COMMAND), 0);
    assert_eq!(host.vf(&guest, page::COMMAND_TAIL), 0);
    assert_eq!(host.get(&guest, ctl::EVENT), events);
    assert_ne!(host.get(&guest, ctl::MISC), 0);
}

#[test]
fn the_dirty_bit_is_set_by_a_doorbell_and_cleared_by_reset_in_one_reading() {
    // gid, byte with shift 4, byte with shift 5, bit (hardware.md 10.15).
    let table = [
        (0x1, 0x10, 0x20, 0),
        (0xff, 0xff0, 0x1fe0, 0),
        (0x100, 0x0, 0x0, 1),
        (0x7fff, 0xffc, 0x1fec, 31),
    ];
    for (gid, four, five, bit) in table {
        for (shift, byte) in [(DirtyShift::Four, four), (DirtyShift::Five, five)] {
            for scope in [ResetScope::Registers, ResetScope::RegistersAndDirty] {
                let change = |r: &mut Readings| (r.dirty_shift, r.reset_scope) = (shift, scope);
                let mut host = Host::reading(change);
                let guest = host.running_guest(gid);
                let word = host.first + 0x40_0000 + (byte & !7);
                let mask = 1 << (bit + 8 * (byte & 4));
                host.bench.machine.poke(word, !mask & 0xff00_ff00_ff00_ff00);
                host.submit(&guest, &[command::completion_wait(None, false)]);
                let set = host.bench.machine.peek(word);
                assert_eq!(set, 0xff00_ff00_ff00_ff00 | mask, "{gid:x}");
                host.bench.submit(&[command::reset_vmmio(gid)]);
                let left = host.bench.machine.peek(word) & mask != 0;
                assert_eq!(left, scope == ResetScope::Registers);
            }
        }
    }
}

#[test]
fn a_doorbell_that_brings_no_work_leaves_the_dirty_bit() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let word = host.first + 0x40_0020;
    host.set_vf(&guest, page::COMMAND_TAIL, 0);
    assert_eq!(host.bench.machine.peek(word), 0, "nothing is in the ring");
    let register = host.get(&guest, ctl::COMMAND);
    host.set(&guest, ctl::COMMAND, register & !0x100);
    host.set_vf(&guest, page::COMMAND_TAIL, 0x10);
    assert_eq!(host.bench.machine.peek(word), 0, "the engine is off");
}
