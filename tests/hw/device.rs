// SPDX-License-Identifier: GPL-2.0

//! Every order of events in the life of a device.
//!
//! The driver, the hardware and the owner of a lease are modelled: the entry, what the hardware may
//! have cached under it, the lists of domains, and what the owner believes. From the start, every
//! event is tried in every reachable state of the whole, until nothing new is found.

mod lease;

use std::collections::{BTreeSet, HashSet, VecDeque};

use hw::device::{step, Entry, Event, Output, Refused, Stale, State, Target};
use hw::dte::GuestEntry;

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
    events.extend(lease::events());
    events
}

fn claimed(target: Target, attached: bool) -> State {
    State::Claimed {
        target,
        attached,
        lease: None,
    }
}

fn id_of(target: Target) -> Option<u16> {
    match target {
        Target::Blocked => None,
        Target::Identity(id) | Target::Paging(id) => Some(id),
    }
}

fn stale(target: Target) -> Option<Stale> {
    let domain_id = id_of(target)?;
    Some(Stale {
        domain_id,
        guest: false,
    })
}

/// The domain ID in the entry, whether a guest's table is in use, and the domain whose page table is.
fn uses(entry: Entry) -> (Option<u16>, bool, Option<u16>) {
    match entry {
        Entry::Plain(Target::Blocked) => (None, false, None),
        Entry::Plain(Target::Identity(id)) => (Some(id), false, None),
        Entry::Plain(Target::Paging(id)) => (Some(id), false, Some(id)),
        Entry::Guest(lease) => {
            let parent = Some(lease.parent);
            match lease.guest {
                GuestEntry::Blocked => (None, false, None),
                GuestEntry::Stage2 => (parent, false, parent),
                GuestEntry::Identity { domain_id, .. } => (Some(domain_id), false, parent),
                GuestEntry::Nested { domain_id, .. } => (Some(domain_id), true, parent),
            }
        }
    }
}

/// Translations in a cache of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cached {
    domain_id: u16,
    /// A guest's table has been used too.
    guest: bool,
    /// Under which entry they were made.
    entry: usize,
}

/// The state machine, and everything that its outputs act on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    state: State,
    entry: Entry,
    cached: BTreeSet<Cached>,
    /// Bit n: the device is on the list of the domain with ID n.
    lists: u32,
    /// The owner of a lease believes to have the device.
    lent: bool,
}

impl World {
    fn new() -> Self {
        Self {
            state: State::Absent,
            entry: Entry::Plain(Target::Blocked),
            cached: BTreeSet::new(),
            lists: 0,
            lent: false,
        }
    }

    /// Executes what the state machine wants, in the order that it documents.
    fn execute(&mut self, output: Output) {
        if let Some(id) = output.join {
            assert_eq!(self.lists & (1 << id), 0, "joins once");
            self.lists |= 1 << id;
        }
        if let Some(entry) = output.write {
            if let (_, _, Some(id)) = uses(entry) {
                assert_ne!(self.lists & (1 << id), 0, "an unmap would miss the device");
            }
            // What was made under the entry before is told apart from now on.
            let old = std::mem::take(&mut self.cached);
            let changed = usize::from(entry != self.entry);
            self.cached.extend(old.into_iter().map(|cached| Cached {
                entry: cached.entry + changed,
                ..cached
            }));
            self.entry = entry;
            self.use_entry();
        }
        if let Some(stale) = output.flush {
            self.cached.retain(|cached| {
                cached.domain_id != stale.domain_id || cached.guest && !stale.guest
            });
            self.use_entry();
        }
        if let Some(id) = output.leave {
            assert_ne!(self.lists & (1 << id), 0, "leaves what it joined");
            assert_ne!(uses(self.entry).2, Some(id), "the table may be freed now");
            assert!(
                self.cached.iter().all(|cached| cached.entry == 0),
                "the table may be freed now"
            );
            self.lists &= !(1 << id);
        }
        if output.lost {
            assert!(self.lent, "nobody has the device");
            self.lent = false;
        }
    }

    /// The device makes a request.
    fn use_entry(&mut self) {
        if let (Some(domain_id), guest, _) = uses(self.entry) {
            self.cached.insert(Cached {
                domain_id,
                guest,
                entry: 0,
            });
        }
    }

