// SPDX-License-Identifier: GPL-2.0

//! Random sequences of changes, invalidations (right ones, short ones, none) and requests against
//! an oracle without caches, synchronous and with random delays.

mod keeps;
mod moves;
mod outcome;
mod setup;
mod space;
mod world;

use amd_iommu_model::referee::Rule;
use amd_iommu_model::Answer;
use proptest::prelude::*;
use world::{Drop, Kind, World, ADDRESSES, POOL};

use crate::oracle::{Reach, Verdict};
use crate::support::{command, random_cases, Rights};

#[derive(Clone, Debug)]
enum Op {
    /// Change of a page of a space.
    Change(Change),
    /// Change of the host table below.
    ChangeBelow(Change),
    /// A space gets a new, empty table.
    Empty(usize),
    /// INVALIDATE_IOMMU_PAGES.
    Drop(DropChoice),
    DropAll,
    /// Device, right to write, and whether its entry is dropped.
    Entry(usize, bool, bool),
    /// Space, device, address, write.
    Dma(usize, usize, usize, bool),
}

#[derive(Clone, Debug)]
struct Change {
    space: usize,
    address: usize,
    large: bool,
    to: Option<(u64, Rights)>,
}

#[derive(Clone, Debug)]
struct DropChoice {
    space: usize,
    /// Range: a page, a large page, everything.
    size: u8,
    address: usize,
    directories: bool,
    /// Of the host table below instead; wrong if there is none.
    below: bool,
}

fn rights() -> impl Strategy<Value = Rights> {
    prop::sample::select(vec![Rights::ALL, Rights::ALL, Rights::READ])
}

fn change() -> impl Strategy<Value = Change> {
    let to = prop::option::weighted(0.75, (0u64..4, rights()));
    (
        0usize..2,
        0usize..ADDRESSES.len(),
        prop::bool::weighted(0.2),
        to,
    )
        .prop_map(|(space, address, large, to)| Change {
            space,
            address,
            large,
            to,
        })
}

fn drop_choice() -> impl Strategy<Value = DropChoice> {
    let address = 0usize..ADDRESSES.len();
    (0usize..2, 0u8..3, address, any::<bool>(), any::<bool>()).prop_map(
        |(space, size, address, directories, below)| DropChoice {
            space,
            size,
            address,
            directories,
            below,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => change().prop_map(Op::Change),
        3 => change().prop_map(Op::ChangeBelow),
        6 => drop_choice().prop_map(Op::Drop),
        1 => (0usize..2).prop_map(Op::Empty),
        1 => Just(Op::DropAll),
        1 => (0usize..3, any::<bool>(), any::<bool>()).prop_map(|(d, iw, drop)| Op::Entry(d, iw, drop)),
        20 => (0usize..2, 0usize..2, 0usize..ADDRESSES.len(), any::<bool>())
            .prop_map(|(s, d, a, write)| Op::Dma(s, d, a, write)),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Host, Kind::Guest, Kind::Nested])
}

fn size_of(large: bool) -> u64 {
    if large {
        0x20_0000
    } else {
        0x1000
    }
}

/// Where a page of a space leads: into the pool of guest addresses if there is a table below.
fn target(world: &World, change: &Change) -> Option<(u64, Rights)> {
    let size = size_of(change.large);
    let base = match world.kind {
        Kind::Nested => POOL,
        _ => 0x40_0000_0000,
    };
    change
        .to
        .map(|(number, rights)| (base + number * size, rights))
}

fn apply_change(world: &mut World, change: &Change) {
    let to = target(world, change);
    let address = ADDRESSES[change.address];
    world.change(change.space, address, size_of(change.large), to);
}

fn below_address(change: &Change) -> u64 {
    POOL + (change.address as u64 % 4) * size_of(change.large)
}

fn apply_below(world: &mut World, change: &Change) {
    let size = size_of(change.large);
    let to = change
        .to
        .map(|(number, rights)| (0x80_0000_0000 + number * size, rights));
    world.change_below(below_address(change), size, to);
}

fn send(world: &mut World, drop: Drop) {
    let words = command::invalidate_pages(
        drop.domain,
        drop.pasid,
        drop.first,
        drop.last,
        drop.directories,
    );
    world.bench.execute(&[words]);
    world.dropped(drop);
}

fn apply_drop(world: &mut World, choice: &DropChoice) {
    let space = &world.spaces[choice.space];
    let (domain, pasid) = (space.domain, space.pasid.unwrap_or(0));
    let address = if choice.below {
        POOL + (choice.address as u64 % 4) * 0x1000
    } else {
        ADDRESSES[choice.address]
    };
    let (first, last) = match choice.size {
        0 => (address, address + 0xfff),
        1 => (address & !0x1f_ffff, address | 0x1f_ffff),
        _ => (0, u64::MAX),
    };
    let host = choice.below || world.kind == Kind::Host;
    let drop = Drop {
        domain,
        pasid: (!host).then_some(pasid),
        first,
        last,
        directories: choice.directories,
    };
    send(world, drop);
}

fn drop_entry(world: &mut World, device: usize) {
    let requester = world.devices[device].requester;
    world.bench.execute(&[command::invalidate_entry(requester)]);
    world.entry_dropped(device);
}

