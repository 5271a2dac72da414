// SPDX-License-Identifier: GPL-2.0

//! Registers (10.3) and the capability of the apertures (10.12).

use amd_iommu_model::config::Features;
use amd_iommu_model::request::Access;
use amd_iommu_model::{pci, Config};

use crate::support::bench::{control, reg};
use crate::support::{command, Bench, Dte};

#[test]
fn base_registers_hold_base_and_length() {
    let examples = [
        ("W20", reg::DEVICE_TABLE, 0x0000_0001_0000_01ff),
        ("W21", reg::DEVICE_TABLE, 0x0000_0001_0000_0001),
        ("W22", reg::COMMAND_BASE, 0x0800_0001_0400_0000),
        ("W22", reg::EVENT_BASE, 0x0800_0001_0400_0000),
        ("W23", reg::COMMAND_BASE, 0x0900_0001_0400_0000),
        ("W23", reg::EVENT_BASE, 0x0900_0001_0400_0000),
        ("W24", reg::COMMAND_BASE, 0x0f00_0001_0400_0000),
        ("W24", reg::EVENT_BASE, 0x0f00_0001_0400_0000),
    ];
    let mut bench = Bench::off(Config::new(Features::genoa()));
    for (number, register, value) in examples {
        bench.set(register, value);
        assert_eq!(bench.get(register), value, "{number}");
    }
}

/// The device-table size of W21 is 256 entries: the next one is beyond the table.
#[test]
fn the_device_table_ends_where_its_size_says() {
    for (number, size, last) in [("W20", 0x1ff, 0xffff), ("W21", 1, 0x00ff)] {
        let mut bench = Bench::genoa();
        bench.set(reg::DEVICE_TABLE, bench.device_table | size);
        bench.put_entry(last, Dte::pass(1).words());
        assert_eq!(
            bench.target(last, 0x5000, Access::Read),
            Some(0x5000),
            "{number}"
        );
        if let Some(beyond) = last.checked_add(1) {
            bench.put_entry(beyond, Dte::pass(1).words());
            assert_eq!(bench.target(beyond, 0x5000, Access::Read), None, "{number}");
        }
    }
}

#[test]
fn the_control_register_keeps_what_the_part_has() {
    // PPRLogEn, PprIntEn and PPREn read back 0: the part has no PPR.
    let ppr = 7 << 13;
    for (number, value) in [("W25", 0x0003_f48d), ("W26", 0x1430_0000_0003_f48d)] {
        let mut bench = Bench::off(Config::new(Features::genoa()));
        bench.set(reg::CONTROL, value);
        assert_eq!(bench.get(reg::CONTROL), value & !ppr, "{number}");
    }
}

fn logged_event() -> Bench {
    let mut bench = Bench::genoa();
    bench.install(0x0108, &Dte::blocked());
    assert_eq!(bench.target(0x0108, 0, Access::Read), None);
    bench
}

#[test]
fn w28_status_bits_are_cleared_by_writing_ones() {
    let mut bench = logged_event();
    assert_eq!(bench.get(reg::STATUS), 0x1a);
    bench.set(reg::STATUS, 2);
    assert_eq!(bench.get(reg::STATUS), 0x18);
}

#[test]
fn w29_an_overflowed_log_does_not_run_again_by_itself() {
    let mut bench = logged_event();
    for _ in 0..511 {
        assert_eq!(bench.target(0x0108, 0, Access::Read), None);
    }
    assert_eq!(bench.get(reg::STATUS), 0x13);
    bench.set(reg::STATUS, 3);
    assert_eq!(bench.get(reg::STATUS), 0x10);
}

#[test]
fn w30_w31_the_command_tail_counts_bytes_and_wraps() {
    let mut bench = Bench::off(Config::new(Features::genoa()));
    bench.set(reg::DEVICE_TABLE, bench.device_table | 0x1ff);
    bench.set(reg::COMMAND_BASE, bench.commands | 9 << 56);
    bench.set_control(control::COMMAND_BUFFER | control::IOMMU);
    let barrier = command::completion_wait(None, false);
    bench.submit(&[barrier; 3]);
    assert_eq!(bench.get(reg::COMMAND_TAIL), 0x30);
    bench.submit(&[barrier; 508]);
    assert_eq!(bench.get(reg::COMMAND_TAIL), 0x1ff0);
    assert_eq!(bench.get(reg::COMMAND_HEAD), 0x1ff0);
    bench.submit(&[barrier]);
    assert_eq!(bench.get(reg::COMMAND_TAIL), 0);
    assert_eq!(bench.get(reg::COMMAND_HEAD), 0);
}

#[test]
fn w142_w143_the_vendor_specific_capability_places_the_apertures() {
    let mut config = Config::new(Features::genoa());
    config.vf_bar = Some(0xfd_f000_0000);
    config.vf_control_bar = Some(0xfe_fc40_0000);
    let words = pci::vendor_specific(&config).expect("the part has vIOMMU");
    assert_eq!(words[0] & 0xff, 0x09);
    assert_eq!(words[2..], [0xf000_0001, 0xfd, 0xfc40_0001, 0xfe]);
}
