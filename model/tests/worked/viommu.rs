// SPDX-License-Identifier: GPL-2.0

//! Control blocks, the private address space and its entries (10.11 to 10.15).

use amd_iommu_model::config::{DirtyShift, Features};
use amd_iommu_model::Config;

use crate::support::bench::control;
use crate::support::{command, Bench, Dte, HostTables, Rights, GUEST_OFFSET};

const MIB: u64 = 1 << 20;
const TRANSLATE: u16 = 0xfffe;

/// An IOMMU with its private address space, as hardware.md 7.1 and 7.2 want it.
struct Viommu {
    bench: Bench,
    private: HostTables,
    /// Memory behind the first 8 MiB of the private address space.
    first: u64,
}

impl Viommu {
    fn new(config: Config) -> Self {
        let mut bench = Bench::on(config);
        let private = HostTables::new(&mut bench.machine, 3);
        let first = bench.machine.pages(8 * MIB / 4096);
        for part in (0..8 * MIB).step_by(2 * MIB as usize) {
            let machine = &mut bench.machine;
            private.map(machine, part, first + part, 2 * MIB, Rights::ALL);
        }
        let own = bench.iommu.config().device_id;
        bench.install(own, &Dte::host(0x20, private.root, 3));
        bench.set_control(control::GUEST_BUFFER_TRP);
        bench.set_control(control::VCMD);
        bench.set_control(control::VIOMMU);
        Viommu {
            bench,
            private,
            first,
        }
    }

    fn genoa() -> Self {
        Self::new(Config::new(Features::genoa()))
    }

    /// Memory behind a new range of the private address space.
    fn region(&mut self, address: u64, size: u64) -> u64 {
        let machine = &mut self.bench.machine;
        let memory = machine.pages(size / 4096);
        self.private
            .map(machine, address, memory, size, Rights::ALL);
        memory
    }

    fn reset(&mut self, gid: u16) {
        self.bench.execute(&[command::reset_vmmio(gid)]);
    }

    fn write(&mut self, gid: u16, offset: u64, value: u64) {
        let at = u64::from(gid) * 0x40 + offset;
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.vf_control_write(machine, at, 8, value);
    }

    fn read(&mut self, gid: u16, offset: u64) -> u64 {
        let at = u64::from(gid) * 0x40 + offset;
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.vf_control_read(machine, at, 8)
    }
}

/// Offsets into a table at which there is something.
fn used(viommu: &Viommu, table: u64, size: u64) -> Vec<u64> {
    viommu
        .bench
        .machine
        .snapshot()
        .range(table..table + size)
        .map(|(at, _)| at - table)
        .collect()
}

#[test]
fn device_map_writes_land_in_the_entry_of_the_guest_device() {
    // Number, gid, private address of its map, value written, offset of the entry, hDevID.
    let examples = [
        (
            "W123, W155",
            1,
            0x10_0010_0000,
            0x8042_0000_00c0_0001,
            0x1080,
            0x0300,
        ),
        (
            "W125",
            0x7fff,
            0x17_fff0_0000,
            0x8042_0000_0000_0001,
            0x1080,
            0,
        ),
        (
            "W126, W156",
            0xffff,
            0x1f_fff0_0000,
            0xbfff_c000_3fff_c001,
            0xf_fff0,
            0xffff,
        ),
    ];
    for (number, gid, address, value, offset, host) in examples {
        let mut viommu = Viommu::genoa();
        let table = viommu.region(address, MIB);
        viommu.reset(gid);
        viommu.write(gid, 0, value);
        let entry = viommu.bench.machine.peek(table + offset);
        assert_eq!(entry >> 24 & 0xffff, host, "{number}");
        assert_eq!(used(&viommu, table, MIB), [offset], "{number}");
    }
}

#[test]
fn w124_a_device_map_entry_can_be_removed() {
    let mut viommu = Viommu::genoa();
    let table = viommu.region(0x10_0010_0000, MIB);
    viommu.reset(1);
    viommu.write(1, 0, 0x8042_0000_00c0_0001);
    let mapped = viommu.bench.machine.peek(table + 0x1080);
    viommu.write(1, 0, 0x8042_0000_0000_0000);
    assert_ne!(viommu.bench.machine.peek(table + 0x1080), mapped);
    // Not the mapping to host device 0 either, which is what W125 makes.
    let removed = viommu.bench.machine.peek(table + 0x1080);
    viommu.write(1, 0, 0x8042_0000_0000_0001);
    assert_ne!(viommu.bench.machine.peek(table + 0x1080), removed);
}

