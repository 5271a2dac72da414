// SPDX-License-Identifier: GPL-2.0

//! D is part of a cached translation: software that clears it in a table and does not invalidate
//! never learns of the next write (hardware.md 3.9, 4.1).

use amd_iommu_model::config::Features;
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config};

use crate::support::stage::{Stage, A, D, DEVICE, DOMAIN};
use crate::support::{command, Bench, Dte, HostTables, Rights};

const VA: u64 = 0x5000;

/// A device on a host table with this HAD, one page mapped.
struct Scene {
    bench: Bench,
    /// Address of the leaf.
    leaf: u64,
}

impl Scene {
    fn new(had: u64) -> Self {
        let mut bench = Bench::genoa();
        let machine = &mut bench.machine;
        let tables = HostTables::new(machine, 3);
        let page = machine.page();
        tables.map(machine, VA, page, 0x1000, Rights::ALL);
        let leaf = tables.entry(machine, VA, 1);
        let entry = Dte {
            had,
            ..Dte::host(DOMAIN, tables.root, 3)
        };
        bench.install(DEVICE, &entry);
        Scene { bench, leaf }
    }

    fn clear(&mut self, bits: u64) {
        clear(&mut self.bench, self.leaf, bits);
    }

    fn dma(&mut self, access: Access) {
        let answer = self.bench.dma(DEVICE, VA, access, None);
        assert!(matches!(answer, Answer::Forward(_)));
    }

    fn dirty(&self) -> bool {
        self.bench.machine.peek(self.leaf) & D != 0
    }
}

fn clear(bench: &mut Bench, at: u64, bits: u64) {
    let entry = bench.machine.peek(at);
    assert_eq!(entry & bits, bits);
    bench.machine.poke(at, entry & !bits);
}

#[test]
fn a_write_that_nobody_sees_is_a_violation() {
    let mut scene = Scene::new(3);
    scene.dma(Access::Write);
    scene.clear(D);
    scene.dma(Access::Write);
    assert!(!scene.dirty(), "the cached translation has D");
    assert_eq!(scene.bench.stale(), 1);
    let violations = scene.bench.violations();
    assert!(violations[0].contains("D is 0 in memory"), "{violations:?}");
}

#[test]
fn reads_and_parts_without_dirty_tracking_owe_nothing() {
    for (had, access) in [(3, Access::Read), (1, Access::Write), (0, Access::Write)] {
        let mut scene = Scene::new(had);
        let leaf = scene.bench.machine.peek(scene.leaf);
        scene.bench.machine.poke(scene.leaf, leaf | D);
        scene.dma(access);
        scene.clear(D);
        scene.dma(access);
        assert_eq!(scene.bench.stale(), 0, "{had} {access:?}");
    }
}

#[test]
fn an_invalidation_in_time_is_enough_and_the_next_write_is_seen() {
    let mut scene = Scene::new(3);
    scene.dma(Access::Write);
    scene.clear(D);
    scene.dma(Access::Write);
    scene
        .bench
        .submit(&[command::invalidate_pages(DOMAIN, None, VA, VA, false)]);
    scene.bench.completion_wait();
    assert_eq!(scene.bench.stale(), 0);
    scene.dma(Access::Write);
    assert!(scene.dirty());
    assert_eq!(scene.bench.stale(), 0);
}

#[test]
fn a_is_not_judged() {
    let mut scene = Scene::new(3);
    scene.dma(Access::Write);
    scene.clear(A);
    scene.dma(Access::Write);
    scene.dma(Access::Read);
    assert_eq!(scene.bench.stale(), 0);
}

#[test]
fn a_first_write_after_a_read_sets_d_and_owes_nothing() {
    let mut scene = Scene::new(3);
    scene.dma(Access::Read);
    assert!(!scene.dirty());
    scene.dma(Access::Write);
    assert!(scene.dirty());
    scene.dma(Access::Write);
    assert_eq!(scene.bench.stale(), 0);
}

/// Control bit GDUpdateDis.
const NO_GUEST_D: u64 = 1 << 48;

#[test]
fn the_driver_owes_it_for_its_own_guest_tables_too() {
    for (control, expected) in [(0, 1), (NO_GUEST_D, 0)] {
        let mut stage = Stage::new(false, 4, 0, 0);
        stage.bench.set_control(control);
        let page = stage.bench.machine.page();
        stage.map(VA, page, 0x1000, Rights::ALL);
        let leaf = stage.tables.entry(&mut stage.bench.machine, VA, 1);
        assert!(stage.target(VA, Access::Write, None).is_some());
        clear(&mut stage.bench, leaf, D);
        assert!(stage.target(VA, Access::Write, None).is_some());
        assert_eq!(stage.bench.stale(), expected);
    }
}

#[test]
fn of_a_nested_translation_only_the_part_of_the_host_is_judged() {
    for (own, expected) in [(true, 0), (false, 1)] {
        let config = Config::new(Features::genoa());
        let mut stage = Stage::on(Bench::on(config), true, 4, 0, 0);
        stage.entry.had = 3;
        let entry = stage.entry;
        stage.bench.install(DEVICE, &entry);
        let page = stage.bench.machine.page() - stage.tables.offset;
        stage.map(VA, page, 0x1000, Rights::ALL);
        let guest = stage.tables.entry(&mut stage.bench.machine, VA, 1);
        let host = stage.host.unwrap();
        let below = host.path(&stage.bench.machine, page);
        assert!(stage.target(VA, Access::Write, None).is_some());
        let leaf = if own { guest } else { below[below.len() - 1] };
        clear(&mut stage.bench, leaf, D);
        assert!(stage.target(VA, Access::Write, None).is_some());
        assert_eq!(stage.bench.stale(), expected, "{own}");
    }
}