    fn step(&self, event: Event) -> Option<Self> {
        let (state, output) = step(self.state, event).ok()?;
        let mut next = self.clone();
        next.state = state;
        match event {
            Event::Lend(_) => next.lent = true,
            Event::TakeBack => next.lent = false,
            _ => {}
        }
        next.execute(output);
        Some(next)
    }

    /// What holds at any time.
    fn check(&self) {
        assert!(
            self.cached.iter().all(|cached| cached.entry == 0),
            "stale translations: {self:?}"
        );
        let listed = match (self.state.lease(), self.entry) {
            (Some(lease), _) => 1 << lease.parent,
            (None, Entry::Plain(Target::Paging(id))) => 1 << id,
            (None, _) => 0,
        };
        assert_eq!(self.lists, listed, "lists are wrong: {self:?}");
        assert_eq!(self.lent, self.state.lease().is_some(), "{self:?}");

        match self.state {
            State::Absent => assert_eq!(self.entry, Entry::Plain(Target::Blocked)),
            State::Untouched(id) => assert_eq!(self.entry, Entry::Plain(Target::Identity(id))),
            State::Claimed {
                target,
                lease: None,
                ..
            } => assert_eq!(self.entry, Entry::Plain(target)),
            State::Claimed { target, .. } => lease::check(target, self),
            State::Gone => assert_eq!(uses(self.entry).2, None),
        }
        if let Some(entry) = self.state.entry() {
            assert_eq!(entry, self.entry);
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
    let states: HashSet<State> = reachable()
        .into_iter()
        .map(|world| world.state)
        .filter(|state| state.lease().is_none())
        .collect();

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
            let (id, guest, _) = uses(world.entry);
            let before = id.map(|domain_id| Stale { domain_id, guest });
            assert_eq!(output.flush, before, "{world:?} {event:?}");
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
            assert_eq!(state.entry(), Some(before.entry));
            assert!(matches!(
                state,
                State::Claimed {
                    attached: false,
                    lease: None,
                    ..
                }
            ));
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
            assert_eq!(after.entry, Entry::Plain(Target::Blocked));
            assert_eq!((after.lists, after.cached.len()), (0, 0));
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
                write: Some(Entry::Plain(Target::Blocked)),
                flush: stale(target),
                leave: paging,
                lost: false,
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
        assert_eq!(released.entry, Entry::Plain(Target::Identity(IDENTITY)));
    }

    let identity = claimed(Target::Identity(IDENTITY), false);
    let (_, output) = step(identity, Event::Release(IDENTITY)).unwrap();
    assert_eq!(output, Output::default(), "it is so already");
    let (state, output) = step(identity, Event::Release(7)).unwrap();
    assert_eq!(state, State::Untouched(7));
    assert_eq!(output.write, Some(Entry::Plain(Target::Identity(7))));
}

#[test]
fn release_never_leaves_a_page_table_in_force() {
    for (before, event, after) in transitions() {
        if matches!(event, Event::Release(_)) {
            assert_eq!(uses(after.entry).2, None);
            assert_eq!(after.lists, 0);
            assert!(matches!(
                after.state,
                State::Absent | State::Untouched(_) | State::Gone
            ));
        }
        if let (State::Claimed { attached: true, .. }, Event::Release(_)) = (before.state, event) {
            let entry = match before.entry {
                Entry::Plain(Target::Identity(id)) => Target::Identity(id),
                _ => Target::Blocked,
            };
            assert_eq!(after.entry, Entry::Plain(entry));
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
                let write = (from != to).then_some(Entry::Plain(to));
                assert_eq!(output.write, write);
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
    assert_eq!(world.entry, Entry::Plain(Target::Identity(IDENTITY)));
    for target in TARGETS {
        assert_eq!(step(world.state, Event::Attach(target)), Err(Refused));
    }

    let gone = world.step(Event::IommuGone).unwrap();
    assert_eq!(
        gone.entry,
        Entry::Plain(Target::Identity(IDENTITY)),
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
                (target != Target::Blocked).then_some(Entry::Plain(Target::Blocked))
            );
        }
    }
}

#[test]
fn nothing_reaches_the_hardware_when_the_iommu_is_gone() {
    for event in events() {
        let refused = matches!(event, Event::Probe | Event::LeaveAlone(_))
            || lease::events().contains(&event);
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
