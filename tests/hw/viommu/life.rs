// SPDX-License-Identifier: GPL-2.0

//! Every order of events in the life of a guest's IOMMU.
//!
//! The driver and the hardware are modelled in [`world`]. From the start, every event is tried in
//! every reachable state of the whole, until nothing new is found. What must hold is checked after
//! each single action.

mod world;

use std::collections::{HashSet, VecDeque};

use hw::viommu::life::{set_entry, step, Action, Event, Refused, State, Users, LAST_USER_LEAVES};
use world::{Input, World, DEVICES, DOMAINS};

/// Every world that some order of events leads to.
fn reachable() -> HashSet<World> {
    let mut found = HashSet::from([World::new()]);
    let mut queue = VecDeque::from([World::new()]);

    while let Some(world) = queue.pop_front() {
        for input in Input::all() {
            let mut next = world.clone();
            next.feed(input, None);
            if found.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    found
}

#[test]
fn every_order_of_events_keeps_the_invariants() {
    let worlds = reachable();
    let states: HashSet<State> = worlds.iter().map(|world| world.state).collect();

    let mut expected = HashSet::from([State::Vacant, State::Parentless, State::Gone]);
    expected.extend((1..=DEVICES as u32).map(|devices| State::Armed { devices }));
    assert_eq!(states, expected);
    assert!(worlds.len() > 100, "{}", worlds.len());
}

/// Both devices in one domain, in two domains, nested with the engine running: the search has been
/// there.
#[test]
fn the_search_reaches_the_interesting_worlds() {
    let worlds = reachable();
    let busy = |world: &&World| world.engine && world.users() == [1, 1];

    assert!(worlds.iter().any(|world| busy(&world)));
    assert!(worlds
        .iter()
        .any(|world| world.users() == [DEVICES as u8, 0]));
}

/// The guest's registers and its translate ID are at rest, and nothing of it is left anywhere.
#[test]
fn destroying_leaves_nothing_from_any_point() {
    for world in reachable() {
        let mut end = world.clone();
        end.feed(Input::Destroy, None);
        end.assert_empty();
    }
}

/// Each event stops after its first actions, and the VMM gives the guest up.
#[test]
fn destroying_leaves_nothing_after_any_failure() {
    for world in reachable() {
        for input in Input::all() {
            for done in 0..5 {
                let mut end = world.clone();
                if end.feed(input, Some(done)) {
                    end.feed(Input::Destroy, None);
                    end.assert_empty();
                }
            }
        }
    }
}

/// The end of a guest is not refused, and does not wait for hardware that does not answer.
#[test]
fn destroying_that_fails_leaves_nothing_that_others_could_get() {
    let (stop, reset) = (Action::StopEngine, Action::ResetRegisters);

    for world in reachable() {
        let mut stopped_late = world.clone();
        if stopped_late.destroy_failing(&[stop]) && world.state != State::Gone {
            stopped_late.assert_empty();
        }
        for failing in [&[reset][..], &[stop, reset]] {
            let mut end = world.clone();
            if end.destroy_failing(failing) && world.state != State::Gone {
                end.assert_harmless();
            }
        }
    }
}

/// What a failed Attach has left is undone by Detach.
#[test]
fn detaching_undoes_an_attach_that_failed() {
    for world in reachable() {
        for (device, parent) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            for done in 0..3 {
                let mut undone = world.clone();
                if undone.feed(Input::Attach(device, parent), Some(done)) {
                    undone.feed(Input::Detach(device), None);
                    assert!(!undone.has(device));
                    assert_eq!(undone, world);
                }
            }
        }
    }
}

#[test]
fn a_second_parent_is_refused() {
    for devices in 1..3 {
        let event = Event::Attach { same_parent: false };
        assert_eq!(step(State::Armed { devices }, event), Err(Refused));
    }
}

#[test]
fn a_guest_can_be_given_up_or_lose_its_parent_at_any_time() {
    for world in reachable() {
        if world.state == State::Vacant {
            continue;
        }
        for event in [Event::Destroy, Event::ParentFreed, Event::IommuGone] {
            assert!(step(world.state, event).is_ok(), "{world:?} {event:?}");
        }
    }
}

#[test]
fn there_is_nothing_to_end_before_the_beginning() {
    for event in [
        Event::Attach { same_parent: true },
        Event::Detach,
        Event::Lost,
        Event::ParentFreed,
        Event::Reset,
        Event::Destroy,
        Event::IommuGone,
    ] {
        assert_eq!(step(State::Vacant, event), Err(Refused));
    }
    for state in [State::Parentless, State::Gone] {
        assert_eq!(step(state, Event::Detach), Err(Refused));
        assert_eq!(step(state, Event::Lost), Err(Refused));
        assert_eq!(step(state, Event::Init), Err(Refused));
    }
    let most = State::Armed { devices: u32::MAX };
    assert_eq!(
        step(most, Event::Attach { same_parent: true }),
        Err(Refused)
    );
}

/// Hardware reference 7.2: the registers are reset before anything is written to them, and the maps
/// exist before they can be used.
#[test]
fn making_a_guest_is_three_actions() {
    use Action::*;

    let (_, actions) = step(State::Vacant, Event::Init).unwrap();
    assert_eq!(actions, [ResetRegisters, MapTables, NameTranslateId]);
}

/// Hardware reference 7.4: the entry first, then the map. The host's domain ID is named by no map
/// when its translations go, and they go before it may be used again.
#[test]
fn domains_are_left_in_this_order() {
    use Action::*;

    assert_eq!(
        set_entry(Some(1), Some(2)),
        [JoinDomain, SetEntry, MapDomain, LeaveDomain]
    );
    assert_eq!(set_entry(None, Some(2)), [JoinDomain, SetEntry, MapDomain]);
    assert_eq!(set_entry(Some(1), None), [SetEntry, LeaveDomain]);
    assert_eq!(set_entry(Some(2), Some(2)), [SetEntry]);
    assert_eq!(set_entry(None, None), [SetEntry]);
    assert_eq!(LAST_USER_LEAVES, [SinkDomain, FlushDomain, ReleaseDomain]);
}

#[test]
fn the_first_and_the_last_user_are_known() {
    let mut users = Users::default();

    assert!(users.join());
    assert!(!users.join());
    assert!(!users.leave());
    assert!(users.leave());
    assert!(!users.leave());
    assert!(users.join());
    assert_eq!(DOMAINS, 2);
}
