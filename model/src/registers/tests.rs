// SPDX-License-Identifier: GPL-2.0

//! What the registers tell the other parts, and what these tell them: no register access of
//! software reaches it alone.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use alloc::vec::Vec;

use crate::config::{Config, Features, InterruptEdge};
use crate::registers::status::*;
use crate::registers::Exclusion;
use crate::system::{Abort, Interrupt, System};
use crate::Iommu;

/// No memory, and a record of interrupts.
#[derive(Default)]
struct Void(Vec<Interrupt>);

impl System for Void {
    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), Abort> {
        Err(Abort)
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), Abort> {
        Err(Abort)
    }
    fn compare_exchange(&mut self, _: u64, _: u64, _: u64) -> Result<u64, Abort> {
        Err(Abort)
    }
    fn interrupt(&mut self, interrupt: Interrupt) {
        self.0.push(interrupt);
    }
    fn now(&self) -> u64 {
        0
    }
    fn wake(&mut self, _: u64) {}
}

fn with(features: Features) -> (Iommu, Void) {
    (Iommu::new(Config::new(features)).unwrap(), Void::default())
}

fn write(iommu: &mut Iommu, writes: &[(u64, u64)]) {
    for &(offset, value) in writes {
        iommu.mmio_write(&mut Void::default(), offset, 8, value);
    }
}

#[test]
fn an_entry_lies_at_its_index_if_the_table_reaches_so_far() {
    // W20, W21: 64K entries, 256 entries.
    let table: &[(u64, u16, Option<u64>)] = &[
        (0x1_0000_01ff, 0x0000, Some(0x1_0000_0000)),
        (0x1_0000_01ff, 0x0108, Some(0x1_0000_2100)),
        (0x1_0000_01ff, 0xffff, Some(0x1_001f_ffe0)),
        (0x1_0000_0001, 0x00ff, Some(0x1_0000_1fe0)),
        (0x1_0000_0001, 0x0100, None),
        (0x1_0000_0000, 0x007f, Some(0x1_0000_0fe0)),
        (0x1_0000_0000, 0x0080, None),
        (
            0x000f_ffff_ffff_f000,
            0x007f,
            Some(0x000f_ffff_ffff_f000 + 0xfe0),
        ),
    ];
    for &(base, requester, expected) in table {
        let (mut iommu, _) = with(Features::genoa());
        write(&mut iommu, &[(0x00, base)]);
        assert_eq!(
            iommu.registers.device_entry_address(requester),
            expected,
            "{base:x} {requester:x}"
        );
    }
}

#[test]
fn the_top_bits_of_the_requester_choose_the_segment() {
    let mut features = Features::basic();
    features.efr |= 3 << 38;
    // DevTblSegEn, requester, segment register, offset in its table.
    let table: &[(u64, u16, u64, u64)] = &[
        (0, 0xffff, 0, 0x1f_ffe0),
        (1, 0x7fff, 0, 0x0f_ffe0),
        (1, 0x8000, 1, 0),
        (1, 0xffff, 1, 0x0f_ffe0),
        (2, 0x4001, 1, 0x20),
        (2, 0xffff, 3, 0x07_ffe0),
        (3, 0x2000, 1, 0),
        (3, 0xbfff, 5, 0x03_ffe0),
        (3, 0xe000, 7, 0),
    ];
    let sizes = [0x1ff, 0xff, 0x7f, 0x7f, 0x3f, 0x3f, 0x3f, 0x3f];
    for &(segments, requester, register, offset) in table {
        let (mut iommu, _) = with(features);
        for (index, size) in (0u64..).zip(sizes) {
            let at = if index == 0 { 0 } else { 0xf8 + 8 * index };
            write(&mut iommu, &[(at, (index + 1) << 32 | size)]);
        }
        write(&mut iommu, &[(0x18, segments << 34)]);
        assert_eq!(
            iommu.registers.device_entry_address(requester),
            Some(((register + 1) << 32) + offset),
            "{segments} {requester:x}"
        );
    }
}

