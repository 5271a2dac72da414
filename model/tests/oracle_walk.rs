// SPDX-License-Identifier: GPL-2.0

//! Random tables of every format, with flaws, against the naive oracle: the same answer, the same
//! fault in the event log, and nothing else changed in memory.

mod scene;

use std::collections::BTreeMap;

use amd_iommu_model::config::Features;
use amd_iommu_model::{Answer, Config, Request};
use proptest::prelude::*;
use scene::*;

use crate::oracle::{verdict, Fault, Part, Reach, Verdict};
use crate::support::bench::{control, reg};
use crate::support::*;

const DEVICE: u16 = 0x0108;
const DOMAIN: u16 = 0x11;

/// A part with three GCR3 levels and all 20 PASID bits, so that nothing of either is hidden.
fn features() -> (Features, Part) {
    let mut features = Features::genoa();
    features.efr = features.efr & !(3 << 14 | 0x1f << 32) | 2 << 14 | 19 << 32;
    let part = Part {
        host_levels: 6,
        guest_levels: 5,
        pasid_bits: 20,
        glx: 2,
    };
    (features, part)
}

fn request_of(scene: &Scene, query: &Query) -> Request {
    let guest_side = scene.guest.is_some();
    let maps = if guest_side && !scene.guest_maps.is_empty() {
        &scene.guest_maps
    } else {
        &scene.host_maps
    };
    let aimed = match maps.get(query.map % maps.len().max(1)) {
        Some(map) => map.from & !low_bits(map.size) | query.offset & low_bits(map.size),
        None => query.offset,
    };
    let reach = match scene.guest {
        Some((levels, ..)) => low_bits(11 + 9 * u32::from(levels)),
        None => low_bits(12 + 9 * u32::from(scene.mode)),
    };
    let address = query.wild.unwrap_or(aimed & reach);
    // Writes to this range are interrupts, which no table translates.
    let address = if address >> 20 == 0xfee { 0 } else { address };
    let pasid = query
        .pasid
        .map(|n| scene.pasids[n % scene.pasids.len()] ^ u32::from(n == 3));
    Request {
        requester: DEVICE,
        address,
        access: query.access,
        pasid,
        privileged: query.privileged,
    }
}

fn check_answer(answer: Answer, verdict: Verdict) -> Result<(), TestCaseError> {
    match (verdict, answer) {
        (Verdict::Open, _) | (Verdict::Fault(_), Answer::Abort) => Ok(()),
        (Verdict::Forward(reach), Answer::Forward(got)) => {
            prop_assert_eq!(Reach::from(got), reach);
            Ok(())
        }
        (verdict, answer) => Err(TestCaseError::fail(format!(
            "{verdict:x?}, got {answer:x?}"
        ))),
    }
}

fn check_event(event: &Logged, fault: Fault, request: &Request) -> Result<(), TestCaseError> {
    let flags = [event.present(), event.permission(), event.reserved()];
    let code = match fault {
        Fault::IllegalEntry => event::ILLEGAL_ENTRY,
        Fault::TableError(_) => event::TABLE_ERROR,
        _ => event::PAGE_FAULT,
    };
    prop_assert_eq!(event.code(), code);
    prop_assert_eq!(event.device(), DEVICE);
    prop_assert_eq!(event.vflags(), 0);
    prop_assert_eq!(event.write(), request.access.writes());
    prop_assert!(!event.interrupt() && !event.translation());
    prop_assert_eq!(
        event.pasid().filter(|_| request.pasid.is_some()),
        request.pasid
    );
    match fault {
        Fault::IllegalEntry => prop_assert_eq!(flags, [false, false, true]),
        Fault::NotPresent => prop_assert_eq!(flags, [false, false, false]),
        Fault::Permission => prop_assert_eq!(flags, [true, true, false]),
        Fault::BadLevel => prop_assert_eq!(flags, [true, false, false]),
        Fault::Reserved => prop_assert_eq!(flags, [true, false, true]),
        Fault::Page => {}
        Fault::TableError(at) => prop_assert_eq!(event.address(), at),
    }
    if code == event::PAGE_FAULT {
        prop_assert_eq!(event.address(), request.address);
        prop_assert!(event.gn() || event.domain() == DOMAIN);
    }
    if request.pasid.is_some() && code == event::PAGE_FAULT {
        prop_assert_eq!(event.us(), !request.privileged);
    }
    Ok(())
}

