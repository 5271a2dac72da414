// SPDX-License-Identifier: GPL-2.0

//! A guest cannot make the referee accuse the driver: its tables are its own, whatever it writes
//! into them and whether or not it invalidates anything. Nor does it see what is wrong with the
//! tables of its host.

use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::bench::control;
use crate::support::stage::*;
use crate::support::viommu::Host;
use crate::support::{command, event, Bench, Dte, Rights, GUEST_OFFSET};

const PAGE: u64 = 0x1000;
const GVA: u64 = 0x1000;

fn judged(bench: &mut Bench) -> Vec<String> {
    bench.end_grace();
    bench.violations()
}

fn reads(stage: &mut Stage) -> Option<u64> {
    stage.target(GVA, Access::Read, Some(1))
}

/// A guest with one page behind 1000h, which the caches have.
fn guest(nested: bool) -> Stage {
    let mut stage = Stage::new(nested, 4, 0, 1);
    let memory = stage.bench.machine.page();
    let offset = stage.gcr3.offset;
    stage.map(GVA, memory - offset, PAGE, Rights::ALL);
    assert_eq!(reads(&mut stage), Some(memory));
    stage
}

#[test]
fn a_reserved_bit_in_a_table_of_a_guest_is_no_violation() {
    for nested in [false, true] {
        let mut stage = guest(nested);
        // PS in an entry of level 4, for an address that nobody has asked for.
        let other = GVA + (1 << 39);
        let at = stage.tables.entry(&mut stage.bench.machine, other, 4);
        stage.bench.machine.poke(at, 0xe7);
        assert_eq!(stage.target(other, Access::Read, Some(1)), None);
        assert_eq!(stage.fault(other, Some(1)), PR | RZ | US);
        let count = stage.bench.iommu.referee().count_of(Rule::ReservedTableBit);
        assert_eq!(count, u64::from(!nested));
    }
}

/// The entry of each level, and the GCR3 entry, lead elsewhere, to nothing, or to memory that the
/// host has not given.
#[test]
fn a_guest_that_invalidates_nothing_harms_only_itself() {
    for nested in [false, true] {
        for step in 0..5 {
            for value in [0, 0x8765_4000_0000_0027, 0x7f_0000_0027, 0x8000_7027] {
                let mut stage = guest(nested);
                let old = reads(&mut stage);
                let memory = stage.bench.machine.page() - stage.gcr3.offset;
                stage.map(GVA + PAGE, memory, PAGE, Rights::ALL);
                let at = stage.walked()[step];
                stage.bench.machine.poke(at, value);
                for _ in 0..2 {
                    assert_eq!(reads(&mut stage), old, "from the cache");
                }
                // A neighbour, by what is cached of the path.
                let neighbour = stage.target(GVA + PAGE, Access::Read, Some(1));
                assert!(neighbour.is_some());
                let found = judged(&mut stage.bench);
                assert_eq!(found.is_empty(), nested, "{step} {value:x}: {found:?}");
            }
        }
    }
}

#[test]
fn the_host_still_answers_for_its_own_part() {
    let mut stage = guest(true);
    let memory = reads(&mut stage).unwrap();
    // The guest moves its page and its table without a word, and the host takes the page away.
    let leaf = stage.walked()[3];
    stage.bench.machine.poke(leaf, 0x7f_0000_0027);
    let table = stage.host.unwrap();
    table.unmap(&mut stage.bench.machine, memory - GUEST_OFFSET, 1 << 21);
    assert_eq!(reads(&mut stage), Some(memory));
    let found = judged(&mut stage.bench);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("StaleTranslation"), "{found:?}");
}

/// The host's invalidation is that of its guest physical address; what the guest invalidates does
/// not count.
#[test]
fn the_host_settles_what_it_owes_and_the_guest_cannot() {
    let page = |pasid, first| command::invalidate_pages(DOMAIN, pasid, first, first | 0xfff, false);
    for (by_guest, violations) in [(false, 0), (true, 1)] {
        let mut stage = guest(true);
        let memory = reads(&mut stage).unwrap();
        let physical = memory - GUEST_OFFSET;
        let table = stage.host.unwrap();
        table.unmap(&mut stage.bench.machine, physical, 1 << 30);
        assert_eq!(reads(&mut stage), Some(memory));
        let command = if by_guest {
            page(Some(1), GVA)
        } else {
            page(None, physical)
        };
        stage.bench.execute(&[command]);
        let found = judged(&mut stage.bench);
        assert_eq!(found.len(), violations, "{found:?}");
    }
}

/// The pages that a nested walk reads its entries from are the host's as well.
#[test]
fn a_cached_host_page_under_a_guests_table_is_judged() {
    let mut stage = Stage::new(true, 4, 0, 1);
    stage.map(GVA, 0x7f_0000_0000, PAGE, Rights::ALL);
    let pages: Vec<_> = stage.walked().iter().map(|at| (*at, Rights::ALL)).collect();
    stage.host_maps(&pages);
    stage.target(GVA, Access::Read, Some(1));
    let (table, page) = (stage.host.unwrap(), pages[3].0 & !0xfff);
    table.unmap(&mut stage.bench.machine, page - GUEST_OFFSET, PAGE);
    stage.target(GVA + PAGE, Access::Read, Some(1));
    let found = judged(&mut stage.bench);
    assert_eq!(found.len(), 1, "{found:?}");
}

