// SPDX-License-Identifier: GPL-2.0

//! Page-table entries of both formats, indices and GCR3 entries (10.8, 10.9): each is put where
//! it belongs, and a request goes through it.

use amd_iommu_model::config::Features;
use amd_iommu_model::request::{Access, Answer, Translation};
use amd_iommu_model::Config;

use crate::support::tables::{v1_leaf, v1_table, v2_leaf, v2_table};
use crate::support::{event, Bench, Dte, Gcr3, HostTables, Machine, Rights};

const DEVICE: u16 = 0x0300;

const READ_ONLY: Rights = Rights::READ;

/// A v1 leaf: number, address, size, level, rights, value, copies.
type Leaf = (&'static str, u64, u64, u8, Rights, u64, u64);

const LEAVES: &[Leaf] = &[
    (
        "W87",
        0x1_2345_6000,
        1 << 12,
        1,
        Rights::ALL,
        0x6000_0001_2345_6001,
        1,
    ),
    (
        "W88",
        0x1_2345_6000,
        1 << 12,
        1,
        READ_ONLY,
        0x2000_0001_2345_6001,
        1,
    ),
    (
        "W90",
        0x1_0000_2000,
        1 << 13,
        1,
        Rights::ALL,
        0x6000_0001_0000_2e01,
        2,
    ),
    (
        "W91",
        0x1_0000_8000,
        1 << 15,
        1,
        Rights::ALL,
        0x6000_0001_0000_be01,
        8,
    ),
    (
        "W92",
        0x1_0001_0000,
        1 << 16,
        1,
        Rights::ALL,
        0x6000_0001_0001_7e01,
        16,
    ),
    (
        "W93",
        0x1_0010_0000,
        1 << 20,
        1,
        Rights::ALL,
        0x6000_0001_0017_fe01,
        256,
    ),
    (
        "W94",
        0x1_0020_0000,
        1 << 21,
        2,
        Rights::ALL,
        0x6000_0001_0020_0001,
        1,
    ),
    (
        "W95",
        0x1_0040_0000,
        1 << 22,
        2,
        Rights::ALL,
        0x6000_0001_005f_fe01,
        2,
    ),
    (
        "W96",
        0x1_4000_0000,
        1 << 30,
        3,
        Rights::ALL,
        0x6000_0001_4000_0001,
        1,
    ),
    (
        "W97",
        0x4_0000_0000,
        1 << 34,
        3,
        Rights::ALL,
        0x6000_0005_ffff_fe01,
        16,
    ),
];

#[test]
fn the_leaf_builder_of_the_tests_reproduces_the_examples() {
    for &(number, address, size, level, rights, value, _) in LEAVES {
        assert_eq!(v1_leaf(address, level, size, rights), value, "{number}");
    }
    let largest = v1_leaf(0x80_0000_0000, 4, 1 << 39, Rights::ALL);
    assert_eq!(largest, 0x6000_0080_0000_0001, "W98");
}

/// Puts `value` into `copies` entries for `from` and returns the bench with a device on it.
fn with_leaf(from: u64, level: u8, value: u64, copies: u64) -> Bench {
    let mut bench = Bench::genoa();
    let host = HostTables::new(&mut bench.machine, 4);
    let at = host.entry(&mut bench.machine, from, level);
    for copy in 0..copies {
        bench.machine.poke(at + 8 * copy, value);
    }
    bench.install(DEVICE, &Dte::host(5, host.root, 4));
    bench
}

fn forward(address: u64, size: u64, rights: Rights) -> Answer {
    Answer::Forward(Translation {
        address,
        size,
        read: rights.read,
        write: rights.write,
    })
}

#[test]
fn v1_leaves_lead_to_their_pages() {
    for &(number, address, size, level, rights, value, copies) in LEAVES {
        let from = 3 * (1 << 36);
        let mut bench = with_leaf(from, level, value, copies);
        for offset in [0, 0xfff, size / 2, size - 1] {
            assert_eq!(
                bench.dma(DEVICE, from + offset, Access::Read, None),
                forward(address + offset, size, rights),
                "{number}"
            );
        }
        assert_eq!(
            bench.target(DEVICE, from + size, Access::Read),
            None,
            "{number}"
        );
        let written = bench.target(DEVICE, from, Access::Write);
        assert_eq!(written, rights.write.then_some(address), "{number}");
    }
}

#[test]
fn w89_force_coherent_and_dirty_do_not_matter() {
    let mut bench = with_leaf(0x5000, 1, 0x7000_0001_2345_6041, 1);
    let target = bench.target(DEVICE, 0x5008, Access::Write);
    assert_eq!(target, Some(0x1_2345_6008));
}

#[test]
fn w99_w100_table_entries_lead_to_their_tables() {
    let examples = [
        ("W99", 0x2_0000_1000, 2, 1, 0x6000_0002_0000_1201),
        ("W100", 0x2_0000_3000, 4, 3, 0x6000_0002_0000_3601),
    ];
    for (number, table, level, next, value) in examples {
        assert_eq!(v1_table(table, next), value, "{number}");
        let mut bench = with_leaf(0, level, value, 1);
        bench.machine.add(table);
        let size = 1 << (12 + 9 * (next - 1));
        let leaf = v1_leaf(0x1_4000_0000, next, size, Rights::ALL);
        bench.machine.poke(table + 8, leaf);
        let target = bench.target(DEVICE, size + 0x18, Access::Read);
        assert_eq!(target, Some(0x1_4000_0018), "{number}");
    }
}

/// A chain of tables in which only the entries at `indices` are present; `link` makes an entry
/// that points to a table, given its level. Returns the root.
fn chain(machine: &mut Machine, indices: &[u64], leaf: u64, link: impl Fn(u64, u8) -> u64) -> u64 {
    let mut below = leaf;
    for (level, index) in (1u8..).zip(indices.iter().rev()) {
        let table = machine.page();
        machine.poke(table + 8 * index, below);
        below = link(table, level);
    }
    below
}

#[test]
fn w101_w102_each_level_takes_its_own_bits_of_the_address() {
    let examples: [(&str, u64, &[u64]); 2] = [
        ("W101", 0x7fff_1234_5678, &[0xff, 0x1fc, 0x91, 0x145]),
        ("W102", 0x2b_fff8_0000, &[0xaf, 0x1ff, 0x180]),
    ];
    for (number, address, indices) in examples {
        let mut bench = Bench::genoa();
        let leaf = v1_leaf(0x1_2345_6000, 1, 0x1000, Rights::ALL);
        let top = chain(&mut bench.machine, indices, leaf, v1_table);
        let root = top & 0xf_ffff_ffff_f000;
        bench.install(DEVICE, &Dte::host(5, root, indices.len() as u64));
        let target = bench.target(DEVICE, address, Access::Read);
        assert_eq!(target, Some(0x1_2345_6000 | address & 0xfff), "{number}");
    }
}

/// A device whose PASID 0 has one v2 leaf, at the given level for `from`.
fn with_v2_leaf(from: u64, level: u8, leaf: u64) -> Bench {
    let mut bench = Bench::genoa();
    let indices: Vec<u64> = (level..=4)
        .rev()
        .map(|level| from >> (12 + 9 * (level - 1)) & 0x1ff)
        .collect();
    let top = chain(&mut bench.machine, &indices, leaf, |table, _| {
        v2_table(table)
    });
    let gcr3 = bench.machine.page();
    bench.machine.poke(gcr3, top & 0xf_ffff_ffff_f000 | 1);
    bench.install(DEVICE, &Dte::guest(7, gcr3, 0));
    bench
}

#[test]
fn v2_leaves_lead_to_their_pages() {
    let no_execute = Rights {
        execute: false,
        ..Rights::READ
    };
    let examples = [
        (
            "W103",
            0x55a_a000,
            1,
            1 << 12,
            Rights::ALL,
            0x0000_0000_055a_a067,
        ),
        (
            "W104",
            0x55a_a000,
            1,
            1 << 12,
            no_execute,
            0x8000_0000_055a_a025,
        ),
        (
            "W105",
            0x560_0000,
            2,
            1 << 21,
            Rights::ALL,
            0x0000_0000_0560_00e7,
        ),
    ];
    for (number, address, level, size, rights, value) in examples {
        assert_eq!(v2_leaf(address, level, rights), value, "{number}");
        let from = 0x7f12_3460_0000;
        let mut bench = with_v2_leaf(from, level, value);
        assert_eq!(
            bench.dma(DEVICE, from + size - 8, Access::Read, None),
            forward(address + size - 8, size, rights),
            "{number}"
        );
        let written = bench.target(DEVICE, from, Access::Write);
        assert_eq!(written, rights.write.then_some(address), "{number}");
        let executed = bench.target(DEVICE, from, Access::Execute);
        assert_eq!(executed, rights.execute.then_some(address), "{number}");
    }
}

#[test]
fn w106_w107_tables_are_linked_by_these_values() {
    assert_eq!(v2_table(0x570_0000), 0x0570_0027, "W106");
    let mut bench = Bench::genoa();
    bench.machine.add(0x570_0000);
    bench.machine.add(0x580_0000);
    let leaf = v2_leaf(0x55a_a000, 1, Rights::ALL);
    let upper = chain(&mut bench.machine, &[0, 0], 0x0570_0027, |table, _| {
        v2_table(table)
    });
    bench.machine.poke(0x580_0000, upper);
    bench.machine.poke(0x570_0000, leaf);
    let gcr3 = bench.machine.page();
    bench.machine.poke(gcr3, 0x0580_0001);
    bench.install(DEVICE, &Dte::guest(7, gcr3, 0));
    let target = bench.target(DEVICE, 0x10, Access::Read);
    assert_eq!(target, Some(0x55a_a010), "W107");
}

/// A part with three GCR3 levels and 20 PASID bits.
fn largest() -> Bench {
    let mut features = Features::genoa();
    features.efr = features.efr & !(3 << 14 | 0x1f << 32) | 2 << 14 | 19 << 32;
    Bench::on(Config::new(features))
}

#[test]
fn w108_w109_gcr3_levels_take_their_own_bits_of_the_pasid() {
    let examples: [(&str, u32, u64, &[u64]); 2] = [
        ("W108", 0x1_2345, 1, &[0x91, 0x145]),
        ("W109", 0xa_bcde, 2, &[0x2, 0x15e, 0xde]),
    ];
    for (number, pasid, glx, indices) in examples {
        let mut bench = largest();
        let leaf = v2_leaf(0x55a_a000, 1, Rights::ALL);
        let tables = chain(&mut bench.machine, &[0, 0, 0, 0], leaf, |table, _| {
            v2_table(table)
        });
        let root = tables & 0xf_ffff_ffff_f000 | 1;
        let top = chain(&mut bench.machine, indices, root, |table, _| table | 1);
        bench.install(DEVICE, &Dte::guest(7, top & !1, glx));
        let answer = bench.dma(DEVICE, 0x20, Access::Read, Some(pasid));
        assert_eq!(
            answer,
            forward(0x55a_a020, 1 << 12, Rights::ALL),
            "{number}"
        );
    }
}

#[test]
fn w110_a_pasid_beyond_the_gcr3_table_is_a_fault() {
    let mut bench = largest();
    let gcr3 = Gcr3::new(&mut bench.machine, 0, 0);
    // The entry that a wrapped index would find.
    let entry = gcr3.entry(&mut bench.machine, 0x1_2345 & 0x1ff);
    let leaf = v2_leaf(0x55a_a000, 1, Rights::ALL);
    let tables = chain(&mut bench.machine, &[0, 0, 0, 0], leaf, |table, _| {
        v2_table(table)
    });
    bench.machine.poke(entry, tables & 0xf_ffff_ffff_f000 | 1);
    bench.install(DEVICE, &Dte::guest(7, gcr3.pointer, 0));
    let answer = bench.dma(DEVICE, 0x20, Access::Read, Some(0x1_2345));
    assert_eq!(answer, Answer::Abort);
    let codes: Vec<u8> = bench.events().iter().map(|event| event.code()).collect();
    assert_eq!(codes, [event::PAGE_FAULT]);
}
