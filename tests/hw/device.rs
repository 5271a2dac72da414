// SPDX-License-Identifier: GPL-2.0

//! Every order of events in the life of a device.
//!
//! The driver and the hardware are modelled: the entry, what the hardware may have cached under it,
//! and the lists of domains. From the start, every event is tried in every reachable state of the
//! whole, until nothing new is found.

use std::collections::{HashSet, VecDeque};

use hw::device::{step, Event, Output, Refused, State, Target};

const IDENTITY: u16 = 1;
const TARGETS: [Target; 4] = [
    Target::Blocked,
    Target::Identity(IDENTITY),
    Target::Paging(2),
    Target::Paging(3),
];

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::LeaveAlone(IDENTITY),
        Event::Probe,
        Event::Release,
        Event::Remove,
        Event::IommuGone,
    ];
    events.extend(TARGETS.map(Event::Attach));
    events
}

fn id_of(target: Target) -> Option<u16> {
    match target {
        Target::Blocked => None,
        Target::Identity(id) | Target::Paging(id) => Some(id),
    }
}

/// The state machine, and everything that its outputs act on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    state: State,
    entry: Target,
    /// Bit n: the hardware may hold translations under domain ID n.
    cached: u32,
    /// Bit n: the device is on the list of the domain with ID n.
    lists: u32,
}

impl World {
    fn new() -> Self {
        Self {
            state: State::Absent,
            entry: Target::Blocked,
            cached: 0,
            lists: 0,
        }
    }

    /// Executes what the state machine wants, in the order that it documents.
    fn execute(&mut self, output: Output) {
        if let Some(id) = output.join {
            assert_eq!(self.lists & 1 << id, 0, "joins once");
            self.lists |= 1 << id;
        }
        if let Some(target) = output.write {
            if let Target::Paging(id) = target {
                assert_ne!(self.lists & 1 << id, 0, "an unmap would miss the device");
            }
            self.entry = target;
            self.use_entry();
        }
        if let Some(id) = output.flush {
            self.cached &= !(1 << id);
            self.use_entry();
        }
        if let Some(id) = output.leave {
            assert_ne!(self.lists & 1 << id, 0, "leaves what it joined");
            assert_eq!(self.cached & 1 << id, 0, "the table may be freed now");
            self.lists &= !(1 << id);
        }
    }

    /// The device makes a request.
    fn use_entry(&mut self) {
        if let Some(id) = id_of(self.entry) {
            self.cached |= 1 << id;
        }
    }

    fn step(&self, event: Event) -> Option<Self> {
        let (state, output) = step(self.state, event).ok()?;
        let mut next = self.clone();
        next.state = state;
        next.execute(output);
        Some(next)
    }

    /// What holds at any time.
    fn check(&self) {
        let current = id_of(self.entry).map_or(0, |id| 1 << id);
        assert_eq!(self.cached & !current, 0, "stale translations: {self:?}");
        let listed = match self.entry {
            Target::Paging(id) => 1 << id,
            _ => 0,
        };
        assert_eq!(self.lists, listed, "lists are wrong: {self:?}");

        match self.state {
            State::Absent => assert_eq!(self.entry, Target::Blocked),
            State::Untouched(id) => assert_eq!(self.entry, Target::Identity(id)),
            State::Claimed(target) => assert_eq!(self.entry, target),
            State::Gone => assert!(!matches!(self.entry, Target::Paging(_))),
        }
        if let Some(target) = self.state.target() {
            assert_eq!(target, self.entry);
        }
    }
}

