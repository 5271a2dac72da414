// SPDX-License-Identifier: GPL-2.0

//! Guest tables on host tables: every guest physical address goes through the host table
//! (hardware.md 4.4, OQ-10).

use amd_iommu_model::config::{Features, NestedSpaTable};
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config};

use crate::support::bench::control;
use crate::support::stage::*;
use crate::support::{event, Bench, Dte, Rights, GUEST_OFFSET};

#[test]
fn a_nested_page_is_as_small_as_the_smaller_stage() {
    for (guest, host, expected) in [(21, 12, 12), (12, 21, 12), (30, 16, 16), (21, 30, 21)] {
        let mut stage = Stage::new(true, 4, 0, 0);
        let (size, below) = (1u64 << guest, 1u64 << host);
        stage.map(0x40_0000_0000, 0x10_0000_0000, size, Rights::ALL);
        let gpa = 0x10_0000_0000 + (size - below.min(size));
        let table = stage.host.unwrap();
        let target = 0x60_0000_0000 | gpa & (below - 1) & !0xfff;
        table.map(
            &mut stage.bench.machine,
            gpa & !(below - 1),
            target & !(below - 1),
            below,
            Rights::ALL,
        );
        let va = 0x40_0000_0000 + (size - below.min(size)) + 0x18;
        let Answer::Forward(page) = stage.ask(va, Access::Read, None, false) else {
            panic!("{:?}", stage.bench.events());
        };
        assert_eq!(page.size, 1 << expected);
        assert_eq!(
            page.address,
            (target & !(below - 1)) | (gpa + 0x18) & (below - 1)
        );
    }
}

#[test]
fn marking_a_guest_entry_is_a_write_that_the_host_table_has_to_allow() {
    for (accessed, answer) in [(A, true), (0, false)] {
        let mut stage = Stage::new(true, 4, 0, 1);
        stage.map(0x1000, 0x8000_7000, 0x1000, Rights::ALL);
        let memory = stage.bench.machine.page();
        stage.map(0x1000, memory - GUEST_OFFSET, 0x1000, Rights::ALL);
        let path = stage.walked();
        let leaf = stage.bench.machine.peek(path[3]) & !A | accessed;
        stage.bench.machine.poke(path[3], leaf);
        let mut pages: Vec<_> = path.iter().map(|at| (*at, Rights::ALL)).collect();
        pages[3].1 = Rights::READ;
        pages.push((memory, Rights::ALL));
        stage.host_maps(&pages);
        assert_eq!(
            stage.target(0x1000, Access::Read, Some(1)).is_some(),
            answer
        );
        if !answer {
            assert_eq!(stage.fault(0x1000, Some(1)), PR | PE | US);
            assert_eq!(
                stage.bench.machine.peek(path[3]),
                leaf,
                "nothing was written"
            );
        }
    }
}

#[test]
fn every_pointer_of_a_nested_walk_goes_through_the_host_table() {
    // Take one page after the other away from the host table: the GCR3 table, the four levels
    // and the page itself. Each time the device gets a page fault at its own address.
    for missing in 0..6 {
        let mut stage = Stage::new(true, 4, 0, 1);
        let memory = stage.bench.machine.page();
        stage.map(0x1000, memory - GUEST_OFFSET, 0x1000, Rights::ALL);
        let mut pages = stage.walked();
        pages.push(memory);
        let mut pages: Vec<_> = pages.iter().map(|at| (*at, Rights::ALL)).collect();
        pages.remove(missing);
        stage.host_maps(&pages);
        assert_eq!(
            stage.target(0x1008, Access::Write, Some(1)),
            None,
            "{missing}"
        );
        assert_eq!(stage.fault(0x1008, Some(1)), US | RW, "{missing}");
    }
}

#[test]
fn host_rights_limit_nested_pages() {
    let mut stage = Stage::new(true, 4, 0, 1);
    let memory = stage.bench.machine.page();
    stage.map(0x1000, memory - GUEST_OFFSET, 0x1000, Rights::ALL);
    let mut pages: Vec<_> = stage.walked().iter().map(|at| (*at, Rights::ALL)).collect();
    pages.push((memory, Rights::READ));
    stage.host_maps(&pages);
    for _ in 0..2 {
        let Answer::Forward(page) = stage.ask(0x1000, Access::Read, Some(1), false) else {
            panic!("{:?}", stage.bench.events());
        };
        assert_eq!((page.address, page.read, page.write), (memory, true, false));
        assert_eq!(stage.target(0x1000, Access::Write, Some(1)), None);
        assert_eq!(stage.fault(0x1000, Some(1)), PR | PE | US | RW);
    }
}

