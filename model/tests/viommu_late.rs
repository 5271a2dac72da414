// SPDX-License-Identifier: GPL-2.0

//! Guest event logs of an asynchronous model: events come late, and entries at times later than
//! the tail that announces them (hardware.md 3.2, erratum 732).

use amd_iommu_model::config::{GuestFaults, Readings};
use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::viommu::*;
use crate::support::{command, Dte, Logged};

const GUEST_DEVICE: u16 = 0x108;
const NOTHING: [u32; 4] = [0; 4];

/// Device of a guest.
fn device(guest: &Guest) -> u16 {
    0x300 + guest.gid
}

/// A host with guests whose devices have empty GCR3 tables.
fn scene(seed: Option<u64>, faults: GuestFaults) -> (Host, [Guest; 2]) {
    let readings = Readings {
        guest_faults: faults,
        ..Readings::default()
    };
    let mut host = Host::with(config(readings, seed));
    let guests = [1, 2].map(|gid| host.running_guest(gid));
    for guest in &guests {
        let gcr3 = host.bench.machine.page();
        let entry = Dte::guest(0x41, gcr3, 0).of_guest(guest.gid, GUEST_DEVICE);
        host.bench.install(device(guest), &entry);
    }
    host.bench.advance();
    (host, guests)
}

fn fault(host: &mut Host, guest: &Guest, address: u64) {
    let answer = host.bench.dma(device(guest), address, Access::Write, None);
    assert_eq!(answer, Answer::Abort);
}

/// What memory holds at the n-th place of a guest's log.
fn at(host: &Host, guest: &Guest, place: u64) -> [u32; 4] {
    host.bench.machine.peek_words(guest.log + 16 * place)
}

/// One wake-up. Returns false if none is asked for.
fn wake(host: &mut Host) -> bool {
    let bench = &mut host.bench;
    let Some(time) = bench.machine.wake.take() else {
        return false;
    };
    bench.machine.time = bench.machine.time.max(time);
    bench.iommu.run(&mut bench.machine);
    true
}

/// Wakes the model until the tail of a guest has passed a place that is still empty. False if
/// that does not come to pass.
fn wait_for_hole(host: &mut Host, guest: &Guest) -> bool {
    while wake(host) {
        let tail = host.vf(guest, page::EVENT_TAIL);
        if tail > 0 && at(host, guest, tail / 16 - 1) == NOTHING {
            return true;
        }
    }
    false
}

/// Seeds under which the log of the first guest has a hole after 20 faults, with the scene then.
fn holes() -> impl Iterator<Item = (Host, [Guest; 2])> {
    (0..40).filter_map(|seed| {
        let (mut host, guests) = scene(Some(seed), GuestFaults::GuestLog);
        for number in 0..20 {
            fault(&mut host, &guests[0], number << 12);
        }
        wait_for_hole(&mut host, &guests[0]).then_some((host, guests))
    })
}

#[test]
fn events_come_late_in_order_and_all() {
    let mut holes = 0;
    for seed in 0..20 {
        let (mut host, guests) = scene(Some(seed), GuestFaults::GuestLog);
        for number in 0..20 {
            for guest in &guests {
                fault(&mut host, guest, number << 12);
            }
        }
        for guest in &guests {
            assert_eq!(host.vf(guest, page::EVENT_TAIL), 0, "{seed}");
            assert_eq!(host.interrupts(guest), 0);
        }
        holes += u32::from(wait_for_hole(&mut host, &guests[0]));
        host.bench.advance();
        for guest in &guests {
            let events = host.guest_events(guest);
            let found: Vec<_> = events.iter().map(Logged::address).collect();
            let raised: Vec<_> = (0..20).map(|number| number << 12).collect();
            assert_eq!(found, raised, "{seed}");
        }
        assert!(host.bench.events().is_empty());
    }
    assert!(holes > 5, "{holes} of 20 runs had a tail before its entry");
}

#[test]
fn a_synchronous_model_is_never_late() {
    let (mut host, [guest, _]) = scene(None, GuestFaults::GuestLog);
    for number in 0..64 {
        fault(&mut host, &guest, number << 12);
        assert_ne!(at(&host, &guest, number), NOTHING);
        assert_eq!(host.vf(&guest, page::EVENT_TAIL), 16 * (number + 1));
    }
}

