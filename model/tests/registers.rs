// SPDX-License-Identifier: GPL-2.0

//! The MMIO register map: what exists, which bits it has, how it is accessed (hardware.md
//! 2.3, 3.1, 3.9, 10.3).

use amd_iommu_model::config::Features;
use amd_iommu_model::counters::{Accesses, Aperture};
use amd_iommu_model::referee::Rule;
use amd_iommu_model::registers::OTHER;
use amd_iommu_model::{Config, Iommu};
use proptest::prelude::*;

use crate::support::bench::reg;
use crate::support::{random_cases, Bench, Machine};

const RUN: u64 = 1 | 1 << 12;
const LOG: u64 = 1 | 1 << 2;

fn part(features: Features) -> Bench {
    Bench::off(Config::new(features))
}

fn genoa() -> Bench {
    part(Features::genoa())
}

fn segmented() -> Features {
    let mut features = Features::basic();
    features.efr |= 3 << 38;
    features
}

/// Writes and reads of one register: {offset, value written, value read back}.
type Case = (u64, u64, u64);

/// Control: bits 12:0 and 23 always; 16, 21:18, 48 with GTSup; 17 with GASup, and 59; 37 with USSup; 47:46
/// with HASup; 53:52 with vIommuSup; 58 and 60.
const CONTROL_GENOA: u64 = 0x1c31_c020_00bf_1fff;
const CONTROL_V2: u64 = 0x0001_c020_00bd_1fff;
const CONTROL_BASIC: u64 = 0x0000_0000_0080_1fff;
/// Everything but DevTblSegEn, which is a matter of its own.
const ALL_BUT_SEGMENTS: u64 = !(7 << 34);

const EVERY_PART: &[Case] = &[
    (0x0000, u64::MAX, 0x000f_ffff_ffff_f1ff),
    (0x0008, u64::MAX, 0x0f0f_ffff_ffff_f000),
    (0x0010, u64::MAX, 0x0f0f_ffff_ffff_f000),
    (0x0020, u64::MAX, 0x000f_ffff_ffff_f003),
    (0x0028, u64::MAX, 0x000f_ffff_ffff_ffff),
    (0x0028, 0, 0xfff),
    (0x0040, u64::MAX, u64::MAX),
    (0x0048, u64::MAX, u64::MAX),
    (0x0050, u64::MAX, 0),
    (0x0190, u64::MAX, 0),
    (0x2020, u64::MAX, 0),
    // W20 to W24.
    (0x0000, 0x0000_0001_0000_01ff, 0x0000_0001_0000_01ff),
    (0x0000, 0x0000_0001_0000_0001, 0x0000_0001_0000_0001),
    (0x0008, 0x0800_0001_0400_0000, 0x0800_0001_0400_0000),
    (0x0010, 0x0900_0001_0400_0000, 0x0900_0001_0400_0000),
    (0x0010, 0x0f00_0001_0400_0000, 0x0f00_0001_0400_0000),
];

#[test]
fn a_register_keeps_its_legal_bits_and_no_others() {
    let parts = [
        (Features::genoa(), CONTROL_GENOA),
        (Features::v2(), CONTROL_V2),
        (Features::basic(), CONTROL_BASIC),
    ];
    for (features, control) in parts {
        let own = [
            (0x0018, ALL_BUT_SEGMENTS, control),
            (0x0030, !features.efr, features.efr),
            (0x01a0, !features.efr2, features.efr2),
        ];
        for &(offset, written, read) in EVERY_PART.iter().chain(&own) {
            let mut bench = part(features);
            bench.set(offset, written);
            assert_eq!(bench.get(offset), read, "{offset:04x}");
        }
    }
}

#[test]
fn the_worked_control_values_lose_only_what_this_part_lacks() {
    // W25 and W26, without PPRLogEn, PprIntEn and PPREn.
    for (written, read) in [
        (0x0000_0000_0003_f48d, 0x0000_0000_0003_148d),
        (0x1430_0000_0003_f48d, 0x1430_0000_0003_148d),
    ] {
        let mut bench = genoa();
        bench.set(reg::CONTROL, written);
        assert_eq!(bench.get(reg::CONTROL), read);
    }
}

#[test]
fn registers_start_at_zero_with_rings_of_4_kib() {
    let mut bench = genoa();
    let start = |offset| match offset {
        0x08 | 0x10 => 0x0800_0000_0000_0000,
        0x28 => 0xfff,
        0x30 => Features::genoa().efr,
        0x1a0 => 8,
        _ => 0,
    };
    for offset in (0..0x4000).step_by(8) {
        assert_eq!(bench.get(offset), start(offset), "{offset:04x}");
    }
}