#[test]
fn a_requester_beyond_its_segment_has_no_entry() {
    let mut features = Features::basic();
    features.efr |= 1 << 38;
    let (mut iommu, _) = with(features);
    write(
        &mut iommu,
        &[(0x00, 0x1ff), (0x100, 0x1_0000_0000), (0x18, 1 << 34)],
    );
    let address = |requester| iommu.registers.device_entry_address(requester);
    assert_eq!(address(0x807f), Some(0x1_0000_0fe0));
    assert_eq!(address(0x8080), None);
    assert_eq!(address(0x7fff), Some(0xf_ffe0));
}

#[test]
fn the_exclusion_range_is_whole_pages_and_needs_its_enable() {
    let range = |start, last, allow| Some(Exclusion { start, last, allow });
    let table = [
        (
            0x1234_5001,
            0x1234_7000,
            range(0x1234_5000, 0x1234_7fff, false),
        ),
        (
            0x1234_5003,
            0x1234_5fff,
            range(0x1234_5000, 0x1234_5fff, true),
        ),
        (0x1234_5002, 0x1234_7000, None),
        (0x1234_5001, 0x1234_4000, None),
    ];
    for (base, limit, expected) in table {
        let (mut iommu, _) = with(Features::basic());
        write(&mut iommu, &[(0x20, base), (0x28, limit)]);
        assert_eq!(iommu.registers.exclusion(), expected, "{base:x} {limit:x}");
    }
}

const EVENT_INT: u64 = 1 << 3;
const COMPLETION_INT: u64 = 1 << 4;

#[test]
fn an_interrupt_needs_its_enable_and_a_bit_that_rises() {
    // Control, status before, bits, interrupts in the readings "rising" and "every".
    let table = [
        (0, 0, EVENT_INTERRUPT, 0, 0),
        (EVENT_INT, 0, EVENT_INTERRUPT, 1, 1),
        (EVENT_INT, EVENT_INTERRUPT, EVENT_INTERRUPT, 0, 1),
        (EVENT_INT, EVENT_INTERRUPT, EVENT_OVERFLOW, 1, 1),
        (EVENT_INT, 0, EVENT_OVERFLOW | EVENT_INTERRUPT, 1, 1),
        (EVENT_INT, 0, COMPLETION_INTERRUPT, 0, 0),
        (COMPLETION_INT, 0, COMPLETION_INTERRUPT, 1, 1),
        (COMPLETION_INT, 0, EVENT_INTERRUPT, 0, 0),
        (
            COMPLETION_INT,
            COMPLETION_INTERRUPT,
            COMPLETION_INTERRUPT,
            0,
            1,
        ),
    ];
    for (control, before, bits, rising, every) in table {
        for (edge, expected) in [
            (InterruptEdge::Rising, rising),
            (InterruptEdge::Every, every),
        ] {
            let (mut iommu, mut system) = with(Features::genoa());
            iommu.config.readings.interrupt_edge = edge;
            write(&mut iommu, &[(0x18, control)]);
            iommu.registers.status.put(before, true);
            iommu.signal(&mut system, bits);
            let case = alloc::format!("{control:x} {before:x} {bits:x} {edge:?}");
            assert_eq!(system.0.len(), expected, "{case}");
            assert_eq!(iommu.counters.interrupts, expected as u64, "{case}");
            assert_eq!(iommu.registers.status.0, before | bits, "{case}");
            assert!(system.0.iter().all(|i| *i == Interrupt::Msi { number: 0 }));
        }
    }
}

#[test]
fn a_written_one_clears_what_software_may_clear() {
    // W28, W29, and the Run bits.
    let table = [
        (0x1a, 0x02, 0x18),
        (0x13, 0x03, 0x10),
        (0x1f, 0x00, 0x1f),
        (0x1f, 0x18, 0x1f),
        (0x1f, 0x04, 0x1b),
        (0x1f, u64::MAX, 0x18),
    ];
    for (before, written, after) in table {
        let (mut iommu, mut system) = with(Features::genoa());
        iommu.registers.status.put(before, true);
        write(&mut iommu, &[(0x2020, written)]);
        assert_eq!(iommu.mmio_read(&mut system, 0x2020, 8), after);
    }
}

