// SPDX-License-Identifier: GPL-2.0

//! The command ring and what commands do (hardware.md 3.2, 3.9 Rings and Commands).

use amd_iommu_model::config::{Features, RefusedHead};
use amd_iommu_model::referee::Rule;
use amd_iommu_model::Config;
use proptest::prelude::*;

use crate::support::bench::{control, reg};
use crate::support::event::{COMMAND_ERROR, GUEST_EVENT_FAULT, ILLEGAL_COMMAND};
use crate::support::recorder::{ring_and_record, Op};
use crate::support::{command, random_cases, Bench, Dte};

const RUN: u64 = 1 << 4;
const COMPLETION: u64 = 1 << 2;
/// An opcode that does not exist.
const ILLEGAL: [u32; 4] = [0, 0xf000_0000, 0, 0];
/// Not memory.
const NOWHERE: u64 = 0xf_0000_0000;

fn bench() -> Bench {
    Bench::genoa()
}

fn with_reading(reading: RefusedHead) -> Bench {
    let mut config = Config::new(Features::genoa());
    config.readings.refused_head = reading;
    let mut bench = Bench::off(config);
    bench.bring_up();
    bench
}

fn store(address: u64, value: u64) -> [u32; 4] {
    command::completion_wait(Some((address, value)), false)
}

fn restart(bench: &mut Bench) {
    bench.clear_control(control::COMMAND_BUFFER);
    bench.set_control(control::COMMAND_BUFFER);
    bench.advance();
}

#[test]
fn completion_wait_stores_eight_bytes_and_no_more() {
    let mut bench = bench();
    let page = bench.machine.page();
    for offset in [0, 8, 16] {
        bench.machine.poke(page + offset, u64::MAX);
    }
    bench.submit(&[store(page + 8, 0x0123_4567_89ab_cdef)]);
    assert_eq!(bench.machine.peek(page), u64::MAX);
    assert_eq!(bench.machine.peek(page + 8), 0x0123_4567_89ab_cdef);
    assert_eq!(bench.machine.peek(page + 16), u64::MAX);
}

#[test]
fn completion_interrupt_needs_its_enable_but_its_status_does_not() {
    let mut bench = bench();
    bench.submit(&[command::completion_wait(None, true)]);
    assert_eq!(bench.get(reg::STATUS) & COMPLETION, COMPLETION);
    assert!(bench.machine.interrupts.is_empty());

    bench.set(reg::STATUS, COMPLETION);
    bench.set_control(control::COM_WAIT_INT);
    bench.submit(&[command::completion_wait(None, true)]);
    assert_eq!(bench.get(reg::STATUS) & COMPLETION, COMPLETION);
    assert_eq!(bench.machine.interrupts.len(), 1);
}

#[test]
fn a_pure_barrier_has_no_visible_effect() {
    let mut bench = bench();
    bench.set_control(control::COM_WAIT_INT);
    let ops = ring_and_record(&mut bench, &[command::completion_wait(None, false)]);
    assert!(ops.iter().all(|op| matches!(op, Op::Read(..))), "{ops:?}");
    assert_eq!(bench.get(reg::STATUS) & COMPLETION, 0);
}

#[test]
fn the_store_is_visible_before_the_interrupt() {
    let mut bench = bench();
    bench.set_control(control::COM_WAIT_INT);
    let page = bench.machine.page();
    let wait = command::completion_wait(Some((page, 5)), true);
    let ops = ring_and_record(&mut bench, &[wait]);
    let expected = [Op::Write(page, vec![5, 0, 0, 0, 0, 0, 0, 0]), Op::Interrupt];
    assert!(ops.ends_with(&expected), "{ops:?}");
}

#[test]
fn a_command_is_fetched_as_sixteen_bytes_at_the_head() {
    let mut bench = bench();
    let at = bench.commands + bench.get(reg::COMMAND_HEAD);
    let ops = ring_and_record(&mut bench, &[command::invalidate_all(); 3]);
    let fetches: Vec<_> = (0..3).map(|n| Op::Read(at + 16 * n, 16)).collect();
    assert_eq!(ops, fetches);
}

#[test]
fn an_illegal_command_is_named_and_stops_the_engine() {
    let mut bench = bench();
    let page = bench.machine.page();
    let at = bench.get(reg::COMMAND_HEAD);
    bench.submit(&[store(page, 1), ILLEGAL, store(page, 2)]);
    assert_eq!(bench.machine.peek(page), 1);
    assert_eq!(bench.get(reg::STATUS) & RUN, 0);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].code(), ILLEGAL_COMMAND);
    let address = bench.commands + at + 16;
    assert_eq!(events[0].0[0], 0);
    assert_eq!(events[0].0[1], 0x5000_0000);
    assert_eq!(events[0].0[2], address as u32);
    assert_eq!(events[0].0[3], (address >> 32) as u32);

    bench.set(reg::COMMAND_TAIL, at + 64);
    assert_eq!(
        bench.machine.peek(page),
        1,
        "a stopped engine fetches nothing"
    );
}