/// Every world that some order of events leads to.
fn reachable() -> HashSet<World> {
    let mut found = HashSet::from([World::new()]);
    let mut queue = VecDeque::from([World::new()]);

    while let Some(world) = queue.pop_front() {
        for event in events() {
            let Some(next) = world.step(event) else {
                continue;
            };
            next.check();
            if found.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    found
}

#[test]
fn every_order_of_events_keeps_the_invariants() {
    let states: HashSet<State> = reachable().into_iter().map(|world| world.state).collect();

    // Absent, Untouched, Gone, and Claimed with each target.
    assert_eq!(states.len(), 3 + TARGETS.len());
}

#[test]
fn leaving_a_domain_always_flushes_it() {
    for world in reachable() {
        let Some(old) = id_of(world.entry) else {
            continue;
        };
        for event in events() {
            let Ok((_, output)) = step(world.state, event) else {
                continue;
            };
            if output.write.is_some() {
                assert_eq!(output.flush, Some(old), "{:?} {event:?}", world.state);
            }
        }
    }
}

#[test]
fn release_and_removal_end_blocked() {
    for world in reachable() {
        for event in [Event::Release, Event::Remove] {
            if let Some(next) = world.step(event).filter(|next| next.state != State::Gone) {
                assert_eq!((next.state, next.entry), (State::Absent, Target::Blocked));
            }
        }
    }
}

/// The IOMMU core relies on it in its reset and teardown paths.
#[test]
fn blocking_and_giving_up_never_fail_after_probe() {
    for world in reachable() {
        if matches!(world.state, State::Claimed(_) | State::Gone) {
            let blocked = world.step(Event::Attach(Target::Blocked)).unwrap();
            assert!(blocked.step(Event::Release).is_some());
            assert!(world.step(Event::Release).is_some());
            assert!(world.step(Event::Remove).is_some());
            assert!(world.step(Event::IommuGone).is_some());
        }
    }
}

#[test]
fn a_claimed_device_goes_anywhere_and_back() {
    for from in TARGETS {
        for to in TARGETS {
            let (next, output) = step(State::Claimed(from), Event::Attach(to)).unwrap();
            assert_eq!(next, State::Claimed(to));
            assert_eq!(output.write, (from != to).then_some(to));
        }
    }
}

#[test]
fn attaching_again_does_nothing() {
    for target in TARGETS {
        let again = step(State::Claimed(target), Event::Attach(target));
        assert_eq!(again, Ok((State::Claimed(target), Output::default())));
    }
}

/// D7 of the design: a device with a driver goes on as before, until it is removed and found again.
#[test]
fn a_device_with_a_driver_keeps_its_identity() {
    let world = World::new().step(Event::LeaveAlone(IDENTITY)).unwrap();
    assert_eq!(world.entry, Target::Identity(IDENTITY));
    for target in TARGETS {
        assert_eq!(step(world.state, Event::Attach(target)), Err(Refused));
    }

    let gone = world.step(Event::IommuGone).unwrap();
    assert_eq!(
        gone.entry,
        Target::Identity(IDENTITY),
        "not even the IOMMU's end disturbs it"
    );

    let found_again = world
        .step(Event::Remove)
        .unwrap()
        .step(Event::Probe)
        .unwrap();
    assert_eq!(found_again.state, State::Claimed(Target::Blocked));
}

#[test]
fn a_claimed_device_is_blocked_when_the_iommu_goes() {
    for target in TARGETS {
        let (state, output) = step(State::Claimed(target), Event::IommuGone).unwrap();

        assert_eq!(state, State::Gone);
        assert_eq!(
            output.write,
            (target != Target::Blocked).then_some(Target::Blocked)
        );
    }
}

#[test]
fn nothing_reaches_the_hardware_when_the_iommu_is_gone() {
    for event in events() {
        match step(State::Gone, event) {
            Ok(next) => assert_eq!(next, (State::Gone, Output::default())),
            Err(Refused) => assert!(!matches!(event, Event::Release | Event::Remove)),
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let claimed = State::Claimed(Target::Blocked);
    let untouched = State::Untouched(IDENTITY);

    for (state, event) in [
        (State::Absent, Event::Release),
        (State::Absent, Event::Attach(Target::Paging(2))),
        (untouched, Event::Release),
        (untouched, Event::LeaveAlone(IDENTITY)),
        (claimed, Event::Probe),
        (claimed, Event::LeaveAlone(IDENTITY)),
        (State::Gone, Event::Probe),
        (State::Gone, Event::Attach(Target::Paging(2))),
        (State::Gone, Event::Attach(Target::Identity(IDENTITY))),
    ] {
        assert_eq!(step(state, event), Err(Refused), "{state:?} {event:?}");
    }
}
