// SPDX-License-Identifier: GPL-2.0

//! The event that is chosen to be late (hardware.md 3.2, erratum 732).

use amd_iommu_model::config::Features;
use amd_iommu_model::event::LateEvent;
use amd_iommu_model::Config;

use crate::support::bench::{control, reg};
use crate::support::Bench;

const DELAY: u64 = 100_000_000;
const NOTHING: [u32; 4] = [0; 4];

fn config(number: u64, delay: Option<u64>) -> Config {
    let mut config = Config::new(Features::genoa());
    config.late_event = Some(LateEvent { number, delay });
    config
}

fn bench(number: u64, delay: Option<u64>) -> Bench {
    Bench::on(config(number, delay))
}

/// Raises GUEST_EVENT_FAULTs with these guest IDs: each command has a reserved bit set.
fn raise(bench: &mut Bench, gids: impl IntoIterator<Item = u32>) {
    let commands: Vec<_> = gids
        .into_iter()
        .map(|gid| [1, 0x9000_0000 | gid, 0, 0])
        .collect();
    bench.submit(&commands);
}

fn entry(gid: u32) -> [u32; 4] {
    [0, 0xb000_0000 | gid, 0, 0]
}

/// What memory holds at the n-th place of the log.
fn at(bench: &Bench, place: u64) -> [u32; 4] {
    bench.machine.peek_words(bench.log + 16 * place)
}

#[test]
fn lost_event_has_a_place_and_no_content() {
    let mut bench = bench(3, None);
    raise(&mut bench, 1..=5);
    bench.advance();
    assert_eq!(bench.get(reg::EVENT_TAIL), 5 * 16);
    let found: Vec<_> = (0..5).map(|place| at(&bench, place)).collect();
    assert_eq!(found, [entry(1), entry(2), NOTHING, entry(4), entry(5)]);
}

#[test]
fn late_event_comes_when_its_time_has_come() {
    let mut bench = bench(2, Some(DELAY));
    let start = bench.machine.time;
    raise(&mut bench, 1..=3);
    assert_eq!(bench.get(reg::EVENT_TAIL), 3 * 16);
    assert_eq!(at(&bench, 1), NOTHING);
    assert_eq!(at(&bench, 2), entry(3));
    bench.advance();
    assert_eq!(at(&bench, 1), entry(2));
    assert_eq!(bench.machine.time, start + DELAY);
}

#[test]
fn work_that_is_due_sooner_neither_brings_nor_loses_it() {
    let mut config = config(1, Some(DELAY));
    config.asynchrony = Some(1);
    let mut bench = Bench::on(config);
    raise(&mut bench, 1..=100);
    let mut calls = 0;
    while at(&bench, 0) == NOTHING {
        let time = bench.machine.wake.take().expect("something is due");
        bench.machine.time = time;
        bench.iommu.run(&mut bench.machine);
        calls += 1;
    }
    assert!(bench.machine.time >= DELAY && calls > 10, "{calls} calls");
    assert_eq!(at(&bench, 0)[1] >> 28, 0xb);
}

#[test]
fn late_event_spares_memory_of_a_log_that_is_off() {
    let mut bench = bench(1, Some(DELAY));
    raise(&mut bench, [1]);
    bench.clear_control(control::EVENT_LOG);
    bench.advance();
    assert_eq!(at(&bench, 0), NOTHING);
}

#[test]
fn reset_begins_to_count_anew() {
    let mut bench = bench(2, None);
    raise(&mut bench, [1]);
    bench.iommu.reset();
    bench.bring_up();
    raise(&mut bench, 2..=3);
    bench.advance();
    assert_eq!([at(&bench, 0), at(&bench, 1)], [entry(2), NOTHING]);
}
