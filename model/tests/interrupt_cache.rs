// SPDX-License-Identifier: GPL-2.0

//! What the IOMMU keeps of interrupt tables, what drops it, and what the referee says of a driver that
//! forgets to (hardware.md 3.9).

use amd_iommu_model::config::Features;
use amd_iommu_model::referee::Rule;
use amd_iommu_model::Config;

use crate::support::bench::control;
use crate::support::{command, Bench, Dte, Irte, IrteTable};

const DEVICE: u16 = 0x0300;
const OTHER: u16 = 0x0301;
const OLD: Irte = entry(5, 0x41);
const NEW: Irte = entry(6, 0x42);
const OLD_MESSAGE: Option<(u64, u32)> = Some((0xfee0_5000, 0x41));
const NEW_MESSAGE: Option<(u64, u32)> = Some((0xfee0_6000, 0x42));

const fn entry(destination: u64, vector: u64) -> Irte {
    Irte {
        valid: true,
        quiet: false,
        kind: 0,
        eoi: false,
        logical: false,
        guest: false,
        destination,
        vector,
        extra: [0; 2],
    }
}

struct Scene {
    bench: Bench,
    table: IrteTable,
}

impl Scene {
    /// Two devices with the same table, whose entry 1 both have used.
    fn new(config: Config, long: bool) -> Self {
        let mut bench = Bench::on(config);
        if !long {
            bench.clear_control(control::GUEST_APIC);
        }
        let table = IrteTable::new(&mut bench.machine, long);
        let mut scene = Scene { bench, table };
        scene.put(&OLD);
        for device in [DEVICE, OTHER] {
            scene.bench.install(device, &table.remapping(9));
            assert_eq!(scene.bench.interrupt(device, 1), OLD_MESSAGE);
        }
        scene
    }

    fn genoa() -> Self {
        Self::new(Config::new(Features::genoa()), true)
    }

    fn put(&mut self, entry: &Irte) {
        self.table.put(&mut self.bench.machine, 1, entry);
    }
}

#[test]
fn an_entry_stays_until_the_table_of_its_device_is_invalidated() {
    for long in [false, true] {
        let mut scene = Scene::new(Config::new(Features::genoa()), long);
        scene.put(&NEW);
        let entry = [command::invalidate_entry(DEVICE)];
        let domain = [command::invalidate_domain(5, None)];
        let wrong = [command::invalidate_interrupts(OTHER)];
        for commands in [&[][..], &entry, &domain, &wrong] {
            scene.bench.execute(commands);
            assert_eq!(scene.bench.interrupt(DEVICE, 1), OLD_MESSAGE);
        }
        assert_eq!(scene.bench.interrupt(OTHER, 1), NEW_MESSAGE);
        scene
            .bench
            .execute(&[command::invalidate_interrupts(DEVICE)]);
        assert_eq!(scene.bench.interrupt(DEVICE, 1), NEW_MESSAGE);
    }
}

#[test]
fn the_table_of_a_new_device_table_entry_is_found_after_both_invalidations() {
    let mut scene = Scene::genoa();
    let other = IrteTable::new(&mut scene.bench.machine, true);
    other.put(&mut scene.bench.machine, 1, &NEW);
    scene.bench.install(DEVICE, &other.remapping(9));
    assert_eq!(scene.bench.interrupt(DEVICE, 1), OLD_MESSAGE);
    scene
        .bench
        .execute(&[command::invalidate_interrupts(DEVICE)]);
    assert_eq!(scene.bench.interrupt(DEVICE, 1), NEW_MESSAGE);
}

#[test]
fn an_entry_that_was_taken_away_goes_on_working_until_then() {
    let mut scene = Scene::genoa();
    scene.put(&Irte::default());
    assert_eq!(scene.bench.interrupt(DEVICE, 1), OLD_MESSAGE);
    scene
        .bench
        .execute(&[command::invalidate_interrupts(DEVICE)]);
    assert_eq!(scene.bench.interrupt(DEVICE, 1), None);
}

#[test]
fn invalidating_everything_drops_interrupt_tables_too() {
    let mut scene = Scene::genoa();
    scene.put(&NEW);
    scene.bench.execute(&[command::invalidate_all()]);
    for device in [DEVICE, OTHER] {
        assert_eq!(scene.bench.interrupt(device, 1), NEW_MESSAGE);
    }
}

#[test]
fn a_reset_of_the_machine_drops_them() {
    let mut scene = Scene::genoa();
    scene.put(&NEW);
    scene.bench.iommu.reset();
    scene.bench.bring_up();
    assert_eq!(scene.bench.interrupt(DEVICE, 1), NEW_MESSAGE);
}