#[test]
fn an_engine_that_stopped_starts_again_by_its_enable_only() {
    let mut bench = bench();
    let page = bench.machine.page();
    let at = bench.get(reg::COMMAND_HEAD);
    bench.submit(&[ILLEGAL, store(page, 2)]);
    bench
        .machine
        .poke_words(bench.commands + at, command::completion_wait(None, false));
    bench.set_control(control::COMMAND_BUFFER);
    bench.clear_control(control::EVENT_LOG);
    bench.set_control(control::EVENT_LOG);
    assert_eq!(bench.get(reg::STATUS) & RUN, 0);
    assert_eq!(bench.machine.peek(page), 0);
    restart(&mut bench);
    assert_eq!(bench.get(reg::STATUS) & RUN, RUN);
    assert_eq!(bench.machine.peek(page), 2);
    assert_eq!(bench.get(reg::COMMAND_HEAD), at + 32);
}

/// OQ-33: what is executed again, and what is lost, when software does nothing but toggle the
/// enable.
#[test]
fn the_head_after_a_refusal_is_a_reading() {
    let cases = [
        (RefusedHead::OnCommand, 16, 2, 1),
        (RefusedHead::BehindCommand, 32, 1, 3),
        (RefusedHead::AtTail, 48, 1, 1),
    ];
    for (reading, head, refusals, last) in cases {
        let mut bench = with_reading(reading);
        let page = bench.machine.page();
        let at = bench.get(reg::COMMAND_HEAD);
        bench.submit(&[store(page, 1), ILLEGAL, store(page, 3)]);
        assert_eq!(bench.get(reg::COMMAND_HEAD), at + head, "{reading:?}");
        restart(&mut bench);
        assert_eq!(bench.events().len(), refusals, "{reading:?}");
        assert_eq!(bench.machine.peek(page), last, "{reading:?}");
    }
}

#[test]
fn a_store_that_fails_stops_the_engine_and_names_the_store() {
    for reading in RefusedHead::ALL {
        let mut bench = with_reading(*reading);
        let at = bench.get(reg::COMMAND_HEAD);
        bench.set_control(control::COM_WAIT_INT);
        let wait = command::completion_wait(Some((NOWHERE + 8, 1)), true);
        bench.submit(&[wait, command::invalidate_all()]);
        let events = bench.events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].code(), COMMAND_ERROR);
        // Data error, as in W78.
        assert_eq!(events[0].0, [0, 0x6600_0000, 8, 0xf]);
        assert_eq!(bench.get(reg::STATUS) & (RUN | COMPLETION), 0);
        let head = match reading {
            RefusedHead::OnCommand => at,
            RefusedHead::BehindCommand => at + 16,
            RefusedHead::AtTail => at + 32,
        };
        assert_eq!(bench.get(reg::COMMAND_HEAD), head, "{reading:?}");
    }
}

#[test]
fn a_fetch_that_fails_stops_the_engine_and_names_the_command() {
    let mut bench = bench();
    let at = bench.get(reg::COMMAND_HEAD);
    bench.machine.remove(bench.commands);
    bench.set(reg::COMMAND_TAIL, at + 32);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    let address = bench.commands + at;
    let words = [0, 0x6600_0000, address as u32, (address >> 32) as u32];
    assert_eq!(events[0].0, words);
    assert_eq!(bench.get(reg::COMMAND_HEAD), at);
    assert_eq!(bench.get(reg::STATUS) & RUN, 0);
    assert_eq!(bench.get(reg::HW_EVENT_STATUS), 1, "code 6 is latched");
}

/// A bad INSERT_GUEST_EVENT has its own event, which does not stop the engine (hardware.md 3.5).
#[test]
fn a_reserved_bit_of_insert_guest_event_is_a_guest_event_fault() {
    let mut bench = bench();
    let page = bench.machine.page();
    let bad = [1, 0x9000_1234, 0, 0];
    bench.submit(&[bad, store(page, 1)]);
    assert_eq!(bench.machine.peek(page), 1);
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].code(), GUEST_EVENT_FAULT);
    assert_eq!(events[0].0[1], 0xb000_1234);
    assert_eq!(bench.get(reg::STATUS) & RUN, RUN);
}

#[test]
fn without_the_feature_insert_guest_event_is_illegal_whatever_its_bits() {
    let mut bench = Bench::on(Config::new(Features::basic()));
    bench.submit(&[[1, 0x9000_0001, 0, 0]]);
    let codes: Vec<_> = bench.events().iter().map(|event| event.code()).collect();
    assert_eq!(codes, [ILLEGAL_COMMAND]);
    assert_eq!(bench.get(reg::STATUS) & RUN, 0);
}

