// SPDX-License-Identifier: GPL-2.0

//! The command engine of a guest: when it runs and how it stops (hardware.md 6.5, OQ-33, OQ-36,
//! OQ-39).

use amd_iommu_model::config::{InterruptEdge, Readings, RefusedHead, UnmappedId};
use amd_iommu_model::schedule::Engine;

use crate::support::bench::control;
use crate::support::event::{ILLEGAL_COMMAND, VIOMMU_ERROR};
use crate::support::viommu::*;
use crate::support::{command, Dte, Logged, Rights, GUEST_OFFSET};

#[test]
fn the_engine_runs_while_every_enable_is_on() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let both = COMMAND_RUN | EVENT_RUN;
    assert_eq!(host.status(&guest), both);
    let table = [
        (control::IOMMU, 0),
        (control::VIOMMU, 0),
        (control::GUEST_APIC, 0),
        (control::GUEST_BUFFER_TRP, 0),
        (control::VCMD, EVENT_RUN),
    ];
    for (bit, left) in table {
        host.bench.clear_control(bit);
        assert_eq!(host.status(&guest), left, "{bit:x}");
        host.bench.set_control(bit);
        assert_eq!(host.status(&guest), both, "{bit:x}");
    }
    let register = host.get(&guest, ctl::COMMAND);
    host.set(&guest, ctl::COMMAND, register & !0x100);
    assert_eq!(host.status(&guest), EVENT_RUN);
    host.set(&guest, ctl::COMMAND, register);
    assert_eq!(host.status(&guest), both);
}

#[test]
fn commands_wait_for_the_engine_to_start() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let (gpa, spa) = host.place();
    host.bench.clear_control(control::VCMD);
    assert!(!host.submit(&guest, &[store(gpa, 7), store(gpa + 8, 8)]));
    assert_eq!(host.bench.machine.peek(spa), 0);
    host.bench.set_control(control::VCMD);
    assert_eq!(host.bench.machine.peek(spa), 7);
    assert_eq!(host.bench.machine.peek(spa + 8), 8);
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x20);
}

#[test]
fn the_ring_wraps() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let (gpa, spa) = host.place();
    for value in 1..=5 {
        let commands = [store(gpa, value); 200];
        assert!(host.submit(&guest, &commands));
        assert_eq!(host.bench.machine.peek(spa), value);
    }
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 1000 * 16 % 4096);
    assert_eq!(host.executed(&guest, 1), 1000);
}

#[test]
fn a_tail_beyond_a_ring_that_shrank_is_met() {
    for seed in [None, Some(1)] {
        let mut host = Host::with(config(Readings::default(), seed));
        let guest = host.guest(1, 9);
        let ring = guest.ring - GUEST_OFFSET;
        for number in 0..512 {
            let at = guest.ring + 16 * number;
            let none = command::completion_wait(None, false);
            host.bench.machine.poke_words(at, none);
        }
        host.set(&guest, ctl::COMMAND, ring | 9);
        host.set_vf(&guest, page::COMMAND_TAIL, 0x1800);
        host.set(&guest, ctl::COMMAND, ring | 8);
        host.set(&guest, ctl::COMMAND, ring | 0x108);
        host.bench.advance();
        assert_eq!(host.executed(&guest, 1), 0x80);
        assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x800);
    }
}

#[test]
fn a_completion_raises_the_interrupt_of_the_guest_when_enabled() {
    for (edge, second) in [(InterruptEdge::Rising, 1), (InterruptEdge::Every, 2)] {
        let mut host = Host::reading(|r| r.interrupt_edge = edge);
        let guest = host.running_guest(1);
        let wait = command::completion_wait(None, true);
        host.submit(&guest, &[wait]);
        assert_eq!(host.status(&guest) & WAIT_INT, WAIT_INT);
        assert_eq!(host.interrupts(&guest), 1);
        host.submit(&guest, &[wait]);
        assert_eq!(host.interrupts(&guest), second, "{edge:?}");
        host.set_vf(&guest, page::STATUS, WAIT_INT);
        host.submit(&guest, &[wait]);
        assert_eq!(host.interrupts(&guest), second + 1);
        host.set_vf(&guest, page::STATUS, WAIT_INT);
        let register = host.get(&guest, ctl::COMMAND);
        host.set(&guest, ctl::COMMAND, register & !0x200);
        host.submit(&guest, &[wait]);
        assert_eq!(host.status(&guest) & WAIT_INT, WAIT_INT);
        assert_eq!(host.interrupts(&guest), second + 1);
        assert!(host.bench.machine.interrupts.is_empty());
    }
}

