// SPDX-License-Identifier: GPL-2.0

//! What writes to registers do, and what the referee says of them (hardware.md 3.2, 3.8, 3.9).

use amd_iommu_model::config::Features;
use amd_iommu_model::referee::Rule;
use amd_iommu_model::Config;

use crate::support::bench::reg;
use crate::support::{command, Bench};

const RUN: u64 = 1 | 1 << 12;
const LOG: u64 = 1 | 1 << 2;
const COMMAND_RUN: u64 = 1 << 4;
const EVENT_RUN: u64 = 1 << 3;

/// All control bits that `genoa` has, but IommuEn.
const CONTROL_BITS: u64 = 0x1c31_c020_00bf_1ffe;

fn genoa() -> Bench {
    Bench::off(Config::new(Features::genoa()))
}

#[test]
fn run_bits_follow_the_enables_in_any_order() {
    let orders: &[(&[u64], u64)] = &[
        (&[1 << 12, RUN], COMMAND_RUN),
        (&[1, RUN], COMMAND_RUN),
        (&[RUN], COMMAND_RUN),
        (&[RUN, 1], 0),
        (&[RUN, 1 << 12], 0),
        (&[RUN, 1 << 12, RUN], COMMAND_RUN),
        (&[1 << 2, LOG], EVENT_RUN),
        (&[1, LOG], EVENT_RUN),
        (&[LOG, 1 << 2], 0),
        (&[LOG, 1], 0),
        (&[LOG | RUN], COMMAND_RUN | EVENT_RUN),
        (&[LOG | RUN, RUN], COMMAND_RUN),
        (&[LOG | RUN, LOG], EVENT_RUN),
    ];
    for (writes, status) in orders {
        let mut bench = genoa();
        for value in *writes {
            bench.set(reg::CONTROL, *value);
        }
        assert_eq!(bench.get(reg::STATUS), *status, "{writes:x?}");
    }
}

#[test]
fn a_base_is_taken_only_while_its_ring_stands_and_empties_it() {
    let rings = [(0x08, 0x2000, 0x2008, RUN), (0x10, 0x2010, 0x2018, LOG)];
    for (base, head, tail, enable) in rings {
        let mut bench = genoa();
        bench.set(base, 0x0900_0000_1000_0000);
        bench.set(head, 0x40);
        bench.set(tail, 0x80);
        for code in 0..8 {
            bench.set(base, code << 56 | 0x2000_0000);
            assert_eq!(bench.get(base), 0x0900_0000_1000_0000, "code {code}");
            assert_eq!((bench.get(head), bench.get(tail)), (0x40, 0x80));
        }
        bench.set(base, 0x0a00_0000_3000_0000);
        assert_eq!(bench.get(base), 0x0a00_0000_3000_0000);
        assert_eq!((bench.get(head), bench.get(tail)), (0, 0));
        bench.set(reg::CONTROL, enable);
        bench.set(base, 0x0a00_0000_3000_0000);
        assert_eq!(
            bench.iommu.referee().count_of(Rule::BaseMoved),
            0,
            "the same base"
        );
        bench.set(base, 0x0a00_0000_4000_0000);
        assert_eq!(bench.get(base), 0x0a00_0000_3000_0000, "running");
        assert_eq!(bench.iommu.referee().count_of(Rule::BaseMoved), 1);
        bench.set(reg::CONTROL, 1);
        bench.set(base, 0x0a00_0000_4000_0000);
        assert_eq!(bench.get(base), 0x0a00_0000_4000_0000, "stopped");
    }
}

#[test]
fn pointers_stay_inside_their_ring() {
    for code in 8..16 {
        let bytes = 16 << code;
        for (base, pointers) in [(0x08, [0x2000, 0x2008]), (0x10, [0x2010, 0x2018])] {
            for pointer in pointers {
                let mut bench = genoa();
                bench.set(base, code << 56);
                bench.set(pointer, bytes - 16);
                assert_eq!(bench.get(pointer), bytes - 16);
                assert_eq!(bench.iommu.referee().count(), 0);
                bench.set(pointer, bytes);
                let moved = if bytes < 0x8_0000 { bytes - 16 } else { 0 };
                assert_eq!(bench.get(pointer), moved, "{code} {pointer:x}");
                assert_eq!(bench.iommu.referee().count(), 1, "{code} {pointer:x}");
            }
        }
    }
}