#[test]
fn entries_that_are_not_valid_are_kept_by_a_part_with_npcache_only() {
    for np_cache in [false, true] {
        let mut config = Config::new(Features::genoa());
        config.features.np_cache = np_cache;
        let mut scene = Scene::new(config, true);
        assert_eq!(scene.bench.interrupt(DEVICE, 2), None);
        scene.table.put(&mut scene.bench.machine, 2, &NEW);
        let expected = if np_cache { None } else { NEW_MESSAGE };
        assert_eq!(scene.bench.interrupt(DEVICE, 2), expected);
        scene
            .bench
            .execute(&[command::invalidate_interrupts(DEVICE)]);
        assert_eq!(scene.bench.interrupt(DEVICE, 2), NEW_MESSAGE);
    }
}

#[test]
fn irtcachedis_keeps_nothing_and_exists_in_parts_with_gaen() {
    let mut scene = Scene::genoa();
    scene.bench.set_control(control::NO_INTERRUPT_CACHE);
    scene.put(&NEW);
    for entry in [(NEW, NEW_MESSAGE), (OLD, OLD_MESSAGE)] {
        scene.put(&entry.0);
        assert_eq!(scene.bench.interrupt(DEVICE, 1), entry.1);
    }
    // Nor is it there when the bit is cleared.
    scene
        .bench
        .execute(&[command::invalidate_interrupts(DEVICE)]);
    assert_eq!(scene.bench.interrupt(DEVICE, 1), OLD_MESSAGE);
    scene.bench.clear_control(control::NO_INTERRUPT_CACHE);
    scene.put(&NEW);
    assert_eq!(scene.bench.interrupt(DEVICE, 1), NEW_MESSAGE);
    assert_eq!(scene.bench.late(Rule::StaleInterruptEntry), 0);
    // A driver finds it by trying.
    for (part, there) in [("genoa", true), ("v2", false), ("basic", false)] {
        let features = Features::preset(part).expect("a preset");
        let mut bench = Bench::on(Config::new(features));
        bench.set_control(control::NO_INTERRUPT_CACHE);
        let bit = bench.get(super::support::bench::reg::CONTROL) & control::NO_INTERRUPT_CACHE;
        assert_eq!(bit != 0, there, "{part}");
        assert!(bench.violations().is_empty());
    }
}

#[test]
fn hits_and_misses_are_counted() {
    let mut scene = Scene::genoa();
    scene.bench.interrupt(DEVICE, 1);
    let lookups = scene.bench.iommu.counters().caches.interrupt;
    assert_eq!((lookups.hits, lookups.misses), (1, 2));
}

/// A use of an old entry is no violation by itself: the invalidation may be under way.
#[test]
fn an_old_entry_that_is_used_and_never_invalidated_is_a_violation() {
    for (invalidates, violations) in [(false, 1), (true, 0)] {
        for new in [NEW, Irte::default()] {
            let mut scene = Scene::genoa();
            scene.put(&new);
            scene.bench.interrupt(DEVICE, 1);
            assert_eq!(scene.bench.iommu.referee().count(), 0);
            if invalidates {
                scene
                    .bench
                    .execute(&[command::invalidate_interrupts(DEVICE)]);
            }
            let found = scene.bench.late(Rule::StaleInterruptEntry);
            assert_eq!(found, violations, "{new:?}");
        }
    }
}

#[test]
fn an_invalidation_of_one_device_does_not_settle_what_another_is_owed() {
    let mut scene = Scene::genoa();
    scene.put(&NEW);
    for device in [DEVICE, OTHER] {
        scene.bench.interrupt(device, 1);
    }
    scene
        .bench
        .execute(&[command::invalidate_interrupts(OTHER)]);
    assert_eq!(scene.bench.late(Rule::StaleInterruptEntry), 1);
}

#[test]
fn every_nth_use_of_an_entry_is_compared() {
    for (every, found) in [(0, 0), (1, 1), (3, 0), (2, 1)] {
        let mut config = Config::new(Features::genoa());
        config.check_hits = every;
        let mut scene = Scene::new(config, true);
        scene.put(&NEW);
        for _ in 0..2 {
            scene.bench.interrupt(DEVICE, 1);
        }
        assert_eq!(
            scene.bench.late(Rule::StaleInterruptEntry),
            found,
            "{every}"
        );
    }
}

/// What a part with NpCache keeps: of an entry that is not valid only that, and whether it is quiet.
#[test]
fn the_rest_of_an_entry_that_is_not_valid_may_change() {
    let empty = Irte::default();
    for (changed, stale) in [
        (
            Irte {
                destination: 7,
                kind: 1,
                ..empty
            },
            0,
        ),
        (Irte { vector: 7, ..empty }, 0),
        (
            Irte {
                quiet: true,
                ..empty
            },
            1,
        ),
    ] {
        let mut config = Config::new(Features::genoa());
        config.features.np_cache = true;
        let mut scene = Scene::new(config, true);
        scene.bench.interrupt(DEVICE, 2);
        scene.table.put(&mut scene.bench.machine, 2, &changed);
        scene.bench.interrupt(DEVICE, 2);
        let found = scene.bench.late(Rule::StaleInterruptEntry);
        assert_eq!(found, stale, "{changed:?}");
    }
}

