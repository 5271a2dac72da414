// SPDX-License-Identifier: GPL-2.0

//! Between a change of a table and the end of its invalidation a device may use the old contents,
//! and nobody has done wrong. An invalidation that does not come is a violation (hardware.md 3.9).

use amd_iommu_model::config::Features;
use amd_iommu_model::referee::{Rule, GRACE};
use amd_iommu_model::request::Access;
use amd_iommu_model::schedule::Engine;
use amd_iommu_model::Config;

use crate::support::{command, tables, Bench, Dte, HostTables, Rights};

const DEVICE: u16 = 0x0300;
const DOMAIN: u16 = 7;
const PAGE: u64 = 0x1000;
const VA: u64 = 0x4000_0000;

/// What is changed behind the back of a cache: a page, the entry of the device.
const OBJECTS: [(Rule, bool); 2] = [
    (Rule::StaleTranslation, false),
    (Rule::StaleDeviceEntry, true),
];

struct Scene {
    bench: Bench,
    table: HostTables,
    /// The device-table entry is what changes.
    entry: bool,
}

impl Scene {
    fn new(entry: bool) -> Self {
        Self::on(Bench::genoa(), entry)
    }

    fn on(mut bench: Bench, entry: bool) -> Self {
        let table = HostTables::new(&mut bench.machine, 4);
        table.map(&mut bench.machine, VA, 0x9000_0000, PAGE, Rights::ALL);
        bench.install(DEVICE, &Dte::host(DOMAIN, table.root, 4));
        let mut scene = Scene {
            bench,
            table,
            entry,
        };
        assert!(scene.passes());
        scene
    }

    fn passes(&mut self) -> bool {
        self.bench.target(DEVICE, VA, Access::Read).is_some()
    }

    /// Takes the page away from the device, which goes on using it.
    fn change(&mut self) {
        if self.entry {
            self.bench.put_entry(DEVICE, Dte::blocked().words());
        } else {
            self.table.unmap(&mut self.bench.machine, VA, PAGE);
        }
        assert!(self.passes(), "from the cache");
    }

    fn invalidation(&self) -> [u32; 4] {
        if self.entry {
            command::invalidate_entry(DEVICE)
        } else {
            command::invalidate_pages(DOMAIN, None, VA, VA + PAGE - 1, false)
        }
    }

    fn invalidate(&mut self) {
        let command = self.invalidation();
        self.bench.execute(&[command]);
    }

    fn later(&mut self, time: u64) {
        self.bench.machine.time += time;
    }

    /// Violations by now.
    fn count(&mut self, rule: Rule) -> u64 {
        self.bench.iommu.statistics(&self.bench.machine);
        assert_eq!(
            self.bench.iommu.referee().count(),
            self.bench.iommu.referee().count_of(rule)
        );
        self.bench.iommu.referee().count_of(rule)
    }
}

#[test]
fn an_invalidation_in_time_settles_the_matter() {
    for (rule, entry) in OBJECTS {
        let mut scene = Scene::new(entry);
        scene.change();
        scene.later(GRACE - 1);
        assert!(scene.passes());
        assert_eq!(scene.count(rule), 0);
        scene.invalidate();
        assert!(!scene.passes());
        scene.later(GRACE);
        assert_eq!(scene.count(rule), 0);
    }
}

#[test]
fn invalidate_all_settles_everything() {
    for (rule, entry) in OBJECTS {
        let mut scene = Scene::new(entry);
        scene.change();
        scene.bench.submit(&[command::invalidate_all()]);
        scene.later(GRACE);
        assert_eq!(scene.count(rule), 0);
    }
}

/// Who asks when the time is over: the statistics, any request, the command that comes too late.
#[test]
fn an_invalidation_that_does_not_come_in_time_is_a_violation() {
    for (rule, entry) in OBJECTS {
        for asker in 0..3 {
            let mut scene = Scene::new(entry);
            scene.change();
            scene.later(GRACE);
            match asker {
                0 => {
                    scene.bench.target(0x100, 0x5000, Access::Read);
                }
                1 => scene.invalidate(),
                _ => {
                    scene.count(rule);
                }
            }
            let found = scene.bench.iommu.referee().count_of(rule);
            assert_eq!(found, 1, "{asker}: at once");
            scene.invalidate();
            scene.later(GRACE);
            assert_eq!(scene.count(rule), 1, "{asker}: once");
        }
    }
}

#[test]
fn an_old_object_that_stays_in_use_is_reported_again_and_again() {
    for (rule, entry) in OBJECTS {
        let mut scene = Scene::new(entry);
        scene.change();
        for time in 1..=4 {
            scene.later(GRACE);
            assert_eq!(scene.count(rule), time);
            assert!(scene.passes());
        }
    }
}