#[test]
fn a_running_ring_lets_software_move_only_its_own_pointer() {
    // Register, enable, whether a write takes effect while running.
    let table = [
        (0x2000, RUN, false),
        (0x2010, LOG, true),
        (0x2018, LOG, false),
    ];
    for (pointer, enable, effect) in table {
        let mut bench = genoa();
        bench.set(0x10, 0x0900_0000_1000_0000);
        bench.set(0x2018, 0x200);
        bench.set(reg::CONTROL, enable);
        let before = bench.get(pointer);
        bench.set(pointer, 0x100);
        let expected = if effect { 0x100 } else { before };
        assert_eq!(bench.get(pointer), expected, "{pointer:x}");
        let misused = bench.iommu.referee().count_of(Rule::PointerMisused);
        assert_eq!(misused, u64::from(!effect), "{pointer:x}");
    }
}

#[test]
fn commands_that_wait_are_fetched_when_the_engine_starts() {
    for order in [[1 << 12, RUN], [1, RUN]] {
        let mut bench = genoa();
        bench.set(reg::COMMAND_BASE, bench.commands | 9 << 56);
        let store = command::completion_wait(Some((bench.semaphore, !0)), false);
        bench.machine.poke_words(bench.commands, store);
        bench.set(reg::COMMAND_TAIL, 0x10);
        bench.set(reg::CONTROL, order[0]);
        assert_eq!(bench.machine.peek(bench.semaphore), 0);
        bench.set(reg::CONTROL, order[1]);
        assert_eq!(bench.machine.peek(bench.semaphore), !0);
        assert_eq!(bench.get(reg::COMMAND_HEAD), 0x10);
    }
}

#[test]
fn what_was_fetched_is_done_when_run_reads_zero() {
    let mut fetched = 0;
    for seed in 0..64 {
        let mut bench = Bench::genoa_async(seed);
        let store = command::completion_wait(Some((bench.semaphore, !0)), false);
        bench.submit(&[command::invalidate_entry(8), store]);
        let tail = bench.get(reg::COMMAND_TAIL);
        bench.machine.time = bench.machine.wake.unwrap();
        bench.iommu.run(&mut bench.machine);
        bench.clear_control(1 << 12);
        assert_eq!(bench.get(reg::STATUS) & COMMAND_RUN, 0);
        if bench.get(reg::COMMAND_HEAD) == tail {
            fetched += 1;
            assert_eq!(bench.machine.peek(bench.semaphore), !0, "seed {seed}");
        }
    }
    assert!((1..64).contains(&fetched), "{fetched} were fetched in time");
}

#[test]
fn a_tail_written_before_the_engine_runs_starts_no_fetch() {
    let mut bench = genoa();
    bench.set(reg::COMMAND_BASE, bench.commands | 9 << 56);
    bench.set(reg::COMMAND_TAIL, 0x100);
    bench.set(reg::CONTROL, 1 << 12);
    assert_eq!(bench.get(reg::COMMAND_HEAD), 0);
    assert_eq!(bench.get(reg::STATUS), 0);
}

/// What one rule says to: {writes, violations}. Each write is {offset, value}.
type Misuse = (Rule, &'static [(u64, u64)], u64);

const MISUSES: &[Misuse] = &[
    // PPRLogEn, XTEn, IntCapXTEn, EPHEn, bit 57: the part does not have them.
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 13)], 1),
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 50)], 1),
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 51)], 1),
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 45)], 1),
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 57)], 1),
    // IRTCacheDis and GstBufferTRPMode can only be found by trying.
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 59)], 0),
    (Rule::ReservedRegisterBit, &[(0x18, 1 << 60)], 0),
    // What the registers do have.
    (
        Rule::ReservedRegisterBit,
        &[
            (0x18, CONTROL_BITS),
            (0x00, 0x000f_ffff_ffff_f1ff),
            (0x08, 0x0f0f_ffff_ffff_f000),
            (0x20, 0x000f_ffff_ffff_f003),
            (0x28, 0x000f_ffff_ffff_ffff),
            (0x2020, 0x7_9fff),
            (0x50, 3),
        ],
        0,
    ),
    (Rule::ReservedRegisterBit, &[(0x00, 1 << 9)], 1),
    (Rule::ReservedRegisterBit, &[(0x00, 1 << 52)], 1),
    (
        Rule::ReservedRegisterBit,
        &[(0x08, 0x0800_0000_0000_0001)],
        1,
    ),
    (
        Rule::ReservedRegisterBit,
        &[(0x08, 0x1800_0000_0000_0000)],
        1,
    ),
    // A length code that does not exist, but not a register set back to 0.
    (
        Rule::ReservedRegisterBit,
        &[(0x08, 0x0700_0000_0000_0000)],
        1,
    ),
    (Rule::ReservedRegisterBit, &[(0x08, 0)], 0),
    (Rule::ReservedRegisterBit, &[(0x20, 4)], 1),
    (Rule::ReservedRegisterBit, &[(0x30, 1)], 1),
    (Rule::ReservedRegisterBit, &[(0x38, 1)], 1),
    (Rule::ReservedRegisterBit, &[(0x38, 0)], 0),
    (Rule::ReservedRegisterBit, &[(0x2000, 8)], 1),
    (Rule::ReservedRegisterBit, &[(0x2008, 1 << 19)], 1),
    (Rule::ReservedRegisterBit, &[(0x2020, 1 << 13)], 1),
    // The device table: another one, the same one, and one set before the enable.
    (Rule::BaseMoved, &[(0x18, 1), (0x00, 0x1000)], 1),
    (
        Rule::BaseMoved,
        &[(0x00, 0x1001), (0x18, 1), (0x00, 0x1001)],
        0,
    ),
    (
        Rule::BaseMoved,
        &[(0x00, 0x1001), (0x18, 1), (0x00, 0x1000)],
        1,
    ),
    (Rule::BaseMoved, &[(0x00, 0x1000), (0x00, 0x2000)], 0),
    (Rule::BaseMoved, &[(0x18, 1), (0x18, 0), (0x00, 0x2000)], 0),
    // The head of a running log: within the entries, and beyond them.
    (
        Rule::PointerMisused,
        &[(0x2018, 0x40), (0x18, LOG), (0x2010, 0x40)],
        0,
    ),
    (
        Rule::PointerMisused,
        &[(0x2018, 0x40), (0x18, LOG), (0x2010, 0x50)],
        1,
    ),
    (
        Rule::PointerMisused,
        &[(0x2010, 0x20), (0x2018, 0x40), (0x18, LOG), (0x2010, 0x10)],
        1,
    ),
    // Pointers of a ring that stands are free.
    (
        Rule::PointerMisused,
        &[(0x2000, 0x20), (0x2008, 0x10), (0x2010, 0x80), (0x2018, 0)],
        0,
    ),
];