#[test]
fn the_sentence_about_an_old_entry_names_both() {
    let mut scene = Scene::genoa();
    scene.put(&NEW);
    scene.bench.interrupt(DEVICE, 1);
    scene.bench.end_grace();
    let sentences = scene.bench.violations();
    assert_eq!(
        sentences,
        ["StaleInterruptEntry at 0x300 x1: Interrupt 1 of 0300 used the cached table entry 0000000000000041_0000000000000501; memory held 0000000000000042_0000000000000601, and no INVALIDATE_INTERRUPT_TABLE came."]
    );
}

#[test]
fn bits_that_nobody_looks_at_may_change_in_a_cached_entry() {
    for (extra, stale) in [
        ([1 << 32, 0], 0),
        ([0, 1 << 12], 0),
        ([1 << 5, 0], 1),
        ([1 << 9, 0], 1),
        ([0, 1 << 1], 1),
        ([0, 1 << 56], 1),
    ] {
        let mut scene = Scene::genoa();
        scene.put(&Irte { extra, ..OLD });
        scene.bench.interrupt(DEVICE, 1);
        let found = scene.bench.late(Rule::StaleInterruptEntry);
        assert_eq!(found, stale, "{extra:x?}");
    }
}

#[test]
fn tables_that_no_driver_should_give_are_named() {
    let mut scene = Scene::genoa();
    let table = scene.table;
    for (entry, data, rule) in [
        (
            Dte {
                int_table: table.at + 0x40,
                ..table.remapping(9)
            },
            5,
            Rule::InterruptTableMisaligned,
        ),
        (
            Dte {
                int_table: 0x666_0000_0000,
                ..table.remapping(9)
            },
            6,
            Rule::InterruptTableUnreadable,
        ),
        (table.remapping(12), 7, Rule::ReservedEntryBit),
        (
            Dte {
                int_ctl: 3,
                ..table.remapping(9)
            },
            8,
            Rule::ReservedEntryBit,
        ),
    ] {
        let before = scene.bench.iommu.referee().count_of(rule);
        let all = scene.bench.iommu.referee().count();
        scene.bench.install(DEVICE, &entry);
        assert_eq!(scene.bench.interrupt(DEVICE, data), None);
        assert_eq!(scene.bench.iommu.referee().count_of(rule), before + 1);
        assert_eq!(scene.bench.iommu.referee().count(), all + 1, "{rule:?}");
    }
}

#[test]
fn a_reserved_bit_of_a_valid_entry_is_named_and_an_empty_table_is_not() {
    let mut scene = Scene::genoa();
    scene.bench.interrupt(DEVICE, 9);
    assert!(scene.bench.violations().is_empty());
    let guest = Irte { guest: true, ..OLD };
    scene.table.put(&mut scene.bench.machine, 9, &guest);
    scene.bench.interrupt(DEVICE, 9);
    let found = scene
        .bench
        .iommu
        .referee()
        .count_of(Rule::ReservedInterruptBit);
    assert_eq!(found, 1);
}

/// With any seed an invalidation works when its COMPLETION_WAIT is through, and what an interrupt
/// meets before is the old entry or the new one.
#[test]
fn an_asynchronous_part_drops_entries_by_the_completion_wait() {
    let mut met_old = 0;
    for seed in 0..64 {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = Some(seed);
        let mut scene = Scene::new(config, true);
        scene.put(&NEW);
        scene
            .bench
            .submit(&[command::invalidate_interrupts(DEVICE)]);
        let met = scene.bench.interrupt(DEVICE, 1);
        assert!(met == OLD_MESSAGE || met == NEW_MESSAGE, "{met:x?}");
        met_old += u32::from(met == OLD_MESSAGE);
        scene.bench.completion_wait();
        assert_eq!(scene.bench.interrupt(DEVICE, 1), NEW_MESSAGE, "{seed}");
        assert_eq!(scene.bench.late(Rule::StaleInterruptEntry), 0);
    }
    assert!(met_old > 32, "the invalidation took its time");
}

/// What a cache holds may go at any time, so that no driver can count on an old entry either.
#[test]
fn an_asynchronous_part_evicts_entries() {
    let evicted = (0..8).any(|seed| {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = Some(seed);
        let mut scene = Scene::new(config, true);
        let before = scene.bench.iommu.counters().caches.interrupt.misses;
        for _ in 0..1000 {
            assert_eq!(scene.bench.interrupt(DEVICE, 1), OLD_MESSAGE);
        }
        scene.bench.iommu.counters().caches.interrupt.misses > before
    });
    assert!(evicted);
}