#[test]
fn commands_of_the_host_and_bad_commands_stop_the_engine() {
    let illegal = [
        command::insert_guest_event(1),
        command::reset_vmmio(2),
        command::invalidate_all(),
        [0, 0, 0, 0],
        [0, 0xf000_0000, 0, 0],
        // No PPR, no PREFETCH, no IOTLB.
        [0, 0x7000_0000, 0, 0],
        [0, 0x6000_0000, 0, 0],
        command::invalidate_iotlb(1, None, 0, 0xfff),
        // Reserved bits.
        [0, 0x1010_0000, 0, 0],
        [0x1_0001, 0x2000_0000, 0, 0],
        [0, 0x3000_0001, 8, 0],
    ];
    for words in illegal {
        let mut host = Host::new();
        let (guest, other) = (host.running_guest(1), host.running_guest(2));
        host.map_device(&guest, 1, 0x300);
        host.map_domain(&guest, 1, 0x41);
        let before = host.get(&other, ctl::COMMAND);
        let none = command::completion_wait(None, false);
        assert!(!host.submit(&guest, &[none, words, none]), "{words:x?}");
        assert_eq!(host.status(&guest), EVENT_RUN);
        let events = host.bench.events();
        assert_eq!(events.len(), 1);
        let event = events[0];
        assert_eq!((event.code(), event.vflags()), (ILLEGAL_COMMAND, VCMD));
        assert_eq!(event.address(), guest.ring + 0x10);
        assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x10);
        // Nobody else stands still, and nothing of the other guest was reset.
        assert_eq!(host.status(&other), EVENT_RUN | COMMAND_RUN);
        assert_eq!(host.get(&other, ctl::COMMAND), before);
        host.bench.completion_wait();
        assert!(host.bench.violations().is_empty());
    }
}

#[test]
fn a_refused_command_leaves_the_head_as_configured_and_the_engine_restarts() {
    for (reading, head, stored) in [
        (RefusedHead::OnCommand, 0x10, [1, 2, 3]),
        (RefusedHead::BehindCommand, 0x20, [1, 0, 3]),
        (RefusedHead::AtTail, 0x30, [1, 0, 0]),
    ] {
        let mut host = Host::reading(|r| r.refused_head = reading);
        let guest = host.running_guest(1);
        let (gpa, spa) = host.place();
        let batch = [store(gpa, 1), [0; 4], store(gpa + 16, 3)];
        host.submit(&guest, &batch);
        assert_eq!(host.vf(&guest, page::COMMAND_HEAD), head, "{reading:?}");
        // A doorbell does not start an engine that stands.
        host.set_vf(&guest, page::COMMAND_TAIL, 0x30);
        assert_eq!(host.vf(&guest, page::COMMAND_HEAD), head);
        host.bench
            .machine
            .poke_words(guest.ring + 0x10, store(gpa + 8, 2));
        // Nor does a write that leaves the enables as they are.
        let register = host.get(&guest, ctl::COMMAND);
        host.set(&guest, ctl::COMMAND, register ^ 0x200);
        host.bench.set_control(control::COM_WAIT_INT);
        assert_eq!(host.status(&guest), EVENT_RUN);
        host.set(&guest, ctl::COMMAND, register & !0x100);
        host.set(&guest, ctl::COMMAND, register);
        let seen = [0, 8, 16].map(|at| host.bench.machine.peek(spa + at));
        assert_eq!(seen, stored, "{reading:?}");
        assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x30);
        assert_eq!(host.status(&guest), EVENT_RUN | COMMAND_RUN);
        assert_eq!(host.bench.events().len(), 1);
    }
}

/// A stop of the engine that VIOMMU_HARDWARE_ERROR reports, with a guest physical address.
fn assert_guest_fault(host: &mut Host, guest: &Guest, address: u64, write: bool) -> Logged {
    assert_eq!(host.status(guest), EVENT_RUN);
    let events = host.bench.events();
    assert_eq!(events.len(), 1);
    let event = events[0];
    assert_eq!((event.code(), event.vflags()), (VIOMMU_ERROR, VCMD));
    assert_eq!((event.device(), event.address()), (guest.gid, address));
    assert_eq!(event.write(), write);
    event
}

