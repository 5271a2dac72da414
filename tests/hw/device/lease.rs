// SPDX-License-Identifier: GPL-2.0

//! What guests do with a device, and what is done to them.

use super::{claimed, id_of, reachable, transitions, uses, World, IDENTITY, TARGETS};
use hw::device::{step, Entry, Event, Lease, Output, Refused, State, Target};
use hw::dte::{GuestEntry, GuestIds, GuestTable};

const IDS: GuestIds = GuestIds {
    guest_id: 9,
    device_id: 0x108,
};

const PARENTS: [u16; 2] = [2, 3];

fn nested(domain_id: u16, gcr3: u64) -> GuestEntry {
    GuestEntry::Nested {
        domain_id,
        ir: true,
        iw: true,
        table: GuestTable::new(gcr3, 0, true, false).unwrap(),
    }
}

fn guest_entries() -> [GuestEntry; 7] {
    let identity = |iw| GuestEntry::Identity {
        domain_id: 4,
        ir: true,
        iw,
    };
    [
        GuestEntry::Stage2,
        GuestEntry::Blocked,
        identity(true),
        identity(false),
        nested(4, 0x1000),
        nested(4, 0x2000),
        nested(5, 0x1000),
    ]
}

/// What can happen because of guests.
pub fn events() -> Vec<Event> {
    let mut events = vec![
        Event::Lend(IDS),
        Event::SetGuestFailed,
        Event::TakeBack,
        Event::ParentFreed,
    ];
    events.extend(guest_entries().map(Event::SetGuest));
    events
}

fn lent(parent: u16, guest: GuestEntry, suspended: bool) -> State {
    let target = match suspended {
        true => Target::Blocked,
        false => Target::Paging(parent),
    };
    State::Claimed {
        target,
        attached: true,
        lease: Some(Lease {
            parent,
            ids: IDS,
            guest,
        }),
    }
}

/// The entry in force for a guest.
fn in_force(parent: u16, guest: GuestEntry) -> Entry {
    Entry::Guest(Lease {
        parent,
        ids: IDS,
        guest,
    })
}

/// What holds as long as a guest has the device.
pub fn check(target: Target, world: &World) {
    let lease = world.state.lease().unwrap();
    let Entry::Guest(entry) = world.entry else {
        panic!("the hardware takes the device for the host's: {world:?}");
    };
    assert_eq!((entry.ids, entry.parent), (IDS, lease.parent));
    match target {
        Target::Paging(id) => {
            assert_eq!(id, lease.parent, "over another table");
            assert_eq!(entry.guest, lease.guest);
        }
        Target::Blocked => assert_eq!(entry.guest, GuestEntry::Blocked),
        Target::Identity(_) => panic!("a guest on the host's memory: {world:?}"),
    }
}

#[test]
fn every_guest_entry_is_reached_over_every_parent() {
    let mut states: Vec<State> = reachable().into_iter().map(|world| world.state).collect();
    states.retain(|state| state.lease().is_some());

    assert_eq!(states.len(), PARENTS.len() * guest_entries().len() * 2);
    for parent in PARENTS {
        for guest in guest_entries() {
            for suspended in [false, true] {
                assert!(states.contains(&lent(parent, guest, suspended)));
            }
        }
    }
}

#[test]
fn only_a_device_on_a_page_table_is_lent() {
    for world in reachable() {
        let lends = matches!(
            world.state,
            State::Claimed {
                target: Target::Paging(_),
                lease: None,
                ..
            }
        );
        assert_eq!(world.step(Event::Lend(IDS)).is_some(), lends, "{world:?}");
    }
}

/// The core resets a device by attaching the blocking domain and then the one before.
#[test]
fn a_reset_gives_the_guest_its_entry_back() {
    for parent in PARENTS {
        for guest in guest_entries() {
            let before = lent(parent, guest, false);
            let (during, begin) = step(before, Event::Attach(Target::Blocked)).unwrap();
            assert_eq!(during, lent(parent, guest, true));
            assert_eq!((begin.leave, begin.lost), (None, false));

            let (after, end) = step(during, Event::Attach(Target::Paging(parent))).unwrap();
            assert_eq!(after, before);
            assert_eq!(after.entry(), Some(in_force(parent, guest)));
            assert_eq!(end.join, None, "it needs no memory");
        }
    }
}