#[test]
fn registers_of_absent_features_read_zero_and_ignore_writes() {
    let absent = [
        0x38, 0x60, 0xd8, 0xe0, 0xe8, 0xf0, 0xf8, 0x100, 0x108, 0x130, 0x138, 0x140, 0x148, 0x150,
        0x158, 0x160, 0x168, 0x170, 0x178, 0x180, 0x188, 0x200, 0x258, 0x1ff8, 0x2028, 0x2030,
        0x2038, 0x2040, 0x2048, 0x2050, 0x2058, 0x2060, 0x2068, 0x2070, 0x2078, 0x2080, 0x2088,
        0x2090, 0x3ff8,
    ];
    let mut bench = genoa();
    for offset in absent {
        bench.set(offset, u64::MAX);
        assert_eq!(bench.get(offset), 0, "{offset:04x}");
    }
    let mut features = Features::basic();
    features.efr &= !(1 << 8);
    let mut bench = part(features);
    for offset in [0x40, 0x48, 0x50] {
        bench.set(offset, u64::MAX);
        assert_eq!(bench.get(offset), 0, "{offset:04x} without HESup");
    }
    let counted: Vec<_> = bench.iommu.counters().registers.keys().collect();
    assert_eq!(counted, [&(Aperture::Mmio, OTHER)]);
}

#[test]
fn segment_registers_exist_for_the_segments_supported() {
    for supported in 0..=3 {
        let mut features = Features::basic();
        features.efr |= supported << 38;
        for segment in 1..8 {
            let offset = 0xf8 + 8 * segment;
            let exists = segment < 1 << supported;
            let mut bench = part(features);
            bench.set(offset, 0x1_2345_603f);
            let expected = if exists { 0x1_2345_603f } else { 0 };
            assert_eq!(bench.get(offset), expected, "{supported} {segment}");
        }
    }
}

#[test]
fn a_segment_holds_no_more_than_its_share() {
    // Segment register, largest Size.
    let table = [
        (1, 0xff),
        (2, 0x7f),
        (3, 0x7f),
        (4, 0x3f),
        (5, 0x3f),
        (6, 0x3f),
        (7, 0x3f),
    ];
    for (segment, size) in table {
        let offset = 0xf8 + 8 * segment;
        let mut bench = part(segmented());
        bench.set(offset, 0x1000 | size);
        assert_eq!(bench.get(offset), 0x1000 | size);
        if size < 0xff {
            bench.set(offset, 0x2000 | (size + 1));
            assert_eq!(bench.get(offset), 0x1000 | size, "too large: ignored");
            assert_eq!(bench.iommu.referee().count_of(Rule::ReservedRegisterBit), 1);
        }
    }
}

#[test]
fn a_control_write_with_too_many_segments_is_ignored() {
    for supported in 0..=3 {
        let mut features = Features::basic();
        features.efr |= supported << 38;
        for wanted in 0..8 {
            let mut bench = part(features);
            bench.set(reg::CONTROL, 1 << 10);
            bench.set(reg::CONTROL, wanted << 34 | 1 << 8);
            let accepted = wanted <= supported;
            let expected = if accepted {
                wanted << 34 | 1 << 8
            } else {
                1 << 10
            };
            assert_eq!(bench.get(reg::CONTROL), expected, "{supported} {wanted}");
            assert_eq!(bench.iommu.referee().count(), u64::from(!accepted));
        }
    }
}

#[test]
fn halves_are_merged() {
    let halves = [
        (0x0000, 0x0001_2345_6000_0011),
        (0x0008, 0x0a01_2345_6000_0000),
        (0x0018, 0x0030_0000_0003_0400),
        (0x0020, 0x0001_2345_6000_0003),
        (0x0040, 0x0123_4567_89ab_cdef),
    ];
    for (offset, value) in halves {
        for order in [[0, 4], [4, 0]] {
            let mut bench = genoa();
            for half in order {
                let part = value >> (8 * half) & 0xffff_ffff;
                bench
                    .iommu
                    .mmio_write(&mut bench.machine, offset + half, 4, part);
            }
            assert_eq!(bench.get(offset), value, "{offset:04x} {order:?}");
            for half in order {
                let read = bench.iommu.mmio_read(&mut bench.machine, offset + half, 4);
                assert_eq!(read, value >> (8 * half) & 0xffff_ffff);
            }
        }
    }
}

#[test]
fn a_half_write_takes_only_32_bits_of_the_value() {
    let mut bench = genoa();
    bench
        .iommu
        .mmio_write(&mut bench.machine, 0x40, 4, u64::MAX);
    assert_eq!(bench.get(0x40), 0xffff_ffff);
}

