// SPDX-License-Identifier: GPL-2.0

//! One access never does much: what is left of long rings and of many guests is done by later
//! calls, and nobody is forgotten.

use amd_iommu_model::config::{GuestInvalidateAll, Readings};

use crate::support::bench::{control, reg};
use crate::support::command;
use crate::support::viommu::*;

/// More commands than this in one call hold the machine too long.
const MOST: u64 = 1024;
/// A pause after a long call that leaves the machine time to do something else.
const PAUSE: u64 = 100_000;

/// Commands that were executed, of the host and of all guests.
fn executed(host: &Host) -> u64 {
    host.bench.iommu.counters().commands.values().sum()
}

/// Reads of engines through the tables of the host.
fn walks(host: &Host) -> u64 {
    host.bench.iommu.counters().walks.private
}

/// Lets the machine call the model at the times that it asks for. Returns how much `measure` grew
/// in the call in which it grew most.
fn largest_call(host: &mut Host, measure: impl Fn(&Host) -> u64) -> u64 {
    let mut most = 0;
    while let Some(time) = host.bench.machine.wake.take() {
        assert!(time >= host.bench.machine.time + PAUSE);
        host.bench.machine.time = time;
        let before = measure(host);
        host.bench.iommu.run(&mut host.bench.machine);
        most = most.max(measure(host) - before);
    }
    most
}

/// Fills the ring of a guest up to the last place, without a doorbell. Returns the tail.
fn fill(host: &mut Host, guest: &Guest, words: [u32; 4]) -> u64 {
    let tail = (16 << guest.code) - 16;
    for at in (0..tail).step_by(16) {
        host.bench.machine.poke_words(guest.ring + at, words);
    }
    tail
}

#[test]
fn a_doorbell_does_a_part_of_a_long_ring_and_run_the_rest() {
    let mut host = Host::new();
    let guest = host.guest(1, 13);
    host.enable(&guest);
    let tail = fill(&mut host, &guest, command::completion_wait(None, false));
    let (gpa, spa) = host.place();
    host.bench
        .machine
        .poke_words(guest.ring + tail - 16, store(gpa, 7));
    host.set_vf(&guest, page::COMMAND_TAIL, tail);
    let first = host.executed(&guest, 1);
    assert!((1..=MOST).contains(&first), "{first}");
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), 16 * first);
    assert_eq!(host.bench.machine.peek(spa), 0);
    let most = largest_call(&mut host, executed);
    assert!(most <= MOST, "{most}");
    assert_eq!(host.vf(&guest, page::COMMAND_HEAD), tail);
    assert_eq!(host.executed(&guest, 1), tail / 16);
    assert_eq!(host.bench.machine.peek(spa), 7);
}

#[test]
fn a_control_write_starts_many_guests_and_serves_them_in_turn() {
    let mut host = Host::new();
    host.bench.clear_control(control::VCMD);
    let guests: Vec<Guest> = (1..=40).map(|gid| host.running_guest(gid)).collect();
    for guest in &guests {
        let tail = fill(&mut host, guest, command::completion_wait(None, false));
        host.set_vf(guest, page::COMMAND_TAIL, tail);
    }
    let before = executed(&host);
    host.bench.set_control(control::VCMD);
    let first = executed(&host) - before;
    assert!((1..=MOST).contains(&first), "{first}");
    for guest in &guests {
        assert_ne!(host.status(guest) & COMMAND_RUN, 0);
        assert_ne!(host.vf(guest, page::COMMAND_HEAD), 0, "{:x}", guest.gid);
    }
    let most = largest_call(&mut host, executed);
    assert!(most <= MOST, "{most}");
    for guest in &guests {
        assert_eq!(host.executed(guest, 1), 255);
    }
}

#[test]
fn a_guest_with_a_long_ring_does_not_keep_another_waiting() {
    let mut host = Host::new();
    let (busy, other) = (host.guest(1, 15), host.running_guest(2));
    host.enable(&busy);
    let tail = fill(&mut host, &busy, command::completion_wait(None, false));
    host.set_vf(&busy, page::COMMAND_TAIL, tail);
    let wake = host.bench.machine.wake;
    let (gpa, spa) = host.place();
    host.bench.machine.poke_words(other.ring, store(gpa, 1));
    host.set_vf(&other, page::COMMAND_TAIL, 0x10);
    assert_eq!(host.bench.machine.peek(spa), 1);
    assert_ne!(host.vf(&busy, page::COMMAND_HEAD), tail);
    assert_eq!(host.bench.machine.wake, wake, "the first call stands");
}

#[test]
fn a_guest_that_is_reset_before_its_turn_is_not_served() {
    let mut host = Host::new();
    let guest = host.guest(1, 13);
    host.enable(&guest);
    let tail = fill(&mut host, &guest, command::completion_wait(None, false));
    host.set_vf(&guest, page::COMMAND_TAIL, tail);
    let before = host.executed(&guest, 1);
    host.bench.submit(&[command::reset_vmmio(1)]);
    host.bench.advance();
    assert_eq!(host.executed(&guest, 1), before);
}

