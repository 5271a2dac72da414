// SPDX-License-Identifier: GPL-2.0

//! The VF control aperture: registers, their bits and widths, and the ID maps behind them
//! (hardware.md 5.3, 6.2, 10.11, 10.14).

use amd_iommu_model::config::{
    ApertureGate, ControlReset, Features, MapClear, MiscBits, PrivateFault, Readings,
};
use amd_iommu_model::referee::Rule;
use amd_iommu_model::Config;

use crate::support::bench::control;
use crate::support::event::{PAGE_FAULT, VIOMMU_ERROR};
use crate::support::viommu::*;
use crate::support::{command, Bench, Rights};

#[test]
fn without_the_feature_the_apertures_read_0() {
    let mut features = Features::genoa();
    features.efr &= !(1 << 55);
    features.guest_buffer_trp = false;
    let mut bench = Bench::on(Config::new(features));
    for offset in (0..0x80).step_by(8) {
        let (iommu, machine) = (&mut bench.iommu, &mut bench.machine);
        iommu.vf_control_write(machine, offset, 8, 0x309);
        iommu.vf_write(machine, offset, 8, 0x10);
        assert_eq!(iommu.vf_control_read(machine, offset, 8), 0);
        assert_eq!(iommu.vf_read(machine, offset, 8), 0);
    }
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn control_registers_hold_the_worked_values() {
    let table = [
        (0x10, 0x0000_0000_fffe_0000),
        (0x20, 0x0000_0000_1234_0209),
        (0x28, 0x0000_0000_1235_0209),
        (0x28, 0x0000_0000_1235_0a89),
        (0x30, 0x0000_0001_2360_0709),
        (0x30, 0x00ff_ffff_ffff_000f),
        (0x30, 0x0000_0001_2360_ef09),
        (0x18, 0x0000_0000_1237_0000),
        (0x38, 0x0000_0000_1237_0000),
    ];
    for gid in [1, 0x7fff, 0xffff] {
        let mut host = Host::new();
        let guest = stranger(gid);
        host.bench.submit(&[command::reset_vmmio(gid)]);
        for (offset, value) in table {
            host.set(&guest, offset, value);
            assert_eq!(host.get(&guest, offset), value, "{offset:x}");
        }
        assert!(host.bench.violations().is_empty());
    }
}

#[test]
fn control_registers_drop_reserved_bits_and_the_referee_sees_them() {
    let table: [(u64, u64); 8] = [
        (0x00, 0x3fff_c000_3fff_c001),
        (0x08, 0x3fff_c000_3fff_c001),
        (0x10, 0x0000_0000_ffff_0000),
        (0x18, 0x000f_ffff_ffff_f000),
        (0x20, 0x000f_ffff_ffff_f30f),
        (0x28, 0x000f_ffff_ffff_ffff),
        (0x30, 0x00ff_ffff_ffff_ffff),
        (0x38, 0x000f_ffff_ffff_f000),
    ];
    for (offset, legal) in table {
        let mut host = Host::new();
        // GAEn off: nothing shall start with these values.
        host.bench.clear_control(control::GUEST_APIC);
        let guest = host.guest(3, 8);
        let write = !(u64::from(offset < 0x10) << 63);
        host.set(&guest, offset, write);
        assert_eq!(host.get(&guest, offset), legal, "{offset:x}");
        assert_eq!(host.broken(Rule::ReservedRegisterBit), 1, "{offset:x}");
    }
}

#[test]
fn other_bits_of_misc_control_are_kept_or_not() {
    for (reading, expected) in [
        (MiscBits::Zero, 0x0000_0000_fffe_0000),
        (MiscBits::Kept, 0x1234_5678_fffe_9abc),
    ] {
        let mut host = Host::reading(|r| r.misc_bits = reading);
        let guest = host.guest(1, 8);
        host.set(&guest, ctl::MISC, 0x1234_5678_fffe_9abc);
        assert_eq!(host.get(&guest, ctl::MISC), expected);
        assert_eq!(host.broken(Rule::ReservedRegisterBit), 1);
        // Written back as it was read: that is what preserving means.
        host.set(&guest, ctl::MISC, expected);
        assert_eq!(host.broken(Rule::ReservedRegisterBit), 1);
    }
}

#[test]
fn halves_are_merged_and_other_widths_ignored() {
    let mut host = Host::new();
    let guest = host.guest(2, 8);
    let at = (2 << 6) + ctl::EVENT;
    let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
    iommu.vf_control_write(machine, at, 4, 0xffff_ffff_1235_0209);
    iommu.vf_control_write(machine, at + 4, 4, 0x000a_bcde);
    assert_eq!(iommu.vf_control_read(machine, at, 8), 0x000a_bcde_1235_0209);
    assert_eq!(iommu.vf_control_read(machine, at, 4), 0x1235_0209);
    assert_eq!(iommu.vf_control_read(machine, at + 4, 4), 0x000a_bcde);
    iommu.vf_control_write(machine, at, 4, 0x1236_0209);
    assert_eq!(iommu.vf_control_read(machine, at, 8), 0x000a_bcde_1236_0209);
    iommu.vf_control_write(machine, at, 4, 0x1235_0209);
    for (offset, size) in [(0, 1), (0, 2), (2, 4), (4, 8), (1, 8), (0, 16), (0, 0)] {
        iommu.vf_control_write(machine, at + offset, size, 0);
        assert_eq!(iommu.vf_control_read(machine, at + offset, size), 0);
    }
    assert_eq!(iommu.vf_control_read(machine, at, 8), 0x000a_bcde_1235_0209);
    assert_eq!(host.broken(Rule::BadAccessWidth), 14);
    host.set_vf(&guest, page::COMMAND_TAIL, 0);
    let at = (2 << 12) + page::EVENT_HEAD;
    let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
    iommu.vf_write(machine, at, 4, 0x40);
    iommu.vf_write(machine, at + 4, 4, 0x80);
    iommu.vf_write(machine, at + 2, 4, 0x10);
    iommu.vf_write(machine, at, 2, 0x10);
    assert_eq!(iommu.vf_read(machine, at, 8), 0x40);
    assert_eq!(iommu.vf_read(machine, at + 4, 4), 0);
}

#[test]
fn accesses_beyond_the_apertures_do_nothing() {
    let mut host = Host::new();
    let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
    for beyond in [0, 0x10, u64::MAX - 0x3fff_ffff - 7] {
        iommu.vf_control_write(machine, 0x40_0010 + beyond, 8, 0xfff0_0000);
        iommu.vf_write(machine, 0x1000_0008 + beyond, 8, 0x10);
        assert_eq!(iommu.vf_control_read(machine, 0x40_0010 + beyond, 8), 0);
        assert_eq!(iommu.vf_read(machine, 0x1000_0008 + beyond, 8), 0);
    }
    for gid in 0..4 {
        assert_eq!(iommu.vf_control_read(machine, (gid << 6) + 0x10, 8), 0);
        assert_eq!(iommu.vf_read(machine, (gid << 12) + 8, 8), 0);
    }
}

#[test]
fn a_map_register_writes_the_entry_of_its_guest() {
    let mut host = Host::new();
    let (one, two) = (host.guest(1, 8), host.guest(0x7fff, 8));
    host.set(&one, ctl::DEVICE_MAP, 0x8042_0000_00c0_0001);
    assert_eq!(host.get(&one, ctl::DEVICE_MAP), 0x0042_0000_00c0_0001);
    let entry = host.bench.machine.peek(one.devices + 0x1080);
    assert_eq!((entry >> 24) & 0xffff, 0x300);
    assert_ne!(entry & 1, 0);
    host.set(&one, ctl::DEVICE_MAP, 0xbfff_c000_3fff_c001);
    let entry = host.bench.machine.peek(one.devices + 0xf_fff0);
    assert_eq!((entry >> 24) & 0xffff, 0xffff);
    host.set(&two, ctl::DOMAIN_MAP, 0x8001_4000_0004_4001);
    let entry = host.bench.machine.peek(two.domains + 0x28);
    assert_eq!((entry >> 24) & 0xffff, 0x11);
    assert_eq!(host.bench.machine.peek(one.domains + 0x28), 0);
    assert_eq!(host.bench.machine.peek(two.devices + 0x1080), 0);
    assert!(host.bench.violations().is_empty());
}

#[test]
fn without_the_write_bit_a_map_register_changes_no_entry() {
    let mut host = Host::new();
    let guest = host.guest(1, 8);
    host.set(&guest, ctl::DEVICE_MAP, 0x0042_0000_00c0_0001);
    assert_eq!(host.bench.machine.peek(guest.devices + 0x1080), 0);
    // The upper half, written alone, carries the bit out with what the lower half holds.
    let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
    iommu.vf_control_write(machine, (1 << 6) + 4, 4, 0x8042_0000);
    let entry = host.bench.machine.peek(guest.devices + 0x1080);
    assert_eq!((entry >> 24) & 0xffff, 0x300);
}

#[test]
fn an_entry_is_cleared_by_valid_0_in_one_reading_only() {
    for (reading, gone) in [(MapClear::Invalidates, true), (MapClear::Ignored, false)] {
        let mut host = Host::reading(|r| r.map_clear = reading);
        let guest = host.running_guest(1);
        host.map_device(&guest, 0x108, 0x300);
        host.set(&guest, ctl::DEVICE_MAP, 0x8042_0000_0000_0000);
        let taken = host.submit(&guest, &[command::invalidate_entry(0x108)]);
        assert_eq!(taken, !gone, "{reading:?}");
    }
}

#[test]
fn apertures_without_viommuen_hold_values_or_are_dead() {
    for reading in [ApertureGate::Held, ApertureGate::Dead] {
        let mut host = Host::reading(|r| r.aperture_gate = reading);
        let guest = host.guest(1, 8);
        host.bench.clear_control(control::VIOMMU);
        host.set(&guest, ctl::EVENT, 0x1235_0209);
        host.set_vf(&guest, page::EVENT_HEAD, 0x20);
        assert_eq!(host.broken(Rule::MapNotEnabled), 0);
        host.map_device(&guest, 5, 6);
        assert_eq!(host.broken(Rule::MapNotEnabled), 1, "{reading:?}");
        let held = reading == ApertureGate::Held;
        let seen = (
            host.get(&guest, ctl::EVENT),
            host.vf(&guest, page::EVENT_HEAD),
        );
        let expected = if held { (0x1235_0209, 0x20) } else { (0, 0) };
        assert_eq!(seen, expected, "{reading:?}");
        assert_eq!(host.get(&guest, ctl::DEVICE_MAP), 0);
        assert_eq!(host.bench.machine.peek(guest.devices + 0x50), 0);
        host.bench.set_control(control::VIOMMU);
        let kept = host.get(&guest, ctl::MISC) >> 16;
        assert_eq!(kept, u64::from(guest.translate_id));
        assert_eq!(host.get(&guest, ctl::EVENT), expected.0);
        host.bench.clear_control(control::IOMMU);
        host.map_domain(&guest, 5, 6);
        assert_eq!(host.broken(Rule::MapNotEnabled), 2, "{reading:?}");
        assert_eq!(host.bench.machine.peek(guest.domains + 0x28), 0);
        host.bench.set_control(control::IOMMU);
        host.map_domain(&guest, 5, 6);
        assert_ne!(host.bench.machine.peek(guest.domains + 0x28), 0);
        assert_eq!(host.broken(Rule::MapNotEnabled), 2);
        // Reading is free, and so are the other registers.
        assert_eq!(host.bench.violations().len(), 1);
    }
}

#[test]
fn moving_a_base_resets_pointers_in_one_reading_only() {
    for (reading, head) in [(ControlReset::Keeps, 0x20), (ControlReset::Resets, 0)] {
        let mut host = Host::reading(|r| r.control_reset = reading);
        let guest = host.guest(1, 8);
        for (register, pointers) in [
            (ctl::COMMAND, [page::COMMAND_HEAD, page::COMMAND_TAIL]),
            (ctl::EVENT, [page::EVENT_HEAD, page::EVENT_TAIL]),
        ] {
            host.set(&guest, register, 0x8000_0009);
            for pointer in pointers {
                host.set_vf(&guest, pointer, 0x20);
            }
            // The interrupt enable is no base.
            host.set(&guest, register, 0x8000_0209);
            assert_eq!(host.vf(&guest, pointers[0]), 0x20);
            host.set(&guest, register, 0x8000_1209);
            assert_eq!(pointers.map(|p| host.vf(&guest, p)), [head; 2]);
        }
    }
}

#[test]
fn private_memory_that_is_not_mapped_is_reported_twice_over() {
    for reading in [PrivateFault::HardwareError, PrivateFault::PageFault] {
        let readings = Readings {
            private_fault: reading,
            ..Readings::default()
        };
        let mut host = Host::without_private(config(readings, None));
        host.bench.set_control(VIOMMU_BITS);
        let guest = stranger(5);
        host.map_device(&guest, 0x108, 0x300);
        assert_eq!(host.broken(Rule::PrivateUnmapped), 1);
        let events = host.bench.events();
        assert_eq!(events.len(), 1);
        let event = events[0];
        assert_eq!(event.address(), 0x10_0050_1080);
        assert_eq!(event.vflags(), VCMD);
        assert!(event.write() && !event.present());
        let (code, device) = match reading {
            PrivateFault::HardwareError => (VIOMMU_ERROR, 5),
            PrivateFault::PageFault => (PAGE_FAULT, 2),
        };
        assert_eq!((event.code(), event.device()), (code, device));
        // The state behind the registers has no place either.
        host.set(&guest, ctl::EVENT, 0x1235_0209);
        assert_eq!(host.get(&guest, ctl::EVENT), 0x1235_0209);
        let events = host.bench.events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].address(), 5 << 6);
        assert_eq!(events[0].vflags(), VEVENT);
        host.set(&guest, ctl::COMMAND, 0x8000_0108);
        let events = host.bench.events();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].address(), events[0].vflags()), (5 << 6, VCMD));
    }
}

#[test]
fn a_map_page_that_must_not_be_written_keeps_its_entries() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.map_device(&guest, 7, 0x300);
    let machine = &mut host.bench.machine;
    let table = 0x10_0010_0000;
    host.private
        .map(machine, table, guest.devices, 1 << 20, Rights::READ);
    host.flush_private();
    host.map_device(&guest, 7, 0x400);
    let events = host.bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].code(), VIOMMU_ERROR);
    assert!(events[0].present() && events[0].permission() && events[0].write());
    assert!(host.submit(&guest, &[command::invalidate_entry(7)]));
    let entry = host.bench.machine.peek(guest.devices + 0x70);
    assert_eq!((entry >> 24) & 0xffff, 0x300);
}