#[test]
fn a_write_to_one_half_of_status_leaves_the_other_half() {
    let (mut iommu, mut system) = with(Features::genoa());
    iommu.registers.status.put(0x1f, true);
    iommu.mmio_write(&mut system, 0x2024, 4, 0);
    assert_eq!(iommu.mmio_read(&mut system, 0x2020, 8), 0x1f);
}

#[test]
fn enabling_the_event_log_clears_overflow_and_starts_it() {
    let (enable, iommu_on) = (1 << 2, 1);
    let (mut iommu, mut system) = with(Features::genoa());
    write(&mut iommu, &[(0x18, iommu_on | enable)]);
    iommu.registers.status = Status(EVENT_OVERFLOW | EVENT_INTERRUPT);
    // Any other change of control does not restart a log that stopped.
    write(&mut iommu, &[(0x18, iommu_on | enable | EVENT_INT)]);
    assert_eq!(iommu.mmio_read(&mut system, 0x2020, 8), 3);
    write(&mut iommu, &[(0x18, iommu_on), (0x18, iommu_on | enable)]);
    assert_eq!(
        iommu.registers.status.0,
        EVENT_INTERRUPT | EVENT_RUN,
        "restarted"
    );
    write(&mut iommu, &[(0x18, enable)]);
    assert_eq!(
        iommu.registers.status.0, EVENT_INTERRUPT,
        "IommuEn clears Run"
    );
}

#[test]
fn an_engine_that_stopped_needs_its_enable_from_0_to_1() {
    let running = 1 | 1 << 12;
    let (mut iommu, _) = with(Features::genoa());
    write(&mut iommu, &[(0x18, running)]);
    assert!(iommu.registers.status.has(COMMAND_RUN));
    iommu.registers.status.put(COMMAND_RUN, false);
    write(&mut iommu, &[(0x18, running), (0x18, running | EVENT_INT)]);
    assert!(!iommu.registers.status.has(COMMAND_RUN));
    write(&mut iommu, &[(0x18, 1), (0x18, running)]);
    assert!(iommu.registers.status.has(COMMAND_RUN));
}

#[test]
fn the_first_hardware_event_sets_hev_and_the_next_one_replaces_it() {
    let (mut iommu, mut system) = with(Features::genoa());
    let mut read =
        |iommu: &mut Iommu| [0x40, 0x48, 0x50].map(|at| iommu.mmio_read(&mut system, at, 8));
    iommu.latch_hardware_error([1, 0x3000_0002, 3, 4]);
    let first = [0x3000_0002_0000_0001, 0x4_0000_0003, 1];
    assert_eq!(read(&mut iommu), first);
    iommu.latch_hardware_error([5, 0x4000_0006, 7, 8]);
    let second = [0x4000_0006_0000_0005, 0x8_0000_0007, 3];
    assert_eq!(read(&mut iommu), second);
    write(&mut iommu, &[(0x50, 2)]);
    assert_eq!(read(&mut iommu)[2], 1, "HEO clears alone");
    write(&mut iommu, &[(0x50, 1)]);
    assert_eq!(read(&mut iommu)[2], 0);
    iommu.latch_hardware_error([1; 4]);
    iommu.latch_hardware_error([1; 4]);
    write(&mut iommu, &[(0x50, 1), (0x50, 2)]);
    assert_eq!(read(&mut iommu)[2], 2, "ignored while HEV is 0");
}

#[test]
fn without_hesup_nothing_is_latched() {
    let mut features = Features::basic();
    features.efr &= !(1 << 8);
    let (mut iommu, mut system) = with(features);
    iommu.latch_hardware_error([1, 0x3000_0002, 3, 4]);
    for at in [0x40, 0x48, 0x50] {
        assert_eq!(iommu.mmio_read(&mut system, at, 8), 0);
    }
}