#[test]
fn the_maps_of_one_guest_are_read_in_a_call() {
    for seed in [None, Some(1), Some(2)] {
        let readings = Readings {
            guest_invalidate_all: GuestInvalidateAll::OwnOnly,
            ..Readings::default()
        };
        let mut host = Host::with(config(readings, seed));
        host.bench.clear_control(control::VCMD);
        let guests = [1, 2, 3, 4].map(|gid| host.running_guest(gid));
        for guest in &guests {
            fill(&mut host, guest, command::invalidate_all());
            host.set_vf(guest, page::COMMAND_TAIL, 0xa0);
        }
        host.bench.advance();
        let before = walks(&host);
        host.bench.set_control(control::VCMD);
        let mut most = walks(&host) - before;
        while let Some(time) = host.bench.machine.wake.take() {
            host.bench.machine.time = time;
            let before = walks(&host);
            host.bench.iommu.run(&mut host.bench.machine);
            most = most.max(walks(&host) - before);
        }
        // 384 pages of the two maps, and a fetch for each command.
        assert!((384..2 * 384).contains(&most), "{most} with {seed:?}");
        for guest in &guests {
            assert_eq!(host.executed(guest, 8), 10);
        }
    }
}

#[test]
fn the_ring_of_the_host_is_worked_on_in_parts_too() {
    let mut host = Host::new();
    let code = 13;
    let ring = host.bench.machine.pages((16 << code) / 4096);
    host.bench.clear_control(control::COMMAND_BUFFER);
    host.bench.set(reg::COMMAND_BASE, ring | code << 56);
    let tail = (16 << code) - 16;
    for at in (0..tail).step_by(16) {
        host.bench
            .machine
            .poke_words(ring + at, command::invalidate_entry(5));
    }
    host.bench.set(reg::COMMAND_TAIL, tail);
    let before = executed(&host);
    host.bench.set_control(control::COMMAND_BUFFER);
    let first = executed(&host) - before;
    assert!((1..=MOST).contains(&first), "{first}");
    let most = largest_call(&mut host, executed);
    assert!(most <= MOST, "{most}");
    assert_eq!(host.bench.get(reg::COMMAND_HEAD), tail);
    assert_eq!(executed(&host) - before, tail / 16);
}

#[test]
fn a_map_update_is_done_when_the_block_is_read_or_some_time_later() {
    let mut late = false;
    for seed in 0..16 {
        let mut host = Host::with(config(Readings::default(), Some(seed)));
        let (guest, other) = (host.guest(1, 8), host.guest(2, 8));
        let place = |guest: &Guest, id: u64| guest.devices + 16 * id;
        let there = |host: &Host, at| host.bench.machine.peek(at) >> 24 & 0xffff == 0x300;
        for (guest, id) in [(guest, 1), (guest, 2), (other, 1)] {
            host.set(&guest, ctl::DEVICE_MAP, map_value(id, 0x300, true));
            late |= !there(&host, place(&guest, id.into()));
        }
        host.get(&guest, ctl::MISC);
        assert!(there(&host, place(&guest, 1)) && there(&host, place(&guest, 2)));
        host.bench.advance();
        assert!(there(&host, place(&other, 1)));
        // The last of several writes for one ID holds.
        for to in [0x400, 0x500, 0x300] {
            host.set(&guest, ctl::DEVICE_MAP, map_value(3, to, true));
        }
        host.bench.advance();
        assert!(there(&host, place(&guest, 3)));
        // A guest that is reset, and a vIOMMU that is switched off, write nothing any more.
        for id in 0x40..0x7c {
            host.set(&guest, ctl::DEVICE_MAP, map_value(id, 0x300, true));
        }
        let resets = |host: &Host| host.bench.iommu.counters().commands[&(None, 0xa)];
        let before = resets(&host);
        host.bench.submit(&[command::reset_vmmio(1)]);
        while resets(&host) == before {
            host.bench.machine.time = host.bench.machine.wake.take().unwrap();
            host.bench.iommu.run(&mut host.bench.machine);
        }
        assert!((0x40..0x7c).all(|id| there(&host, place(&guest, id))));
        host.set(&other, ctl::DEVICE_MAP, map_value(5, 0x300, true));
        host.bench.clear_control(control::VIOMMU);
        assert!(there(&host, place(&other, 5)));
    }
    assert!(late, "every entry was written when the write returned");
}

#[test]
fn many_map_updates_in_a_row_all_arrive() {
    let mut host = Host::with(config(Readings::default(), Some(9)));
    let guest = host.guest(1, 8);
    for id in 0..1000 {
        host.set(&guest, ctl::DOMAIN_MAP, map_value(id, id + 1, true));
    }
    host.get(&guest, ctl::DOMAIN_MAP);
    for id in 0..1000 {
        let entry = host.bench.machine.peek(guest.domains + 8 * id);
        assert_eq!(entry >> 24 & 0xffff, id + 1);
    }
}

#[test]
fn an_engine_without_memory_behind_its_ring_costs_one_event() {
    let mut host = Host::new();
    let guest = host.guest(1, 15);
    host.enable(&guest);
    host.bench.machine.remove(guest.ring);
    host.set_vf(&guest, page::COMMAND_TAIL, 0x7_fff0);
    assert!(host.bench.machine.wake.is_none(), "nothing is left to do");
    assert_eq!(host.bench.events().len(), 1);
    assert_eq!(host.status(&guest) & COMMAND_RUN, 0);
}