#[test]
fn domain_map_writes_land_in_the_entry_of_the_guest_domain() {
    let examples = [
        ("W127", 1, 0x20_0008_0000, 0x8000_4000_0004_4001, 8),
        (
            "W128",
            0xffff,
            0x27_fff8_0000,
            0xbfff_c000_0004_0001,
            0x7_fff8,
        ),
        // gDomID 5 to hDomID 11h.
        ("W157", 0x7fff, 0x23_fff8_0000, 0x8001_4000_0004_4001, 0x28),
    ];
    for (number, gid, address, value, offset) in examples {
        let mut viommu = Viommu::genoa();
        let table = viommu.region(address, MIB / 2);
        viommu.reset(gid);
        viommu.write(gid, 8, value);
        assert_eq!(used(&viommu, table, MIB / 2), [offset], "{number}");
    }
}

#[test]
fn control_registers_read_back() {
    let examples = [
        ("W129", 0x10, 0x0000_0000_fffe_0000),
        ("W130", 0x20, 0x0000_0000_1234_0309),
        ("W131", 0x20, 0x0000_0000_1234_0209),
        ("W132", 0x28, 0x0000_0000_1235_0309),
        ("W133", 0x28, 0x0000_0000_1235_0b89),
        ("W134", 0x30, 0x0000_0001_2360_0709),
        ("W135", 0x30, 0x00ff_ffff_ffff_000f),
        ("W136", 0x30, 0x0000_0001_2360_ef09),
        ("W137", 0x18, 0x0000_0000_1237_0000),
        ("W137", 0x38, 0x0000_0000_1237_0000),
    ];
    for (number, offset, value) in examples {
        let mut viommu = Viommu::genoa();
        viommu.reset(1);
        viommu.write(1, offset, value);
        assert_eq!(viommu.read(1, offset), value, "{number}");
        assert_eq!(viommu.read(2, offset), 0, "{number}: of another guest");
    }
}

/// State of a guest lies in its own 64 bytes of the first region, wherever exactly.
#[test]
fn w147_the_state_of_a_guest_lies_in_its_own_block() {
    for (gid, block) in [(1, 0x40), (0x7fff, 0x1f_ffc0), (0xffff, 0x3f_ffc0)] {
        let mut viommu = Viommu::genoa();
        viommu.reset(gid);
        viommu.write(gid, 0x10, 0xfffe_0000);
        let touched = used(&viommu, viommu.first, 4 * MIB);
        let own = block..block + 0x40;
        assert!(touched.iter().all(|at| own.contains(at)), "{touched:x?}");
    }
}

/// Lets guest `gid` ring its doorbell for one command and says where in the dirty-status region
/// there is something then.
fn dirty_after_doorbell(gid: u16, shift: DirtyShift) -> Vec<(u64, u64)> {
    let mut config = Config::new(Features::genoa());
    config.readings.dirty_shift = shift;
    let mut viommu = Viommu::new(config);
    let machine = &mut viommu.bench.machine;
    let memory = HostTables::new(machine, 4);
    memory.map_guest_memory(machine);
    let ring = machine.page();
    machine.poke_words(ring, command::completion_wait(None, false));
    let translate = Dte::host(0x10, memory.root, 4);
    viommu.bench.install(TRANSLATE, &translate);
    viommu.reset(gid);
    viommu.write(gid, 0x10, u64::from(TRANSLATE) << 16);
    viommu.write(gid, 0x20, (ring - GUEST_OFFSET) | 0x108);
    let Bench { iommu, machine, .. } = &mut viommu.bench;
    iommu.vf_write(machine, u64::from(gid) * 0x1000 + 8, 8, 0x10);
    viommu.bench.advance();
    let region = viommu.first + 0x40_0000;
    viommu
        .bench
        .machine
        .snapshot()
        .range(region..region + 0x2000)
        .map(|(at, value)| (at - region, *value))
        .collect()
}

#[test]
fn a_doorbell_sets_the_dirty_bit_of_the_guest() {
    // Number, gid, offset and bit with shift 4, the same with shift 5.
    let examples = [
        ("W160", 0x1, 0x10, 0, 0x20, 0),
        ("W161", 0x10, 0x100, 0, 0x200, 0),
        ("W162", 0xff, 0xff0, 0, 0x1fe0, 0),
        ("W163", 0x100, 0, 1, 0, 1),
        ("W164", 0x7fff, 0xffc, 31, 0x1fec, 31),
        ("W165", 0x8000, 0x10, 0, 0x10, 0),
        ("W166", 0xffff, 0xffc, 31, 0x1ffc, 31),
    ];
    // The memory is looked at in pieces of 8 bytes.
    let piece = |offset: u64, bit: u32| (offset & !7, 1u64 << (bit + 8 * (offset & 4) as u32));
    for (number, gid, offset4, bit4, offset5, bit5) in examples {
        let found = dirty_after_doorbell(gid, DirtyShift::Five);
        assert_eq!(found, [piece(offset5, bit5)], "{number}, shift 5");
        let found = dirty_after_doorbell(gid, DirtyShift::Four);
        assert_eq!(found, [piece(offset4, bit4)], "{number}, shift 4");
    }
}