/// The referee sets neither A nor D, so it must not ask the host table whether it could.
#[test]
fn the_referee_needs_no_right_to_write() {
    let mut stage = Stage::new(true, 4, 0, 1);
    let memory = stage.bench.machine.page();
    stage.map(GVA, memory - GUEST_OFFSET, PAGE, Rights::ALL);
    let path = stage.walked();
    let mut pages: Vec<_> = path.iter().map(|at| (*at, Rights::READ)).collect();
    pages.push((memory, Rights::ALL));
    stage.host_maps(&pages);
    assert_eq!(reads(&mut stage), Some(memory));
    // A is gone from the leaf, whose page the IOMMU may not write.
    let leaf = stage.bench.machine.peek(path[3]);
    stage.bench.machine.poke(path[3], leaf & !A);
    assert_eq!(reads(&mut stage), Some(memory));
    let found = judged(&mut stage.bench);
    assert!(found.is_empty(), "{found:?}");
}

/// OQ-10.
#[test]
fn nesting_without_gcr3trpmode_is_a_violation() {
    for (nested, mode, violations) in [(true, false, 1), (true, true, 0), (false, false, 0)] {
        let mut stage = Stage::new(nested, 4, 0, 1);
        if !mode {
            stage.bench.clear_control(control::GCR3_TRP);
            let offset = stage.gcr3.offset;
            let entry = Dte {
                gcr3: stage.entry.gcr3 + offset,
                ..stage.entry
            };
            stage.bench.install(DEVICE, &entry);
        }
        stage.map(GVA, 0x8000_7000, PAGE, Rights::ALL);
        assert!(reads(&mut stage).is_some());
        let count = stage.bench.iommu.referee().count_of(Rule::NestedWithoutTrp);
        assert_eq!(count, violations, "{nested} {mode}");
    }
}

/// A device of a guest whose log runs.
fn with_log() -> Stage {
    let mut host = Host::new();
    host.running_guest(1);
    let mut stage = Stage::on(host.bench, true, 4, 0, 1);
    let entry = stage.entry.of_guest(1, 0x108);
    stage.entry = entry;
    stage.bench.install(DEVICE, &entry);
    let memory = stage.bench.machine.page();
    stage.map(GVA, memory - GUEST_OFFSET, PAGE, Rights::READ);
    stage
}

/// How a request is made to fail, and whether the host's log has the event.
type Spoil = fn(&mut Stage);

#[test]
fn faults_go_to_the_log_of_whose_table_they_are_in() {
    let cases: [(&str, Spoil, Access, bool); 9] = [
        ("guest page", |s| change(s, 3, 0), Access::Read, false),
        ("guest table", |s| change(s, 1, 0), Access::Read, false),
        ("GCR3 entry", |s| change(s, 4, 0), Access::Read, false),
        ("guest bit", |s| change(s, 0, 0xe7), Access::Read, false),
        ("guest right", |_| {}, Access::Write, false),
        (
            "cached guest right",
            |s| assert!(reads(s).is_some()),
            Access::Write,
            false,
        ),
        (
            "host page of the result",
            |s| change(s, 3, 0x7f_0000_0027),
            Access::Read,
            true,
        ),
        (
            "host page of a table",
            |s| change(s, 1, 0x7f_0000_0027),
            Access::Read,
            true,
        ),
        (
            "entry",
            |s| {
                let entry = Dte {
                    iw: false,
                    ..s.entry
                };
                s.bench.install(DEVICE, &entry);
            },
            Access::Write,
            true,
        ),
    ];
    for (name, spoil, access, host) in cases {
        let mut stage = with_log();
        spoil(&mut stage);
        let answer = stage.ask(GVA, access, Some(1), false);
        assert_eq!(answer, Answer::Abort, "{name}");
        let events = stage.bench.events();
        assert_eq!(events.len(), usize::from(host), "{name}: {events:?}");
        assert!(events.iter().all(|found| found.code() == event::PAGE_FAULT));
    }
}

/// The guest allows writes, the host does not: the host's fault, from the cache too.
#[test]
fn a_right_that_the_host_withholds_is_the_hosts_fault() {
    for cached in [false, true] {
        let mut stage = with_log();
        let memory = stage.bench.machine.page();
        stage.map(GVA, memory - GUEST_OFFSET, PAGE, Rights::ALL);
        let mut pages: Vec<_> = stage.walked().iter().map(|at| (*at, Rights::ALL)).collect();
        pages.push((memory, Rights::READ));
        stage.host_maps(&pages);
        if cached {
            assert_eq!(reads(&mut stage), Some(memory));
        }
        let answer = stage.ask(GVA, Access::Write, Some(1), false);
        assert_eq!(answer, Answer::Abort);
        assert_eq!(stage.bench.events().len(), 1, "{cached}");
    }
}

fn change(stage: &mut Stage, step: usize, value: u64) {
    let at = stage.walked()[step];
    stage.bench.machine.poke(at, value);
}