/// OQ-10 and GCR3TRPMode: which pointers of a two-level GCR3 table are guest physical.
#[test]
fn gcr3_pointers_are_what_gcr3trpmode_and_the_reading_say() {
    // Mode, reading, offsets of: the pointer in the entry, the pointer to the second table.
    let cases = [
        (
            true,
            NestedSpaTable::FirstPointer,
            GUEST_OFFSET,
            GUEST_OFFSET,
        ),
        (true, NestedSpaTable::WholeTable, GUEST_OFFSET, GUEST_OFFSET),
        (false, NestedSpaTable::FirstPointer, 0, GUEST_OFFSET),
        (false, NestedSpaTable::WholeTable, 0, 0),
    ];
    for (mode, reading, first, second) in cases {
        for (wrong_first, wrong_second) in [(false, false), (true, false), (false, true)] {
            let mut config = Config::new(Features::genoa());
            config.readings.nested_spa_table = reading;
            let mut stage = Stage::on(Bench::on(config), true, 4, 1, 0x345);
            if !mode {
                stage.bench.clear_control(control::GCR3_TRP);
            }
            stage.map(0x1000, 0x8000_7000, 0x1000, Rights::ALL);
            let flip =
                |offset: u64, wrong: bool| if wrong { GUEST_OFFSET - offset } else { offset };
            let top = stage.gcr3.pointer + GUEST_OFFSET;
            let at = top + 8;
            let next = stage.bench.machine.peek(at) + GUEST_OFFSET;
            stage
                .bench
                .machine
                .poke(at, next - flip(second, wrong_second));
            let gcr3 = top - flip(first, wrong_first);
            let entry = Dte {
                gcr3,
                ..stage.entry
            };
            stage.bench.install(DEVICE, &entry);
            let right = !wrong_first && !wrong_second;
            assert_eq!(
                stage.target(0x1000, Access::Read, Some(0x345)).is_some(),
                right,
                "{mode} {reading:?} {wrong_first} {wrong_second}"
            );
        }
    }
}

#[test]
fn a_guest_table_that_does_not_answer_is_a_hardware_error_at_its_system_address() {
    let mut stage = Stage::new(true, 4, 0, 1);
    stage.map(0x1000, 0x8000_7000, 0x1000, Rights::ALL);
    let path = stage.tables.path(&stage.bench.machine, 0x1000);
    stage.bench.machine.remove(path[2]);
    assert_eq!(stage.target(0x1000, Access::Read, Some(1)), None);
    let events = stage.bench.events();
    assert_eq!(events[0].code(), event::TABLE_ERROR);
    assert_eq!((events[0].address(), events[0].pasid()), (path[2], Some(1)));
}

#[test]
fn what_the_host_table_forbids_is_forbidden_without_a_cached_page_too() {
    for (rights, good, bad, flags) in [
        (Rights::READ, Access::Read, Access::Write, RW),
        (Rights::WRITE, Access::Write, Access::Read, 0),
    ] {
        for access in [bad, good] {
            let mut stage = Stage::new(true, 4, 0, 1);
            let memory = stage.bench.machine.page();
            stage.map(0x1000, memory - GUEST_OFFSET, 0x1000, Rights::ALL);
            let mut pages: Vec<_> = stage.walked().iter().map(|at| (*at, Rights::ALL)).collect();
            pages.push((memory, rights));
            stage.host_maps(&pages);
            let found = stage.target(0x1000, access, Some(1));
            assert_eq!(found.is_some(), access == good, "{rights:?} {access:?}");
            if access == bad {
                assert_eq!(stage.fault(0x1000, Some(1)), PR | PE | US | flags);
            }
        }
    }
}

#[test]
fn the_first_write_through_a_cached_nested_page_sets_d_of_the_host_table() {
    let mut stage = Stage::new(true, 4, 0, 1);
    let entry = Dte {
        had: 3,
        ..stage.entry
    };
    stage.bench.install(DEVICE, &entry);
    let memory = stage.bench.machine.page();
    stage.map(0x1000, memory - GUEST_OFFSET, 0x1000, Rights::ALL);
    let mut pages: Vec<_> = stage.walked().iter().map(|at| (*at, Rights::ALL)).collect();
    pages.push((memory, Rights::ALL));
    stage.host_maps(&pages);
    let table = stage.host.unwrap();
    let leaf = table.entry(&mut stage.bench.machine, memory - GUEST_OFFSET, 1);
    stage.target(0x1000, Access::Read, Some(1));
    assert_eq!(stage.bench.machine.peek(leaf) & (A | D), A);
    stage.target(0x1000, Access::Write, Some(1));
    assert_eq!(stage.bench.machine.peek(leaf) & (A | D), A | D);
}