#[test]
fn the_referee_sees_what_careful_software_does_not_do() {
    for (rule, writes, expected) in MISUSES {
        let mut bench = genoa();
        for &(offset, value) in *writes {
            bench.set(offset, value);
        }
        let case = format!("{writes:x?} {:?}", bench.violations());
        assert_eq!(bench.iommu.referee().count(), *expected, "{case}");
        assert_eq!(bench.iommu.referee().count_of(*rule), *expected, "{case}");
    }
}

#[test]
fn a_tail_that_passes_the_head_is_seen() {
    // An asynchronous engine has fetched nothing when the write returns.
    let mut config = Config::new(Features::genoa());
    config.asynchrony = Some(1);
    let mut bench = Bench::off(config);
    bench.set(reg::COMMAND_BASE, bench.commands | 8 << 56);
    bench.set(reg::CONTROL, RUN);
    bench.set(reg::COMMAND_TAIL, 0xff0);
    assert_eq!(bench.violations().len(), 0, "255 commands fit");
    bench.set(reg::COMMAND_TAIL, 0x10);
    assert_eq!(bench.iommu.referee().count_of(Rule::PointerMisused), 1);
}

#[test]
fn the_referee_has_nothing_against_bring_up() {
    for features in [Features::genoa(), Features::v2(), Features::basic()] {
        let mut bench = Bench::on(Config::new(features));
        assert_eq!(
            bench.get(reg::STATUS) & (COMMAND_RUN | EVENT_RUN),
            COMMAND_RUN | EVENT_RUN
        );
        assert!(bench.violations().is_empty(), "{:?}", bench.violations());
    }
}

#[test]
fn one_write_may_enable_everything() {
    let mut bench = genoa();
    bench.set(reg::CONTROL, 0);
    assert_eq!(bench.get(reg::STATUS) & (COMMAND_RUN | EVENT_RUN), 0);
    bench.set(reg::DEVICE_TABLE, bench.device_table | 0x1ff);
    bench.set(reg::COMMAND_BASE, bench.commands | 9 << 56);
    bench.set(reg::EVENT_BASE, bench.log | 9 << 56);
    bench.set(
        reg::CONTROL,
        RUN | LOG | 1 << 3 | 1 << 10 | 1 << 16 | 1 << 17,
    );
    assert_eq!(bench.get(reg::STATUS), COMMAND_RUN | EVENT_RUN);
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn reset_brings_back_the_power_on_values() {
    let mut bench = genoa();
    for offset in [0x00, 0x08, 0x10, 0x20, 0x28, 0x40, 0x48, 0x2008] {
        bench.set(offset, 0x0900_0000_0000_0010);
    }
    bench.set(reg::CONTROL, RUN | LOG);
    bench.iommu.reset();
    let mut fresh = genoa();
    for offset in (0..0x4000).step_by(8) {
        assert_eq!(bench.get(offset), fresh.get(offset), "{offset:04x}");
    }
}