fn apply(world: &mut World, op: &Op) -> Result<(), TestCaseError> {
    match op {
        Op::Change(change) => apply_change(world, change),
        Op::ChangeBelow(change) => apply_below(world, change),
        Op::Empty(space) => world.empty(*space),
        Op::Drop(choice) => apply_drop(world, choice),
        Op::DropAll => {
            world.bench.execute(&[command::invalidate_all()]);
            world.all_dropped();
        }
        Op::Entry(device, iw, drop) => {
            let device = device % world.devices.len();
            world.allow_writes(device, *iw);
            if *drop {
                drop_entry(world, device);
            }
        }
        Op::Dma(space, device, address, write) => {
            return dma(world, *space, *device, *address, *write);
        }
    }
    Ok(())
}

/// Whether an answer is what a verdict says, sizes aside: a page table that caches pieces of a
/// large page is none the worse.
fn fits(answer: Answer, verdict: &Verdict) -> bool {
    match (answer, verdict) {
        (Answer::Abort, Verdict::Fault(_)) => true,
        (Answer::Forward(got), Verdict::Forward(reach)) => {
            let size = reach.size;
            Reach { size, ..got.into() } == *reach
        }
        _ => false,
    }
}

/// Whether the access ends where the verdict says. What else the translation would allow does not
/// matter to it, nor to the referee.
fn serves(answer: Answer, verdict: &Verdict) -> bool {
    match (answer, verdict) {
        (Answer::Forward(got), Verdict::Forward(reach)) => got.address == reach.address,
        _ => fits(answer, verdict),
    }
}

/// Violations when the time for every invalidation that is owed is over.
fn stale(world: &mut World) -> u64 {
    let bench = &mut world.bench;
    bench.end_grace();
    let referee = world.bench.iommu.referee();
    referee.count_of(Rule::StaleTranslation) + referee.count_of(Rule::StaleDeviceEntry)
}

fn dma(
    world: &mut World,
    space: usize,
    device: usize,
    address: usize,
    write: bool,
) -> Result<(), TestCaseError> {
    let request = world.request(space, device, ADDRESSES[address] + 0x128, write);
    let (expected, certain) = world.expected(space, &request);
    let (guest, host) = (
        world.is_guest_certain(space, &request),
        world.is_host_certain(&request),
    );
    let before = stale(world);
    let answer = world.bench.request(&request);
    world.bench.events();
    let reports = stale(world) - before;
    prop_assert!(
        expected.iter().any(|verdict| fits(answer, verdict)),
        "{request:x?}: {answer:x?} is none of {expected:x?}"
    );
    let newest = expected
        .last()
        .is_some_and(|verdict| serves(answer, verdict));
    // An old answer that may come from the tables of a guest is no violation.
    prop_assert!(
        newest || reports > 0 || !guest,
        "{request:x?}: stale, but nobody complains"
    );
    prop_assert!(
        newest || !certain,
        "{request:x?}: {answer:x?} is not what memory says"
    );
    prop_assert!(
        reports == 0 || !certain && !host,
        "{request:x?}: called stale, but is not"
    );
    Ok(())
}

fn run(kind: Kind, seed: Option<u64>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(kind, seed);
    for op in ops {
        apply(&mut world, op)?;
    }
    Ok(())
}

/// Follows every change by the invalidation that it needs, as a careful driver does.
fn run_careful(kind: Kind, seed: Option<u64>, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(kind, seed);
    for op in ops {
        apply(&mut world, op)?;
        let drop = match op {
            Op::Change(change) => whole_block(&world, change, false),
            Op::ChangeBelow(change) => whole_block(&world, change, true),
            Op::Empty(space) => whole_space(&world, *space),
            Op::Entry(device, ..) => {
                let device = device % world.devices.len();
                drop_entry(&mut world, device);
                continue;
            }
            _ => continue,
        };
        send(&mut world, drop);
    }
    stale(&mut world);
    prop_assert_eq!(world.bench.violations(), Vec::<String>::new());
    Ok(())
}

fn whole_block(world: &World, change: &Change, below: bool) -> Drop {
    let space = &world.spaces[change.space];
    let address = if below {
        below_address(change)
    } else {
        ADDRESSES[change.address]
    };
    let host = below || world.kind == Kind::Host;
    Drop {
        domain: space.domain,
        pasid: (!host).then_some(space.pasid.unwrap_or(0)),
        first: address & !0x1f_ffff,
        last: address | 0x1f_ffff,
        directories: true,
    }
}

fn whole_space(world: &World, space: usize) -> Drop {
    let space = &world.spaces[space];
    Drop {
        domain: space.domain,
        pasid: (world.kind != Kind::Host).then_some(space.pasid.unwrap_or(0)),
        first: 0,
        last: u64::MAX,
        directories: true,
    }
}

proptest! {
    #![proptest_config(random_cases(1024))]

    #[test]
    fn answers_are_new_or_old_but_never_invented(
        kind in kind(),
        seed in prop::option::of(any::<u64>()),
        ops in prop::collection::vec(op(), 1..80),
    ) {
        run(kind, seed, &ops)?;
    }

    #[test]
    fn a_careful_driver_never_sees_old_answers_nor_the_referee(
        kind in kind(),
        seed in prop::option::of(any::<u64>()),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        run_careful(kind, seed, &ops)?;
    }
}