fn check(
    bench: &mut Bench,
    part: Part,
    words: [u64; 4],
    request: &Request,
) -> Result<(), TestCaseError> {
    let expected = verdict(part, &bench.machine, words, request);
    let answer = bench.request(request);
    let events = bench.events();
    check_answer(answer, expected)?;
    match expected {
        Verdict::Forward(_) => prop_assert!(events.is_empty(), "{events:?}"),
        Verdict::Fault(fault) => {
            prop_assert_eq!(events.len(), 1, "{:?}", events);
            check_event(&events[0], fault, request).map_err(|error| {
                TestCaseError::fail(format!("{error}: {request:x?} {fault:x?} {events:?}"))
            })?;
        }
        Verdict::Open => prop_assert!(events.len() <= 1),
    }
    Ok(())
}

/// Only A and D of entries that are present may appear, and only if somebody enabled that.
fn check_memory(
    before: &BTreeMap<u64, u64>,
    bench: &Bench,
    allowed: u64,
) -> Result<(), TestCaseError> {
    for (&at, &now) in &bench.machine.snapshot() {
        let was = before.get(&at).copied().unwrap_or(0);
        let ours = (bench.commands..bench.semaphore + 0x1000).contains(&at);
        let good =
            ours || now == was || was & 1 != 0 && now & !was & !allowed == 0 && was & !now == 0;
        prop_assert!(good, "{at:#x}: {was:#x} became {now:#x}");
    }
    Ok(())
}

/// Whether the copies of an entry with an encoded page size may differ. What a cache then holds
/// depends on the copy that was read first.
fn may_contradict_itself(scene: &Scene) -> bool {
    let encoded = |map: &Map| !matches!(map.size, 12 | 21 | 30);
    let makes_encoded =
        |flaw: &Flaw| matches!(flaw.kind, FlawKind::Flip(9..=11) | FlawKind::Garbage(_));
    scene.host_maps.iter().any(encoded) || scene.flaws.iter().any(makes_encoded)
}

fn run(scene: &Scene, queries: &[Query], update: bool) -> Result<(), TestCaseError> {
    let (features, part) = features();
    let mut bench = Bench::on(Config::new(features));
    if !update {
        bench.set_control(1 << 54 | 1 << 48);
    }
    let built = build(&mut bench.machine, scene);
    spoil(&mut bench.machine, scene, &built);
    let mut words = built.entry.words();
    if let Some(bit) = scene.entry.flip {
        words[0] ^= 1 << bit;
    }
    bench.put_entry(DEVICE, words);
    let before = bench.machine.snapshot();
    let forget = may_contradict_itself(scene);
    // The second round is answered from the caches where they hold anything.
    for query in queries.iter().chain(queries) {
        if forget {
            bench.execute(&[command::invalidate_all()]);
        }
        check(&mut bench, part, words, &request_of(scene, query))?;
    }
    // Which of the two can be switched off depends on the part.
    let disabled = bench.get(reg::CONTROL);
    let (accessed, dirty) = (disabled >> 54 & 1 == 0, disabled >> 48 & 1 == 0);
    let guest = u64::from(accessed) << 5 | u64::from(dirty) << 6;
    let host = scene.had != 0 || scene.entry.flip.is_some();
    let allowed = if host { 0x60 } else { guest };
    check_memory(&before, &bench, allowed)
}

proptest! {
    #![proptest_config(random_cases(1024))]

    #[test]
    fn translations_and_faults_are_those_of_a_naive_walk(
        scene in scene(),
        queries in prop::collection::vec(query(), 1..24),
        update in any::<bool>(),
    ) {
        run(&scene, &queries, update)?;
    }
}

#[test]
fn the_bench_enables_what_the_oracle_takes_for_granted() {
    let (features, _) = features();
    let mut bench = Bench::on(Config::new(features));
    let wanted = control::IOMMU | control::GUEST | control::GCR3_TRP | control::EVENT_LOG;
    assert_eq!(bench.get(reg::CONTROL) & wanted, wanted);
}