#[test]
fn a_fetch_that_fails_stops_the_engine() {
    let mut host = Host::new();
    let guest = host.guest(1, 8);
    // Just below the memory of the guest.
    let base = (1 << 32) - GUEST_OFFSET - 0x1000;
    host.set(&guest, ctl::COMMAND, base | 8);
    host.set(&guest, ctl::EVENT, (guest.log - GUEST_OFFSET) | 0x108);
    host.set(&guest, ctl::COMMAND, base | 0x108);
    host.set_vf(&guest, page::COMMAND_TAIL, 0x40);
    let event = assert_guest_fault(&mut host, &guest, base, false);
    assert!(!event.present());
    // A second doorbell costs the host nothing.
    host.set_vf(&guest, page::COMMAND_TAIL, 0x50);
    assert!(host.bench.events().is_empty());
}

#[test]
fn a_ring_in_memory_that_does_not_answer_stops_the_engine() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.bench.machine.remove(guest.ring);
    host.set_vf(&guest, page::COMMAND_TAIL, 0x10);
    assert_guest_fault(&mut host, &guest, guest.ring - GUEST_OFFSET, false);
}

#[test]
fn a_store_that_fails_stops_the_engine() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let page = 0x4000_0000;
    let to = host.bench.machine.page();
    host.parent
        .map(&mut host.bench.machine, page, to, 0x1000, Rights::READ);
    host.flush_parent();
    assert!(!host.submit(&guest, &[store(page + 8, 1)]));
    let event = assert_guest_fault(&mut host, &guest, page + 8, true);
    assert!(event.present() && event.permission());
    assert_eq!(host.bench.machine.peek(to + 8), 0);
}

#[test]
fn a_blocked_translate_id_stops_fetches() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.bench.install(guest.translate_id, &Dte::blocked());
    host.set_vf(&guest, page::COMMAND_TAIL, 0x10);
    assert_guest_fault(&mut host, &guest, guest.ring - GUEST_OFFSET, false);
}

#[test]
fn a_map_that_is_not_there_stops_the_engine_in_every_reading() {
    for &reading in UnmappedId::ALL {
        let mut host = Host::reading(|r| r.unmapped_id = reading);
        let guest = host.running_guest(1);
        host.private
            .unmap(&mut host.bench.machine, 0x10_0010_0000, 1 << 20);
        host.flush_private();
        assert!(!host.submit(&guest, &[command::invalidate_entry(3)]));
        assert_guest_fault(&mut host, &guest, 0x10_0010_0030, false);
        assert_eq!(host.bench.violations().len(), 1);
    }
}

#[test]
fn a_stalled_engine_fetches_nothing_and_goes_on_where_it_was() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let other = host.running_guest(2);
    let (gpa, spa) = host.place();
    let engine = Engine::GuestCommands(1);
    let bench = &mut host.bench;
    bench.iommu.set_stalled(&mut bench.machine, engine, true);
    assert!(!host.submit(&guest, &[store(gpa, 1), store(gpa, 2)]));
    assert!(host.submit(&other, &[store(gpa + 8, 3)]));
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0);
    assert_eq!(host.bench.machine.peek(spa), 0);
    assert_eq!(host.bench.machine.peek(spa + 8), 3);
    let bench = &mut host.bench;
    bench.iommu.set_stalled(&mut bench.machine, engine, false);
    assert_eq!(host.bench.machine.peek(spa), 2);
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x20);
}

#[test]
fn asynchronous_guests_finish_in_order_and_not_at_once() {
    let mut late = false;
    for seed in 0..8 {
        let mut host = Host::with(config(Readings::default(), Some(seed)));
        let guests = [1, 2, 3].map(|gid| host.running_guest(gid));
        let (gpa, spa) = host.place();
        for guest in guests {
            let at = gpa + 8 * u64::from(guest.gid);
            for value in 1..=20 {
                host.bench
                    .machine
                    .poke_words(guest.ring + 16 * (value - 1), store(at, value));
            }
            host.set_vf(&guest, page::COMMAND_TAIL, 0x140);
        }
        late |= guests.iter().any(|g| host.vf(g, page::COMMAND_HEAD) == 0);
        host.bench.advance();
        for guest in guests {
            assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 0x140);
            let seen = host.bench.machine.peek(spa + 8 * u64::from(guest.gid));
            assert_eq!(seen, 20);
        }
    }
    assert!(late, "every command was done when the doorbell returned");
}
