// SPDX-License-Identifier: GPL-2.0

//! The event log (hardware.md 3.2, 3.9 Rings).

use amd_iommu_model::config::{Features, OverflowRun};
use amd_iommu_model::request::Access;
use amd_iommu_model::schedule::Engine;
use amd_iommu_model::Config;

use crate::support::bench::{control, reg};
use crate::support::recorder::{ring_and_record, Op};
use crate::support::{command, Bench, Dte};

const OVERFLOW: u64 = 1 << 0;
const LOGGED: u64 = 1 << 1;
const RUN: u64 = 1 << 3;
/// Entries that fit into the log of the bench.
const FIT: u16 = 511;

/// A command whose only effect is GUEST_EVENT_FAULT with this guest ID: a reserved bit is set.
fn fault(gid: u16) -> [u32; 4] {
    [1, 0x9000_0000 | u32::from(gid), 0, 0]
}

fn faults(gids: impl IntoIterator<Item = u16>) -> Vec<[u32; 4]> {
    gids.into_iter().map(fault).collect()
}

fn entry(gid: u16) -> [u32; 4] {
    [0, 0xb000_0000 | u32::from(gid), 0, 0]
}

fn raise(bench: &mut Bench, gids: impl IntoIterator<Item = u16>) {
    bench.submit(&faults(gids));
    bench.advance();
}

fn with_reading(reading: OverflowRun) -> Bench {
    let mut config = Config::new(Features::genoa());
    config.readings.overflow_run = reading;
    Bench::on(config)
}

fn logged(bench: &mut Bench) -> Vec<[u32; 4]> {
    bench.events().iter().map(|event| event.0).collect()
}

#[test]
fn entries_follow_each_other_across_the_end_of_the_log() {
    let mut bench = Bench::genoa();
    for round in 0..4u16 {
        let gids = round * 300..round * 300 + 300;
        raise(&mut bench, gids.clone());
        let expected: Vec<_> = gids.map(entry).collect();
        assert_eq!(logged(&mut bench), expected);
    }
    assert!(bench
        .violations()
        .iter()
        .all(|line| line.contains("Command")));
}

#[test]
fn an_event_is_in_memory_before_its_interrupt() {
    let mut bench = Bench::genoa();
    let log = bench.log;
    let ops = ring_and_record(&mut bench, &[fault(1)]);
    let mut bytes = Vec::new();
    for word in entry(1) {
        bytes.extend(word.to_le_bytes());
    }
    assert!(
        ops.ends_with(&[Op::Write(log, bytes), Op::Interrupt]),
        "{ops:?}"
    );
    assert_eq!(bench.get(reg::EVENT_TAIL), 16);
}

#[test]
fn a_full_log_overflows_and_keeps_what_it_has() {
    for reading in OverflowRun::ALL {
        let mut bench = with_reading(*reading);
        raise(&mut bench, 0..FIT);
        assert_eq!(bench.get(reg::STATUS) & (OVERFLOW | RUN), RUN);
        bench.set(reg::STATUS, LOGGED);
        bench.machine.interrupts.clear();

        raise(&mut bench, [0xaaaa]);
        let run = match reading {
            OverflowRun::Clears => 0,
            OverflowRun::Stays => RUN,
        };
        assert_eq!(
            bench.get(reg::STATUS) & (OVERFLOW | LOGGED | RUN),
            OVERFLOW | run
        );
        assert_eq!(bench.machine.interrupts.len(), 1);

        // Room alone does not bring it back.
        bench.set(reg::EVENT_HEAD, 160);
        raise(&mut bench, [0xbbbb]);
        assert_eq!(bench.get(reg::EVENT_TAIL), 16 * u64::from(FIT));
        assert_eq!(bench.machine.interrupts.len(), 1);
        for n in 0..FIT {
            let at = bench.log + 16 * u64::from(n);
            assert_eq!(bench.machine.peek_words(at), entry(n));
        }
    }
}