#[test]
fn more_events_than_can_wait_are_not_lost() {
    let (mut host, guests) = scene(Some(3), GuestFaults::GuestLog);
    for number in 0..200 {
        fault(
            &mut host,
            &guests[usize::from(number % 2 == 1)],
            number << 12,
        );
    }
    host.bench.advance();
    for guest in &guests {
        assert_eq!(host.guest_events(guest).len(), 100);
    }
}

#[test]
fn an_event_for_a_log_that_is_off_never_gets_there() {
    let (mut host, [guest, _]) = scene(Some(1), GuestFaults::GuestLog);
    // The log has overflowed: enabled, but Run is 0.
    for number in 0..300 {
        fault(&mut host, &guest, number << 12);
    }
    host.bench.advance();
    assert_eq!(host.status(&guest) & (OVERFLOW | EVENT_RUN), OVERFLOW);
    fault(&mut host, &guest, 0x7777_0000);
    let register = host.get(&guest, ctl::EVENT);
    host.set(&guest, ctl::EVENT, register & !0x100);
    host.set_vf(&guest, page::EVENT_HEAD, 0);
    host.set_vf(&guest, page::EVENT_TAIL, 0);
    host.set(&guest, ctl::EVENT, register);
    host.bench.advance();
    assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0);
}

#[test]
fn a_reset_drops_what_is_under_way_to_that_guest_only() {
    for seed in 0..10 {
        let (mut host, [one, two]) = scene(Some(seed), GuestFaults::GuestLog);
        for number in 0..20 {
            fault(&mut host, &one, number << 12);
            fault(&mut host, &two, number << 12);
        }
        host.bench.submit(&[command::reset_vmmio(1)]);
        // Other work goes on while the command waits for its turn.
        while host.get(&one, ctl::COMMAND) != 0 {
            assert!(wake(&mut host));
        }
        let before = host.bench.machine.peek_words(one.log);
        for word in (0..4096).step_by(8) {
            host.bench.machine.poke(one.log + word, 0);
        }
        let id = u64::from(one.translate_id);
        host.set(&one, ctl::MISC, id << 16);
        host.enable(&one);
        host.bench.advance();
        assert_eq!(host.vf(&one, page::EVENT_TAIL), 0, "{seed} {before:x?}");
        for place in 0..256 {
            assert_eq!(at(&host, &one, place), NOTHING, "{seed}");
        }
        assert_eq!(host.guest_events(&two).len(), 20, "{seed}");
    }
}

#[test]
fn a_log_that_was_switched_off_gets_no_late_entry() {
    let mut seen = 0;
    for (mut host, [guest, _]) in holes() {
        let place = host.vf(&guest, page::EVENT_TAIL) / 16 - 1;
        let register = host.get(&guest, ctl::EVENT);
        host.set(&guest, ctl::EVENT, register & !0x100);
        host.set(&guest, ctl::EVENT, register);
        host.bench.advance();
        assert_eq!(at(&host, &guest, place), NOTHING);
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn the_log_of_another_guest_does_not_matter_to_a_late_entry() {
    let mut seen = 0;
    for (mut host, [guest, other]) in holes() {
        let place = host.vf(&guest, page::EVENT_TAIL) / 16 - 1;
        host.set(&other, ctl::EVENT, 0);
        host.bench.advance();
        assert_ne!(at(&host, &guest, place), NOTHING);
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn what_a_command_inserts_is_there_when_it_is_done() {
    for seed in 0..40 {
        let (mut host, [guest, _]) = scene(Some(seed), GuestFaults::HostLog);
        fault(&mut host, &guest, 0x5000);
        let semaphore = host.bench.semaphore;
        let before = host.bench.machine.peek(semaphore);
        let wait = command::completion_wait(Some((semaphore, !before)), false);
        host.bench.submit(&[command::insert_guest_event(1), wait]);
        while host.bench.machine.peek(semaphore) == before {
            assert!(wake(&mut host), "{seed}");
        }
        let events = host.guest_events(&guest);
        assert_eq!(events.len(), 1, "{seed}");
        assert_eq!(events[0].address(), 0x5000, "{seed}");
    }
}
