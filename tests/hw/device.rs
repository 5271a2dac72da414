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
        Event::AttachFailed,
        Event::Release(IDENTITY),
        Event::IommuGone,
    ];
    events.extend(TARGETS.map(Event::Attach));
    events
}

fn claimed(target: Target, attached: bool) -> State {
    State::Claimed { target, attached }
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
            assert_eq!(self.lists & (1 << id), 0, "joins once");
            self.lists |= 1 << id;
        }
        if let Some(target) = output.write {
            if let Target::Paging(id) = target {
                assert_ne!(self.lists & (1 << id), 0, "an unmap would miss the device");
            }
            self.entry = target;
            self.use_entry();
        }
        if let Some(id) = output.flush {
            self.cached &= !(1 << id);
            self.use_entry();
        }
        if let Some(id) = output.leave {
            assert_ne!(self.lists & (1 << id), 0, "leaves what it joined");
            assert_eq!(self.cached & (1 << id), 0, "the table may be freed now");
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
            State::Claimed { target, .. } => assert_eq!(self.entry, target),
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

/// Every world, every event that it accepts, and what comes of it.
fn transitions() -> Vec<(World, Event, World)> {
    reachable()
        .into_iter()
        .flat_map(|world| {
            events()
                .into_iter()
                .map(move |event| (world.clone(), event))
        })
        .filter_map(|(world, event)| world.step(event).map(|next| (world, event, next)))
        .collect()
}

#[test]
fn every_order_of_events_keeps_the_invariants() {
    let states: HashSet<State> = reachable().into_iter().map(|world| world.state).collect();

    let mut expected = HashSet::from([
        State::Absent,
        State::Untouched(IDENTITY),
        State::Gone,
        claimed(Target::Blocked, false),
        claimed(Target::Identity(IDENTITY), false),
    ]);
    expected.extend(TARGETS.map(|target| claimed(target, true)));
    assert_eq!(states, expected);
}

#[test]
fn changing_the_entry_always_flushes_what_was_before() {
    for (world, event, _) in transitions() {
        let (_, output) = step(world.state, event).unwrap();
        if output.write.is_some() {
            assert_eq!(output.flush, id_of(world.entry), "{world:?} {event:?}");
        }
    }
}

/// Firmware may still use the device, and the claim may fail later.
#[test]
fn probe_writes_nothing() {
    for (before, event, after) in transitions() {
        if event == Event::Probe {
            let (state, output) = step(before.state, event).unwrap();
            assert_eq!(output, Output::default());
            assert_eq!(state, claimed(before.entry, false));
            assert_eq!(after.entry, before.entry);
        }
    }
}

/// The core may free the domain that failed and the domain before, so neither is in use.
#[test]
fn a_failed_attach_ends_blocked_and_on_no_list() {
    for (before, event, after) in transitions() {
        if event == Event::AttachFailed && before.state != State::Gone {
            assert_eq!(after.state, claimed(Target::Blocked, true));
            assert_eq!(after.entry, Target::Blocked);
            assert_eq!((after.lists, after.cached), (0, 0));
        }
    }
}

/// What the hardware has is not known, not even if it should block.
#[test]
fn a_failed_attach_always_writes() {
    for target in TARGETS {
        for attached in [false, true] {
            let (_, output) = step(claimed(target, attached), Event::AttachFailed).unwrap();
            let paging = match target {
                Target::Paging(id) => Some(id),
                _ => None,
            };
            let expected = Output {
                join: None,
                write: Some(Target::Blocked),
                flush: id_of(target),
                leave: paging,
            };
            assert_eq!(output, expected);
        }
    }
}

#[test]
fn a_claim_that_fails_leaves_the_device_working() {
    for start in [World::new(), left_alone()] {
        let released = start.step(Event::Probe).unwrap();
        let released = released.step(Event::Release(IDENTITY)).unwrap();

        assert_eq!(released.state, State::Untouched(IDENTITY));
        assert_eq!(released.entry, Target::Identity(IDENTITY));
    }

    let identity = claimed(Target::Identity(IDENTITY), false);
    let (_, output) = step(identity, Event::Release(IDENTITY)).unwrap();
    assert_eq!(output, Output::default(), "it is so already");
    let (state, output) = step(identity, Event::Release(7)).unwrap();
    assert_eq!(state, State::Untouched(7));
    assert_eq!(output.write, Some(Target::Identity(7)));
}

#[test]
fn release_never_leaves_a_page_table_in_force() {
    for (before, event, after) in transitions() {
        if matches!(event, Event::Release(_)) {
            assert!(!matches!(after.entry, Target::Paging(_)));
            assert_eq!(after.lists, 0);
            assert!(matches!(
                after.state,
                State::Absent | State::Untouched(_) | State::Gone
            ));
        }
        if let (State::Claimed { attached: true, .. }, Event::Release(_)) = (before.state, event) {
            let entry = match before.entry {
                Target::Paging(_) => Target::Blocked,
                other => other,
            };
            assert_eq!(after.entry, entry);
        }
    }
}

/// Firmware's regions may need it; then the core attaches it right before the release.
#[test]
fn release_keeps_an_identity_that_the_core_attached() {
    for release_id in [IDENTITY, 7] {
        let state = claimed(Target::Identity(IDENTITY), true);
        let released = step(state, Event::Release(release_id));

        assert_eq!(
            released,
            Ok((State::Untouched(IDENTITY), Output::default()))
        );
    }
}

/// `execute` sees to it that nothing is joined twice or left before it was joined.
#[test]
fn whatever_was_joined_is_left_exactly_once() {
    for (before, event, after) in transitions() {
        let (_, output) = step(before.state, event).unwrap();
        let joined = output.join.map_or(0, |id| 1 << id);
        let left = output.leave.map_or(0, |id| 1 << id);

        assert_eq!(joined & left, 0, "{before:?} {event:?}");
        assert_eq!(after.lists, (before.lists | joined) & !left);
        assert_eq!(left, before.lists & !after.lists);
    }
    for world in reachable() {
        for end in [Event::Release(IDENTITY), Event::IommuGone] {
            let lists = world.step(end).map_or(world.lists, |next| next.lists);
            assert_eq!(lists, 0, "{world:?} {end:?}");
        }
    }
}

/// The IOMMU core relies on it in its reset and teardown paths.
#[test]
fn attaching_and_giving_up_never_fail_after_probe() {
    for world in reachable() {
        if matches!(world.state, State::Claimed { .. } | State::Gone) {
            for target in TARGETS {
                let attached = world.step(Event::Attach(target)).unwrap();
                assert!(attached.step(Event::AttachFailed).is_some());
                assert!(attached.step(Event::Release(IDENTITY)).is_some());
            }
            assert!(world.step(Event::AttachFailed).is_some());
            assert!(world.step(Event::Release(IDENTITY)).is_some());
            assert!(world.step(Event::IommuGone).is_some());
        }
    }
}

#[test]
fn a_claimed_device_goes_anywhere_and_back() {
    for from in TARGETS {
        for to in TARGETS {
            for attached in [false, true] {
                let from_state = claimed(from, attached);
                let (next, output) = step(from_state, Event::Attach(to)).unwrap();
                assert_eq!(next, claimed(to, true));
                assert_eq!(output.write, (from != to).then_some(to));
            }
        }
    }
}

#[test]
fn attaching_again_does_nothing() {
    for target in TARGETS {
        let again = step(claimed(target, true), Event::Attach(target));
        assert_eq!(again, Ok((claimed(target, true), Output::default())));
    }
}

fn left_alone() -> World {
    World::new().step(Event::LeaveAlone(IDENTITY)).unwrap()
}

/// D7 of the design: a device with a driver goes on as before.
#[test]
fn a_device_with_a_driver_keeps_its_identity() {
    let world = left_alone();
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
}

#[test]
fn a_claimed_device_is_blocked_when_the_iommu_goes() {
    for target in TARGETS {
        for attached in [false, true] {
            let (state, output) = step(claimed(target, attached), Event::IommuGone).unwrap();

            assert_eq!(state, State::Gone);
            assert_eq!(
                output.write,
                (target != Target::Blocked).then_some(Target::Blocked)
            );
        }
    }
}

#[test]
fn nothing_reaches_the_hardware_when_the_iommu_is_gone() {
    for event in events() {
        let refused = matches!(event, Event::Probe | Event::LeaveAlone(_));
        let expected = if refused {
            Err(Refused)
        } else {
            Ok((State::Gone, Output::default()))
        };
        assert_eq!(step(State::Gone, event), expected, "{event:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let untouched = State::Untouched(IDENTITY);
    let mut cases = vec![
        (untouched, Event::LeaveAlone(IDENTITY)),
        (State::Gone, Event::Probe),
        (State::Gone, Event::LeaveAlone(IDENTITY)),
    ];
    for state in [State::Absent, untouched] {
        cases.extend(TARGETS.map(|target| (state, Event::Attach(target))));
        cases.push((state, Event::AttachFailed));
        cases.push((state, Event::Release(IDENTITY)));
    }
    for attached in [false, true] {
        for target in TARGETS {
            cases.push((claimed(target, attached), Event::Probe));
            cases.push((claimed(target, attached), Event::LeaveAlone(IDENTITY)));
        }
    }

    for (state, event) in cases {
        assert_eq!(step(state, event), Err(Refused), "{state:?} {event:?}");
    }
}