#[test]
fn other_widths_and_misaligned_accesses_are_ignored_and_reported() {
    let accesses: &[(u64, u8)] = &[
        (0x40, 1),
        (0x40, 2),
        (0x42, 2),
        (0x42, 4),
        (0x44, 8),
        (0x41, 8),
        (0x46, 4),
        (0x40, 0),
        (0x40, 3),
        (0x40, 16),
    ];
    for &(offset, size) in accesses {
        let mut bench = genoa();
        bench.set(0x40, 0x1122_3344_5566_7788);
        bench.set(0x48, 0x99aa_bbcc_ddee_ff00);
        let Bench { iommu, machine, .. } = &mut bench;
        iommu.mmio_write(machine, offset, size, 0);
        assert_eq!(iommu.mmio_read(machine, offset, size), 0);
        assert_eq!(iommu.referee().count_of(Rule::BadAccessWidth), 2);
        assert_eq!(bench.get(0x40), 0x1122_3344_5566_7788, "{offset:x} {size}");
        assert_eq!(bench.get(0x48), 0x99aa_bbcc_ddee_ff00, "{offset:x} {size}");
    }
}

#[test]
fn accesses_are_counted_by_register() {
    let mut bench = genoa();
    let Bench { iommu, machine, .. } = &mut bench;
    iommu.mmio_write(machine, 0x40, 8, 1);
    iommu.mmio_write(machine, 0x44, 4, 1);
    iommu.mmio_read(machine, 0x40, 8);
    for offset in (0x3000..0x5000).step_by(4) {
        iommu.mmio_read(machine, offset, 4);
    }
    iommu.mmio_write(machine, u64::MAX, 1, 0);
    let counts = |offset| iommu.counters().registers[&(Aperture::Mmio, offset)];
    assert_eq!(
        counts(0x40),
        Accesses {
            reads: 1,
            writes: 2
        }
    );
    assert_eq!(
        counts(OTHER),
        Accesses {
            reads: 0x800,
            writes: 1
        }
    );
    assert_eq!(iommu.counters().registers.len(), 2);
}

/// Bits that a register of `genoa` may show. Independent of the crate's own table.
fn visible(offset: u64) -> u64 {
    match offset {
        0x00 => 0x000f_ffff_ffff_f1ff,
        0x08 | 0x10 => 0x0f0f_ffff_ffff_f000,
        0x18 => CONTROL_GENOA,
        0x20 => 0x000f_ffff_ffff_f003,
        0x28 => 0x000f_ffff_ffff_ffff,
        0x30 => Features::genoa().efr,
        0x40 | 0x48 => u64::MAX,
        0x50 => 3,
        0x1a0 => 8,
        0x2000 | 0x2008 | 0x2010 | 0x2018 => 0x7_fff0,
        0x2020 => 0x1f,
        _ => 0,
    }
}

fn offset() -> impl Strategy<Value = u64> {
    let known = vec![
        0x00, 0x08, 0x10, 0x18, 0x18, 0x18, 0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x100, 0x190,
        0x1a0, 0x2000, 0x2008, 0x2010, 0x2018, 0x2020,
    ];
    let near = (
        prop::sample::select(known),
        prop::sample::select(vec![0, 0, 0, 4, 1]),
    );
    prop_oneof![
        9 => near.prop_map(|(register, into)| register + into),
        1 => any::<u64>(),
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        prop::sample::select(vec![0, RUN | LOG, u64::MAX, ALL_BUT_SEGMENTS, 0xff0]),
        (8u64..16, any::<u32>()).prop_map(|(code, base)| code << 56 | u64::from(base) << 12),
        (0u64..0x100).prop_map(|entry| entry * 16),
    ]
}

fn size() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![8, 8, 8, 8, 4, 4, 1, 0, 255])
}

proptest! {
    #![proptest_config(random_cases(128))]

    #[test]
    fn no_sequence_of_writes_makes_a_reserved_bit_visible(
        writes in prop::collection::vec((offset(), size(), value()), 1..60),
        seed in prop::option::of(any::<u64>()),
    ) {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut iommu = Iommu::new(config).unwrap();
        let mut machine = Machine::new();
        for (offset, size, value) in writes {
            iommu.mmio_write(&mut machine, offset, size, value);
            if machine.wake.take().is_some() {
                iommu.run(&mut machine);
            }
        }
        for offset in (0..0x4000).step_by(8) {
            let read = iommu.mmio_read(&mut machine, offset, 8);
            prop_assert_eq!(read & !visible(offset), 0, "{:04x}: {:x}", offset, read);
        }
        for (base, pointers) in [(0x08, [0x2000, 0x2008]), (0x10, [0x2010, 0x2018])] {
            let code = iommu.mmio_read(&mut machine, base, 8) >> 56;
            prop_assert!((8..16).contains(&code));
            for pointer in pointers {
                prop_assert!(iommu.mmio_read(&mut machine, pointer, 8) < 16 << code);
            }
        }
    }
}
