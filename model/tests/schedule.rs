// SPDX-License-Identifier: GPL-2.0

//! Asynchrony: seeded delays, commands out of order, engines that stand still
//! (hardware.md 3.9 Commands).

use amd_iommu_model::config::Features;
use amd_iommu_model::schedule::Engine;
use amd_iommu_model::Config;

use crate::support::bench::{control, reg};
use crate::support::event::GUEST_EVENT_FAULT;
use crate::support::recorder::{record, ring_and_record, Op};
use crate::support::{command, Bench};

const RUN: u64 = 1 << 4;

/// INSERT_GUEST_EVENT for a guest that has nothing to insert: GUEST_EVENT_FAULT when it is
/// executed, so that the log shows the order of execution.
fn marks(gids: impl Iterator<Item = u16>) -> Vec<[u32; 4]> {
    gids.map(command::insert_guest_event).collect()
}

fn order(bench: &mut Bench) -> Vec<u32> {
    bench
        .events()
        .iter()
        .inspect(|event| assert_eq!(event.code(), GUEST_EVENT_FAULT))
        .map(|event| event.0[1] & 0xffff)
        .collect()
}

fn executed(bench: &Bench, opcode: u8) -> u64 {
    let counters = bench.iommu.counters();
    counters.commands.get(&(None, opcode)).copied().unwrap_or(0)
}

/// One wake-up. Returns false if none is asked for.
fn wake(bench: &mut Bench) -> bool {
    let Some(time) = bench.machine.wake.take() else {
        return false;
    };
    bench.machine.time = bench.machine.time.max(time);
    bench.iommu.run(&mut bench.machine);
    true
}

fn stall(bench: &mut Bench, engine: Engine, on: bool) {
    let Bench { iommu, machine, .. } = bench;
    iommu.set_stalled(machine, engine, on);
}

/// Lets the idle ring go on at another place.
fn move_ring(bench: &mut Bench, pointer: u64) {
    bench.clear_control(control::COMMAND_BUFFER);
    bench.set(reg::COMMAND_HEAD, pointer);
    bench.set(reg::COMMAND_TAIL, pointer);
    bench.set_control(control::COMMAND_BUFFER);
}

fn a_run(seed: u64) -> (Vec<Op>, Vec<u32>) {
    let mut bench = Bench::genoa_async(seed);
    let page = bench.machine.page();
    let mut commands = marks(1..40);
    commands.insert(20, command::completion_wait(Some((page, 1)), true));
    commands.push(command::completion_wait(Some((page, 2)), true));
    let ops = ring_and_record(&mut bench, &commands);
    (ops, order(&mut bench))
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let runs: Vec<_> = (0..20).map(a_run).collect();
    for (seed, run) in (0..).zip(&runs) {
        assert_eq!(*run, a_run(seed));
    }
    let orders = |run: &(_, Vec<u32>)| run.1.clone();
    let different: std::collections::HashSet<_> = runs.iter().map(orders).collect();
    assert!(
        different.len() > 15,
        "{} orders in 20 seeds",
        different.len()
    );
}

#[test]
fn reset_starts_the_seed_again() {
    let mut bench = Bench::genoa_async(5);
    let mut delays = || {
        bench.iommu.reset();
        bench.machine.time = 0;
        bench.machine.wake = None;
        bench.set(reg::COMMAND_BASE, bench.commands | 9 << 56);
        bench.set(reg::COMMAND_TAIL, 16);
        bench.set(reg::CONTROL, control::IOMMU | control::COMMAND_BUFFER);
        bench.machine.wake.expect("a start asks for a wake-up")
    };
    assert_eq!(delays(), delays());
}

#[test]
fn nothing_happens_inside_the_doorbell() {
    for seed in 0..50 {
        let mut bench = Bench::genoa_async(seed);
        let now = bench.machine.time;
        let head = bench.get(reg::COMMAND_HEAD);
        let ops = record(&mut bench, |bench, machine| {
            bench
                .iommu
                .mmio_write(machine, reg::COMMAND_TAIL, 8, head + 16);
        });
        let [Op::Wake(time)] = ops[..] else {
            panic!("{ops:?}");
        };
        assert!(time >= now && time - now <= 5_000_000);
        assert_eq!(bench.get(reg::COMMAND_HEAD), head);

        // Too early: harmless, and the wake-up stands.
        let early = record(&mut bench, |bench, machine| {
            machine.machine.time = time.saturating_sub(1).max(now);
            if machine.machine.time < time {
                bench.iommu.run(machine);
            }
        });
        assert_eq!(early, []);
    }
}