#[test]
fn other_commands_and_their_completion_settle_nothing() {
    for (rule, entry) in OBJECTS {
        let mut scene = Scene::new(entry);
        scene.change();
        for command in [
            command::invalidate_entry(DEVICE + 1),
            command::invalidate_pages(DOMAIN, None, VA + PAGE, VA + 2 * PAGE - 1, true),
            command::invalidate_pages(DOMAIN, Some(0), 0, u64::MAX, true),
            command::invalidate_domain(DOMAIN + 1, None),
        ] {
            scene.bench.execute(&[command]);
        }
        scene.later(GRACE);
        assert_eq!(scene.count(rule), 1);
    }
}

/// An entry may leave a cache at any time; no driver can count on it.
#[test]
fn what_leaves_the_cache_by_itself_is_still_owed() {
    for (rule, entry) in OBJECTS {
        let mut scene = Scene::new(entry);
        scene.change();
        for device in 0x1000..0x1800 {
            scene.bench.target(device, 0x5000, Access::Read);
        }
        let other = HostTables::new(&mut scene.bench.machine, 4);
        scene.bench.install(0x400, &Dte::host(9, other.root, 4));
        for page in 0..8192 {
            let machine = &mut scene.bench.machine;
            other.map(machine, page * PAGE, page * PAGE, PAGE, Rights::ALL);
            scene.bench.target(0x400, page * PAGE, Access::Read);
        }
        assert!(!scene.passes(), "replaced");
        scene.later(GRACE);
        assert_eq!(scene.count(rule), 1);
    }
}

#[test]
fn an_old_directory_entry_is_owed_until_pde() {
    for (directories, violations) in [(false, 1), (true, 0)] {
        let mut scene = Scene::new(false);
        // The table of level 1 moves, with another page in it.
        let at = scene.table.entry(&mut scene.bench.machine, VA, 2);
        let moved = scene.bench.machine.page();
        scene.bench.machine.poke(at, tables::v1_table(moved, 1));
        // A page that is not cached is looked for in the old table.
        assert!(scene
            .bench
            .target(DEVICE, VA + PAGE, Access::Read)
            .is_none());
        let leaf = tables::v1_leaf(0xa000_0000, 1, PAGE, Rights::ALL);
        scene.bench.machine.poke(moved + 8, leaf);
        assert!(scene
            .bench
            .target(DEVICE, VA + PAGE, Access::Read)
            .is_none());
        let range = command::invalidate_pages(DOMAIN, None, VA, VA + 0x1f_ffff, directories);
        scene.bench.submit(&[range]);
        scene.later(GRACE);
        assert_eq!(scene.count(Rule::StaleTranslation), violations);
    }
}

#[test]
fn a_command_engine_that_stands_still_on_request_is_not_the_drivers_fault() {
    for (rule, entry) in OBJECTS {
        let mut scene = Scene::new(entry);
        let Bench { iommu, machine, .. } = &mut scene.bench;
        iommu.set_stalled(machine, Engine::HostCommands, true);
        scene.change();
        let command = scene.invalidation();
        scene.bench.submit(&[command]);
        for _ in 0..2 {
            scene.later(2 * GRACE);
            assert!(scene.passes());
            assert_eq!(scene.count(rule), 0);
        }
        scene.later(2 * GRACE);
        let Bench { iommu, machine, .. } = &mut scene.bench;
        iommu.set_stalled(machine, Engine::HostCommands, false);
        assert!(!scene.passes());
        scene.later(GRACE);
        assert_eq!(scene.count(rule), 0);
    }
}

#[test]
fn a_missing_invalidation_shows_with_random_delays_too() {
    for (rule, entry) in OBJECTS {
        for seed in 0..4 {
            for (sent, violations) in [(true, 0), (false, 1)] {
                let mut config = Config::new(Features::genoa());
                config.asynchrony = Some(seed);
                let mut scene = Scene::on(Bench::on(config), entry);
                scene.change();
                let command = if sent {
                    scene.invalidation()
                } else {
                    command::invalidate_entry(1)
                };
                scene.bench.execute(&[command]);
                scene.later(GRACE);
                assert_eq!(scene.count(rule), violations, "{seed} {sent}");
            }
        }
    }
}

/// Whatever software does, what is waited for is bounded; nothing is lost for good.
#[test]
fn many_old_pages_are_too_many_to_wait_for_but_not_to_notice() {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 4);
    bench.install(DEVICE, &Dte::host(DOMAIN, table.root, 4));
    let pages = || (0..1024).map(|page| VA + page * PAGE);
    for va in pages() {
        table.map(&mut bench.machine, va, va, PAGE, Rights::ALL);
        bench.target(DEVICE, va, Access::Read);
    }
    for va in pages() {
        table.unmap(&mut bench.machine, va, PAGE);
        bench.target(DEVICE, va, Access::Read);
    }
    bench.end_grace();
    let found = bench.iommu.referee().count_of(Rule::StaleTranslation);
    assert!((16..1024).contains(&found), "{found}");
    bench.target(DEVICE, VA + 1023 * PAGE, Access::Read);
    bench.end_grace();
    let more = bench.iommu.referee().count_of(Rule::StaleTranslation);
    assert_eq!(more, found + 1);
}