/// The orders of Linux and of NOVA, and the clear bit alone (hardware.md 3.2).
#[test]
fn an_overflowed_log_is_restarted_by_its_enable() {
    type Restart = fn(&mut Bench);
    let linux: Restart = |bench| {
        bench.clear_control(control::EVENT_LOG | control::EVENT_INT);
        bench.set(reg::STATUS, OVERFLOW);
        bench.set_control(control::EVENT_INT);
        bench.set_control(control::EVENT_LOG);
    };
    let nova: Restart = |bench| {
        bench.clear_control(control::EVENT_LOG);
        assert_eq!(bench.get(reg::STATUS) & RUN, 0);
        bench.set_control(control::EVENT_LOG);
    };
    let clear_only: Restart = |bench| bench.set(reg::STATUS, OVERFLOW);
    for reading in OverflowRun::ALL {
        let stays = *reading == OverflowRun::Stays;
        for (restart, works) in [(linux, true), (nova, true), (clear_only, stays)] {
            let mut bench = with_reading(*reading);
            raise(&mut bench, 0..FIT + 1);
            bench.set(reg::EVENT_HEAD, 16 * u64::from(FIT));
            restart(&mut bench);
            raise(&mut bench, [7]);
            assert_eq!(
                logged(&mut bench),
                if works { vec![entry(7)] } else { vec![] }
            );
        }
    }
}

#[test]
fn a_disabled_log_drops_events_but_hardware_errors_are_latched() {
    let mut bench = Bench::genoa();
    bench.clear_control(control::EVENT_LOG);
    raise(&mut bench, [1]);
    let nowhere = command::completion_wait(Some((0xf_0000_0008, 0)), false);
    bench.submit(&[nowhere]);
    assert_eq!(bench.get(reg::STATUS) & 0xf, 0);
    assert_eq!(bench.get(reg::EVENT_TAIL), 0);
    assert!(bench.machine.interrupts.is_empty());
    assert_eq!(bench.get(reg::HW_EVENT_STATUS), 1);
    assert_eq!(bench.get(reg::HW_EVENT_LOW), 0x6600_0000_0000_0000);
    assert_eq!(bench.get(reg::HW_EVENT_HIGH), 0xf_0000_0008);
    let events = &bench.iommu.counters().events;
    assert_eq!(events.get(&(None, 0xb)), Some(&1));

    // What was dropped does not come back.
    bench.set_control(control::EVENT_LOG);
    assert!(bench.events().is_empty());
}

#[test]
fn only_hardware_errors_are_latched() {
    let mut bench = Bench::genoa();
    raise(&mut bench, [1]);
    bench.submit(&[[0, 0xf000_0000, 0, 0]]);
    assert_eq!(bench.events().len(), 2);
    assert_eq!(bench.get(reg::HW_EVENT_STATUS), 0);
}

#[test]
fn an_entry_that_cannot_be_written_is_lost_and_nothing_else() {
    let mut bench = Bench::genoa();
    bench.machine.remove(bench.log);
    raise(&mut bench, [1]);
    assert_eq!(bench.get(reg::EVENT_TAIL), 16);
    assert_eq!(
        bench.get(reg::STATUS) & (OVERFLOW | LOGGED | RUN),
        LOGGED | RUN
    );
    assert_eq!(bench.machine.interrupts.len(), 1);
    assert_eq!(bench.iommu.counters().events.values().sum::<u64>(), 1);
    bench.machine.add(bench.log);
    raise(&mut bench, [2]);
    assert_eq!(logged(&mut bench), [[0; 4], entry(2)]);
}

#[test]
fn status_is_set_without_the_interrupt_enable() {
    let mut bench = Bench::genoa();
    bench.clear_control(control::EVENT_INT);
    raise(&mut bench, [1]);
    assert_eq!(bench.get(reg::STATUS) & LOGGED, LOGGED);
    raise(&mut bench, 0..FIT);
    assert_eq!(bench.get(reg::STATUS) & OVERFLOW, OVERFLOW);
    assert!(bench.machine.interrupts.is_empty());
}