#[test]
fn delays_are_short_mostly_and_long_at_times() {
    let mut bench = Bench::genoa_async(1);
    let mut delays: Vec<u64> = (0..500u64)
        .map(|n| {
            let tail = 16 * (n % 500 + 2);
            let now = bench.machine.time;
            bench
                .machine
                .poke_words(bench.commands + tail - 16, [0, 0x2000_0000, 0, 0]);
            bench.set(reg::COMMAND_TAIL, tail);
            let delay = bench.machine.wake.map_or(0, |time| time - now);
            bench.advance();
            delay
        })
        .collect();
    delays.sort_unstable();
    assert!(delays[250] < 50_000, "median {}", delays[250]);
    assert!(delays[490] > 200_000, "{}", delays[490]);
    assert!(delays[499] <= 5_000_000);
}

#[test]
fn a_later_doorbell_never_puts_work_off() {
    let mut bench = Bench::genoa_async(9);
    let mut first = u64::MAX;
    for n in 1..50 {
        bench.set(reg::COMMAND_TAIL, 16 * (n + 2));
        let time = bench.machine.wake.expect("work is pending");
        assert!(time <= first);
        first = time;
    }
}

#[test]
fn commands_between_waits_go_in_any_order_but_waits_are_waits() {
    let mut reordered = 0;
    for seed in 0..40 {
        let mut bench = Bench::genoa_async(seed);
        let page = bench.machine.page();
        let wait = |n: u64| command::completion_wait(Some((page, n)), false);
        let mut commands = marks(1..13);
        commands.push(wait(1));
        commands.extend(marks(13..25));
        commands.push(wait(2));
        bench.submit(&commands);
        let before = executed(&bench, 9);
        loop {
            let done = executed(&bench, 9) - before;
            match bench.machine.peek(page) {
                0 => assert!(done <= 12, "a command overtook a wait"),
                1 => assert!((12..=24).contains(&done)),
                _ => assert_eq!(done, 24),
            }
            if !wake(&mut bench) {
                break;
            }
        }
        assert_eq!(bench.machine.peek(page), 2);
        let order = order(&mut bench);
        let (mut first, mut second) = (order[..12].to_vec(), order[12..].to_vec());
        reordered += usize::from(!first.is_sorted()) + usize::from(!second.is_sorted());
        first.sort_unstable();
        second.sort_unstable();
        assert_eq!(first, (1..13).collect::<Vec<_>>());
        assert_eq!(second, (13..25).collect::<Vec<_>>());
    }
    assert!(reordered > 40, "{reordered} of 80 batches");
}

#[test]
fn commands_are_fetched_ahead_of_their_execution() {
    let mut ahead = 0;
    for seed in 0..40 {
        let mut bench = Bench::genoa_async(seed);
        let before = executed(&bench, 9);
        let head = bench.get(reg::COMMAND_HEAD);
        bench.submit(&marks(1..60));
        while wake(&mut bench) {
            let fetched = (bench.get(reg::COMMAND_HEAD) - head) / 16;
            let in_flight = fetched - (executed(&bench, 9) - before);
            assert!(in_flight <= 16);
            ahead = ahead.max(in_flight);
        }
    }
    assert!(ahead > 2);
}

#[test]
fn what_was_fetched_is_done_when_the_engine_has_stopped() {
    let mut partly = 0;
    for seed in 0..60 {
        let mut bench = Bench::genoa_async(seed);
        let before = executed(&bench, 9) + executed(&bench, 1);
        let head = bench.get(reg::COMMAND_HEAD);
        let page = bench.machine.page();
        let mut commands = marks(1..40);
        commands.insert(9, command::completion_wait(Some((page, 1)), false));
        bench.submit(&commands);
        wake(&mut bench);
        bench.clear_control(control::COMMAND_BUFFER);
        let fetched = (bench.get(reg::COMMAND_HEAD) - head) / 16;
        assert_eq!(executed(&bench, 9) + executed(&bench, 1) - before, fetched);
        partly += u64::from(fetched > 0 && fetched < 40);

        // Nothing comes later, and the rest is done when the engine runs again.
        bench.advance();
        assert_eq!((bench.get(reg::COMMAND_HEAD) - head) / 16, fetched);
        bench.set_control(control::COMMAND_BUFFER);
        bench.advance();
        assert_eq!(executed(&bench, 9) + executed(&bench, 1) - before, 40);
    }
    assert!(partly > 20, "{partly} of 60 runs were stopped half way");
}

