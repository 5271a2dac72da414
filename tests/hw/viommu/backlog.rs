// SPDX-License-Identifier: GPL-2.0

//! Events that wait to be told: no guest takes the place of another's failure.

use hw::event::{Kind, RawEvent};
use hw::viommu::backlog::Backlog;

const PLACES: usize = 64;

/// How many events of devices there is room for, and of queues.
const FAULTS: usize = PLACES / 2;
const QUEUES: usize = PLACES * 3 / 4;

fn backlog() -> Backlog<Vec<RawEvent>> {
    Backlog::new(vec![RawEvent::default(); PLACES])
}

/// IO_PAGE_FAULT of a device.
fn fault(devid: u16) -> RawEvent {
    RawEvent([devid.into(), 0x2000_0000, 0, 0])
}

/// ILLEGAL_COMMAND_ERROR in the command queue of some guest (vCmd).
fn stopped() -> RawEvent {
    RawEvent([0x8000_0000, 0x5000_0000, 0, 0])
}

/// VIOMMU_HARDWARE_ERROR.
fn failure(gid: u16, address: u32) -> RawEvent {
    RawEvent([0x8000_0000 | u32::from(gid), 0xC020_0000, address, 0])
}

#[test]
fn a_storm_of_one_guest_leaves_room_for_the_failures_of_others() {
    let mut backlog = backlog();
    for n in 0..1000 {
        assert_eq!(backlog.put(fault(n)), usize::from(n) < FAULTS);
    }
    for n in FAULTS..1000 {
        assert_eq!(backlog.put(stopped()), n < QUEUES);
    }
    for gid in 1..=(PLACES - QUEUES) as u16 {
        assert!(!backlog.put(fault(gid)) && !backlog.put(stopped()));
        assert!(backlog.put(failure(gid, 0)));
    }
    assert!(!backlog.put(failure(1000, 0)));

    let told = |kind: Kind| {
        backlog
            .events()
            .iter()
            .filter(move |raw| raw.decode().kind() == kind)
    };
    assert_eq!(told(Kind::IoPageFault).count(), FAULTS);
    assert_eq!(told(Kind::IllegalCommandError).count(), QUEUES - FAULTS);
    let failed: Vec<_> = told(Kind::ViommuHardwareError)
        .map(|raw| raw.decode().guest_id())
        .collect();
    let expected: Vec<_> = (1..=(PLACES - QUEUES) as u16).map(Some).collect();
    assert_eq!(failed, expected);
}

#[test]
fn a_guest_that_fails_again_and_again_waits_once() {
    let mut backlog = backlog();
    for n in 0..1000 {
        assert!(backlog.put(failure(7, n * 8)));
    }
    assert!(backlog.put(failure(8, 0)));
    assert_eq!(backlog.events(), [failure(7, 0), failure(8, 0)]);
    // Even if there is no room any more.
    for gid in 0..=u16::MAX {
        backlog.put(failure(gid, 0));
    }
    assert!(backlog.put(failure(7, 8)));
}

#[test]
fn events_are_told_in_their_order_and_once() {
    let mut backlog = backlog();
    for round in 0..3 {
        let events = [
            fault(round),
            stopped(),
            failure(3, 0),
            fault(round),
            fault(9),
        ];
        assert!(events.into_iter().all(|raw| backlog.put(raw)));
        assert_eq!(backlog.events(), events);
        backlog.clear();
        assert_eq!(backlog.events(), []);
    }
}

#[test]
fn a_backlog_without_places_misses_everything() {
    let mut backlog = Backlog::new(Vec::new());
    assert!(!backlog.put(failure(1, 0)) && !backlog.put(fault(1)));
    assert_eq!(backlog.events(), []);
}