#[test]
fn what_is_refused_is_a_violation() {
    let reserved = [1 << 16, 0x2000_0000, 0, 0];
    for (words, rule, place) in [
        (ILLEGAL, Rule::UnknownCommand, 0xf),
        (
            command::invalidate_iotlb(1, None, 0, 0),
            Rule::UnknownCommand,
            4,
        ),
        (reserved, Rule::ReservedCommandBit, 2),
    ] {
        let mut bench = bench();
        bench.submit(&[words]);
        let found: Vec<_> = bench
            .iommu
            .referee()
            .violations()
            .map(|(rule, place, found)| (rule, place, found.count))
            .collect();
        assert_eq!(found, [(rule, place, 1)]);
    }
}

#[test]
fn iotlb_invalidation_is_for_devices_that_have_one() {
    let mut config = Config::new(Features::genoa());
    config.features.iotlb = true;
    let mut bench = Bench::off(config);
    bench.bring_up();
    for (device, iotlb) in [(8, true), (9, false)] {
        let entry = Dte {
            iotlb,
            ..Dte::blocked()
        };
        bench.install(device, &entry);
        bench.execute(&[command::invalidate_iotlb(device, None, 0, 0xfff)]);
    }
    let foreign: Vec<_> = bench
        .iommu
        .referee()
        .violations()
        .map(|(rule, place, _)| (rule, place))
        .collect();
    assert_eq!(foreign, [(Rule::IotlbForeignDevice, 9)]);
    assert!(bench.events().is_empty());
}

#[test]
fn commands_are_fetched_when_the_engine_starts_in_either_order_of_enables() {
    for first in [control::IOMMU, control::COMMAND_BUFFER] {
        let mut bench = Bench::off(Config::new(Features::genoa()));
        let page = bench.machine.page();
        bench.set(reg::DEVICE_TABLE, bench.device_table | 0x1ff);
        bench.set(reg::COMMAND_BASE, bench.commands | 9 << 56);
        bench.submit(&[store(page, 1)]);
        bench.set_control(first);
        assert_eq!(bench.machine.peek(page), 0);
        bench.set_control(control::IOMMU | control::COMMAND_BUFFER);
        assert_eq!(bench.machine.peek(page), 1);
    }
}

#[test]
fn a_full_ring_is_executed_across_its_end() {
    let mut bench = bench();
    let page = bench.machine.page();
    for round in 0..5u64 {
        let commands: Vec<_> = (0..511)
            .map(|n| store(page + 8 * n, round << 32 | n))
            .collect();
        let mut tail = bench.get(reg::COMMAND_TAIL);
        for words in &commands {
            bench.machine.poke_words(bench.commands + tail, *words);
            tail = (tail + 16) % 0x2000;
        }
        bench.set(reg::COMMAND_TAIL, tail);
        assert_eq!(bench.get(reg::COMMAND_HEAD), tail);
        for n in 0..511 {
            assert_eq!(bench.machine.peek(page + 8 * n), round << 32 | n);
        }
    }
    assert!(bench.violations().is_empty());
}

#[test]
fn commands_are_counted_by_opcode() {
    let mut bench = bench();
    let before = bench.iommu.counters().commands.clone();
    bench.submit(&[command::invalidate_entry(1), command::invalidate_entry(2)]);
    bench.submit(&[command::invalidate_domain(1, None), ILLEGAL]);
    let after = &bench.iommu.counters().commands;
    let grown = |opcode| {
        let count = |map: &std::collections::BTreeMap<_, u64>| {
            map.get(&(None, opcode)).copied().unwrap_or(0)
        };
        count(after) - count(&before)
    };
    assert_eq!([2, 3, 0xf].map(grown), [2, 1, 0]);
}

/// Words that are commands more often than chance would have it, with gids, devices and stores
/// among few values.
fn any_words() -> impl Strategy<Value = [u32; 4]> {
    let field = prop_oneof![Just(0u32), 0u32..8, any::<u32>()];
    let opcode = prop_oneof![8 => 1u32..=10, 1 => 0u32..16];
    (opcode, field, any::<[u32; 3]>(), 0u8..4).prop_map(|(opcode, low, [a, b, c], shape)| {
        match shape {
            0 => [low, opcode << 28, 0, 0],
            1 => [low, opcode << 28 | low & 0xffff, b & 0xffff_f007, c],
            2 => [a, opcode << 28 | low, b, c],
            _ => [a, b, low, c],
        }
    })
}

proptest! {
    #![proptest_config(random_cases(200))]

    /// Whatever a ring holds, one doorbell ends, in at most a fetch for each command.
    #[test]
    fn any_ring_terminates(
        commands in proptest::collection::vec(any_words(), 1..64),
        seed in proptest::option::of(any::<u64>()),
    ) {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::off(config);
        bench.bring_up();
        let base = bench.commands;
        let ops = ring_and_record(&mut bench, &commands);
        let fetches = ops
            .iter()
            .filter(|op| matches!(op, Op::Read(at, 16) if (base..base + 0x2000).contains(at)))
            .count();
        prop_assert!(fetches <= commands.len());
    }
}