#[test]
fn a_stalled_log_holds_events_back() {
    for seed in [None, Some(3)] {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::on(config);
        let stall = |bench: &mut Bench, on| {
            let before = bench.get(reg::EVENT_TAIL);
            let Bench { iommu, machine, .. } = bench;
            iommu.set_stalled(machine, Engine::Events, on);
            if seed.is_some() {
                assert_eq!(
                    bench.get(reg::EVENT_TAIL),
                    before,
                    "nothing is done inside the call"
                );
            }
            bench.advance();
        };
        stall(&mut bench, true);
        raise(&mut bench, 0..5);
        assert_eq!(bench.get(reg::EVENT_TAIL), 0);
        assert_eq!(bench.get(reg::STATUS) & LOGGED, 0);
        stall(&mut bench, false);
        let expected: Vec<_> = (0..5).map(entry).collect();
        assert_eq!(logged(&mut bench), expected);

        // More than can be held back end as an overflow behind those that were.
        stall(&mut bench, true);
        raise(&mut bench, 0..200);
        stall(&mut bench, false);
        assert_eq!(bench.get(reg::STATUS) & (OVERFLOW | RUN), OVERFLOW);
        let held = logged(&mut bench);
        assert!(!held.is_empty() && held.len() < 200);
        let expected: Vec<_> = (0..).map(entry).take(held.len()).collect();
        assert_eq!(held, expected);
    }
}

/// hardware.md 3.2, erratum 732: a reader that trusts the tail alone must not get away with it.
#[test]
fn asynchronous_entries_can_lag_behind_the_tail_but_arrive() {
    let mut lagged = 0;
    for seed in 0..64 {
        let mut bench = Bench::genoa_async(seed);
        bench.submit(&faults(1..20));
        while let Some(time) = bench.machine.wake.take() {
            bench.machine.time = bench.machine.time.max(time);
            bench.iommu.run(&mut bench.machine);
            let tail = bench.get(reg::EVENT_TAIL);
            if tail > 0 && bench.machine.peek_words(bench.log + tail - 16) == [0; 4] {
                lagged += 1;
            }
        }
        let expected: Vec<_> = (1..20).map(entry).collect();
        assert_eq!(logged(&mut bench), expected, "seed {seed}");
    }
    assert!(lagged > 0);
}

/// Runs the IOMMU until the tail announces an entry that memory does not hold yet; returns where
/// that belongs, or `None` if it never happens.
fn run_until_late(bench: &mut Bench) -> Option<u64> {
    while let Some(time) = bench.machine.wake.take() {
        bench.machine.time = bench.machine.time.max(time);
        bench.iommu.run(&mut bench.machine);
        let last = bench.log + bench.get(reg::EVENT_TAIL).saturating_sub(16);
        if last > bench.log && bench.machine.peek_words(last) == [0; 4] {
            return Some(last);
        }
    }
    None
}

/// The memory of a log that software has switched off, or moved, may be in use for something
/// else.
#[test]
fn a_late_entry_does_not_reach_a_log_that_is_gone() {
    let off = |bench: &mut Bench| bench.clear_control(control::EVENT_LOG);
    let moved = |bench: &mut Bench| {
        let base = bench.machine.pages(2);
        bench.clear_control(control::EVENT_LOG);
        bench.set(reg::EVENT_BASE, base | 9 << 56);
        bench.set_control(control::EVENT_LOG);
    };
    for leave in [off as fn(&mut Bench), moved] {
        let mut late = 0;
        for seed in 0..100 {
            let mut bench = Bench::genoa_async(seed);
            bench.submit(&faults(1..20));
            let Some(last) = run_until_late(&mut bench) else {
                continue;
            };
            late += 1;
            leave(&mut bench);
            bench.advance();
            assert_eq!(bench.machine.peek_words(last), [0; 4], "seed {seed}");
        }
        assert!(late > 10, "{late} of 100 runs had a late entry");
    }
}

#[test]
fn what_a_disabled_log_dropped_does_not_come_back_from_a_stall() {
    for seed in [None, Some(1)] {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::on(config);
        let Bench { iommu, machine, .. } = &mut bench;
        iommu.set_stalled(machine, Engine::Events, true);
        bench.clear_control(control::EVENT_LOG);
        raise(&mut bench, [1]);
        bench.set_control(control::EVENT_LOG);
        let Bench { iommu, machine, .. } = &mut bench;
        iommu.set_stalled(machine, Engine::Events, false);
        assert!(bench.events().is_empty());
    }
}

#[test]
fn an_asynchronous_log_loses_nothing_for_lack_of_wake_ups() {
    let mut bench = Bench::genoa_async(1);
    bench.install(8, &Dte::blocked());
    for page in 0..300 {
        assert_eq!(bench.target(8, page << 12, Access::Read), None);
    }
    let addresses: Vec<_> = logged(&mut bench).iter().map(|words| words[2]).collect();
    let expected: Vec<_> = (0..300).map(|page| page << 12).collect();
    assert_eq!(addresses, expected);
}