/// A CmdBufRun that reads 0 means that no effect of a command is still to come, whoever cleared
/// it.
#[test]
fn what_was_fetched_is_done_when_the_engine_has_refused_a_command() {
    for (seed, fetch_fails) in (0..40).zip([false, true].into_iter().cycle()) {
        let mut bench = Bench::genoa_async(seed);
        // The 12 commands end where the first page of the ring does.
        move_ring(&mut bench, 0x1000 - 12 * 16);
        bench.machine.remove(bench.commands + 0x1000);
        let mut commands = marks(1..13);
        if !fetch_fails {
            commands.pop();
            commands.push([0, 0xf000_0000, 0, 0]);
        }
        let before = executed(&bench, 9);
        bench.submit(&commands);
        bench.set(reg::COMMAND_TAIL, 0x1010);
        while bench.get(reg::STATUS) & RUN != 0 {
            assert!(wake(&mut bench), "the engine is to refuse the last command");
        }
        let good = if fetch_fails { 12 } else { 11 };
        assert_eq!(executed(&bench, 9) - before, good, "seed {seed}");
    }
}

/// A store that fails after software has taken the ring away, which only a stall allows.
#[test]
fn a_late_refusal_leaves_a_new_head_alone() {
    type Change = fn(&mut Bench) -> u64;
    let other_head: Change = |bench| {
        bench.set(reg::COMMAND_HEAD, 0x400);
        bench.set(reg::COMMAND_TAIL, 0x400);
        0x400
    };
    let other_base: Change = |bench| {
        let base = bench.machine.pages(2);
        bench.set(reg::COMMAND_BASE, base | 9 << 56);
        0
    };
    for change in [other_head, other_base] {
        let mut in_flight = 0;
        for seed in 0..200 {
            let mut bench = Bench::genoa_async(seed);
            // The last slot of the ring: the head behind it is also that of a new ring.
            move_ring(&mut bench, 0x1ff0);
            let store = Some((0xf_0000_0000, 1));
            bench.submit(&[command::completion_wait(store, false)]);
            let before = executed(&bench, 1);
            wake(&mut bench);
            if bench.get(reg::COMMAND_HEAD) != 0 || executed(&bench, 1) != before {
                continue;
            }
            in_flight += 1;
            stall(&mut bench, Engine::HostCommands, true);
            bench.clear_control(control::COMMAND_BUFFER);
            let head = change(&mut bench);
            stall(&mut bench, Engine::HostCommands, false);
            bench.advance();
            assert_eq!(bench.events().len(), 1);
            assert_eq!(bench.get(reg::COMMAND_HEAD), head);
        }
        assert!(in_flight > 0);
    }
}

#[test]
fn events_and_commands_take_turns_at_random() {
    let (mut behind, mut at_once) = (0, 0);
    for seed in 0..40 {
        let mut bench = Bench::genoa_async(seed);
        let before = executed(&bench, 9);
        bench.submit(&marks(1..40));
        while wake(&mut bench) {
            let done = executed(&bench, 9) - before;
            match done - bench.get(reg::EVENT_TAIL) / 16 {
                0 => at_once += 1,
                lag => behind = behind.max(lag),
            }
        }
    }
    assert!(behind > 3 && at_once > 3, "{behind} {at_once}");
}

#[test]
fn a_stalled_command_engine_stands_still_and_goes_on() {
    for seed in [None, Some(1), Some(2), Some(3)] {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::on(config);
        let page = bench.machine.page();
        stall(&mut bench, Engine::HostCommands, true);
        let head = bench.get(reg::COMMAND_HEAD);
        bench.submit(&[command::completion_wait(Some((page, 1)), false)]);
        bench.advance();
        assert_eq!(bench.machine.peek(page), 0);
        assert_eq!(bench.get(reg::COMMAND_HEAD), head);
        assert_eq!(bench.get(reg::STATUS) & RUN, RUN);
        stall(&mut bench, Engine::HostCommands, false);
        bench.advance();
        assert_eq!(bench.machine.peek(page), 1);
    }
}

#[test]
fn a_stall_holds_commands_in_flight_too() {
    let mut held = 0;
    for seed in 0..40 {
        let mut bench = Bench::genoa_async(seed);
        let before = executed(&bench, 9);
        let head = bench.get(reg::COMMAND_HEAD);
        bench.submit(&marks(1..30));
        wake(&mut bench);
        stall(&mut bench, Engine::HostCommands, true);
        let done = executed(&bench, 9);
        held += u64::from((bench.get(reg::COMMAND_HEAD) - head) / 16 > done - before);
        bench.advance();
        assert_eq!(executed(&bench, 9), done);
        stall(&mut bench, Engine::HostCommands, false);
        bench.advance();
        assert_eq!(executed(&bench, 9) - before, 29);
    }
    assert!(held > 5, "{held} of 40 runs had commands in flight");
}