#[test]
fn nothing_passes_during_a_reset() {
    for (before, event, after) in transitions() {
        if let State::Claimed {
            target: Target::Blocked,
            ..
        } = after.state
        {
            assert_eq!(uses(after.entry).0, None, "{before:?} {event:?}");
        }
    }
}

#[test]
fn what_the_guest_wants_during_a_reset_comes_after_it() {
    for old in guest_entries() {
        for new in guest_entries() {
            let (during, output) = step(lent(2, old, true), Event::SetGuest(new)).unwrap();
            assert_eq!(output, Output::default());

            let (_, end) = step(during, Event::Attach(Target::Paging(2))).unwrap();
            let entry = (new != GuestEntry::Blocked).then_some(in_force(2, new));
            assert_eq!(end.write, entry);
        }
    }
}

/// Also if only a part of the entry is another.
#[test]
fn what_the_guest_wants_is_written_unless_it_is_so() {
    for old in guest_entries() {
        for new in guest_entries() {
            let (_, output) = step(lent(2, old, false), Event::SetGuest(new)).unwrap();
            assert_eq!(output.write, (old != new).then_some(in_force(2, new)));
            assert_eq!((output.join, output.leave), (None, None));
        }
    }
}

#[test]
fn no_guest_entry_outlives_its_lease() {
    for (before, event, after) in transitions() {
        let ended = before.state.lease().is_some() && after.state.lease().is_none();
        if !ended {
            continue;
        }
        assert!(matches!(after.entry, Entry::Plain(_)), "{event:?}");
        assert!(after.cached.iter().all(|cached| !cached.guest), "{event:?}");
        let (_, output) = step(before.state, event).unwrap();
        assert_eq!(output.lost, event != Event::TakeBack, "{event:?}");
    }
}

#[test]
fn a_lease_ends_by_nothing_but_these() {
    for (before, event, after) in transitions() {
        let Some(lease) = before.state.lease() else {
            continue;
        };
        let ends = match event {
            Event::Attach(target) => {
                target != Target::Blocked && target != Target::Paging(lease.parent)
            }
            Event::TakeBack
            | Event::ParentFreed
            | Event::AttachFailed
            | Event::Release(_)
            | Event::IommuGone => true,
            _ => false,
        };
        assert_eq!(after.state.lease().is_none(), ends, "{before:?} {event:?}");
    }
}

#[test]
fn a_device_that_is_taken_back_is_what_the_core_attached() {
    for (before, event, after) in transitions() {
        if event == Event::TakeBack {
            let State::Claimed { target, .. } = before.state else {
                panic!("nobody had it: {before:?}");
            };
            assert_eq!(after.state, claimed(target, true));
            let member = matches!(target, Target::Paging(_));
            assert_eq!(after.lists, id_of(target).map_or(0, |id| 1 << id));
            assert_eq!(after.lists != 0, member);
        }
    }
}

/// The domain is not attached any more by then, but a lease may wait for the end of a reset.
#[test]
fn nothing_is_left_of_a_parent_that_is_freed() {
    for (before, event, after) in transitions() {
        if event == Event::ParentFreed {
            assert_eq!(after.state, claimed(Target::Blocked, true));
            assert_eq!((after.lists, after.cached.len()), (0, 0), "{before:?}");
        }
    }
}

/// What the hardware has is not known, not even if it should block. The lease goes on: the core's
/// domain has not changed.
#[test]
fn a_guest_entry_that_fails_blocks_and_always_writes() {
    for guest in guest_entries() {
        for suspended in [false, true] {
            let (state, output) = step(lent(2, guest, suspended), Event::SetGuestFailed).unwrap();
            let blocked = in_force(2, GuestEntry::Blocked);

            assert_eq!(state, lent(2, GuestEntry::Blocked, suspended));
            assert_eq!(output.write, Some(blocked));
            assert_eq!((output.join, output.leave), (None, None));
        }
    }
}

#[test]
fn what_no_guest_can_do_is_refused() {
    for event in events() {
        let mut states = vec![State::Absent, State::Untouched(IDENTITY), State::Gone];
        let lends = matches!(event, Event::Lend(_));
        for target in TARGETS {
            if !lends || !matches!(target, Target::Paging(_)) {
                states.push(claimed(target, true));
            }
        }
        if lends {
            states.push(lent(2, GuestEntry::Stage2, false));
            states.push(lent(2, GuestEntry::Stage2, true));
        }
        for state in states {
            assert_eq!(step(state, event), Err(Refused), "{state:?} {event:?}");
        }
    }
}
