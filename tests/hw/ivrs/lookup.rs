// SPDX-License-Identifier: GPL-2.0

//! What entries mean, alone and one after the other.

use hw::ivrs::{AcpiHid, DeviceInfo, Ivrs, Uid, Variety};

use super::build::{alias, extended, ivhd, ivmd, rich, short, special, table};

/// Looks a device up in a table with one IOMMU.
fn lookup(entries: &[&[u8]], devid: u16) -> Option<DeviceInfo> {
    let table = table(&[ivhd(0x11, 2, entries)]);
    let ivrs = Ivrs::parse(&table).unwrap();
    let info = ivrs.iommus().next().unwrap().lookup(devid);
    info
}

fn info(alias: u16, setting: u8, ats_disabled: bool) -> Option<DeviceInfo> {
    Some(DeviceInfo {
        alias,
        setting,
        ats_disabled,
    })
}

#[test]
fn all_selects_every_device() {
    let entries: [&[u8]; 1] = [&short(0x01, 0x1234, 0x41)];

    for devid in [0, 2, 0x1234, 0xFFFF] {
        assert_eq!(lookup(&entries, devid), info(devid, 0x41, false));
    }
}

#[test]
fn ranges_include_both_ends() {
    for (start, expected_alias, ats) in [
        (short(0x03, 0x100, 3), None, false),
        (alias(0x43, 0x100, 3, 0x90), Some(0x90), false),
        (extended(0x47, 0x100, 3, 1 << 31), None, true),
        (extended(0x47, 0x100, 3, !(1 << 31)), None, false),
    ] {
        let entries: [&[u8]; 2] = [&start, &short(0x04, 0x1FF, 0)];

        for devid in [0x100, 0x180, 0x1FF] {
            let expected = info(expected_alias.unwrap_or(devid), 3, ats);
            assert_eq!(lookup(&entries, devid), expected);
        }
        assert_eq!(lookup(&entries, 0xFF), None);
        assert_eq!(lookup(&entries, 0x200), None);
        let target = expected_alias.map(|alias| info(alias, 3, false));
        assert_eq!(lookup(&entries, 0x90), target.flatten());
    }
}

#[test]
fn a_range_of_one_device_is_a_range() {
    let entries: [&[u8]; 2] = [&short(0x03, 0x100, 0), &short(0x04, 0x100, 0)];

    assert_eq!(lookup(&entries, 0x100), info(0x100, 0, false));
    assert_eq!(lookup(&entries, 0x101), None);
}

#[test]
fn later_entries_override_earlier_ones() {
    let select = short(0x02, 0x100, 0x01);
    let aliased = alias(0x42, 0x100, 0x02, 0x200);
    let no_ats = extended(0x46, 0x100, 0x04, 1 << 31);

    assert_eq!(
        lookup(&[&select, &aliased], 0x100),
        info(0x200, 0x02, false)
    );
    assert_eq!(
        lookup(&[&aliased, &select], 0x100),
        info(0x100, 0x01, false)
    );
    assert_eq!(lookup(&[&select, &no_ats], 0x100), info(0x100, 0x04, true));
    assert_eq!(lookup(&[&no_ats, &select], 0x100), info(0x100, 0x01, false));
}

/// An entry that only mentions a device, as the target of an alias or as a special device, changes
/// its setting but not under which ID it appears.
#[test]
fn a_mention_keeps_the_alias() {
    let aliased = alias(0x42, 0x100, 0x02, 0x200);
    let chained = alias(0x42, 0x80, 0x01, 0x100);
    let io_apic = special(0, 0x100, 0xD7, 1);

    assert_eq!(
        lookup(&[&aliased, &chained], 0x100),
        info(0x200, 0x01, false)
    );
    assert_eq!(
        lookup(&[&aliased, &io_apic], 0x100),
        info(0x200, 0xD7, false)
    );
}

#[test]
fn unknown_entries_are_stepped_over_by_their_length() {
    let select = short(0x02, 0x100, 0);

    for (kind, len) in [(0x00, 4), (0x3F, 4), (0x41, 8), (0x80, 16), (0xC1, 32)] {
        let mut unknown = vec![0x02; len];
        unknown[0] = kind;
        assert_eq!(
            lookup(&[&unknown, &select], 0x100),
            info(0x100, 0, false),
            "{kind:#x}"
        );
        assert_eq!(lookup(&[&unknown, &select], 0x202), None, "{kind:#x}");
    }
}

#[test]
fn special_and_acpi_devices_are_listed() {
    let table = rich();
    let ivrs = Ivrs::parse(&table).unwrap();
    let first = ivrs.iommus().next().unwrap();

    assert_eq!(first.specials().next().unwrap().variety, Variety::IoApic);
    let expected = [
        AcpiHid {
            devid: 0x98,
            hid: *b"AMDI0020",
            uid: Uid::String(b"\\_SB.FUR0"),
        },
        AcpiHid {
            devid: 0x99,
            hid: *b"AMDI0010",
            uid: Uid::Integer(7),
        },
    ];
    assert!(first.acpi_hids().eq(expected));
    assert_eq!(first.max_devid(), 0xFFFF);
    assert_eq!(Variety::from(2), Variety::Hpet);
    assert_eq!(Variety::from(9), Variety::Other(9));
}

#[test]
fn the_last_type_of_the_first_iommu_is_used() {
    let types = |blocks: &[Vec<u8>]| {
        let table = table(blocks);
        let ivrs = Ivrs::parse(&table).unwrap();
        let types: Vec<_> = ivrs
            .iommus()
            .map(|ivhd| (ivhd.block_type, ivhd.devid))
            .collect();
        types
    };
    let block = |kind, devid| ivhd(kind, devid, &[]);

    assert_eq!(types(&[block(0x10, 2)]), [(0x10, 2)]);
    assert_eq!(types(&[block(0x10, 2), block(0x11, 2)]), [(0x11, 2)]);
    assert_eq!(
        types(&[
            block(0x10, 2),
            block(0x10, 3),
            block(0x11, 2),
            block(0x11, 3),
            block(0x40, 3)
        ]),
        [(0x11, 2), (0x11, 3)],
    );
    assert_eq!(types(&[block(0x40, 2), block(0x11, 2)]), [(0x11, 2)]);
}

#[test]
fn type_10_has_no_feature_registers() {
    let table = table(&[ivhd(0x10, 2, &[&short(0x02, 0x100, 0)])]);
    let ivrs = Ivrs::parse(&table).unwrap();
    let ivhd = ivrs.iommus().next().unwrap();

    assert!(ivhd.features.is_none());
    assert_eq!(ivhd.lookup(0x100), info(0x100, 0, false));
    assert_eq!(ivhd.max_devid(), 0x100);
}

#[test]
fn unknown_blocks_are_stepped_over() {
    let mut unknown = vec![0xFF; 20];
    unknown[0] = 0x41;
    super::build::set_len(&mut unknown);
    let table = table(&[unknown.clone(), ivhd(0x11, 2, &[]), unknown]);

    assert_eq!(Ivrs::parse(&table).unwrap().iommus().count(), 1);
}

#[test]
fn memory_concerns_the_devices_it_names() {
    let table = rich();
    let ivrs = Ivrs::parse(&table).unwrap();
    let starts = |devid| {
        ivrs.memory(0, devid)
            .map(|region| region.start)
            .collect::<Vec<_>>()
    };

    assert_eq!(starts(0x108), [0x7F00_0000, 0x7E00_0000]);
    assert_eq!(starts(0x300), [0x7E00_0000, 0x7D00_0000]);
    assert_eq!(starts(0x3FF), [0x7E00_0000, 0x7D00_0000]);
    assert_eq!(starts(0x400), [0x7E00_0000]);
    assert_eq!(ivrs.memory(1, 0x108).count(), 0);
}

#[test]
fn memory_flags_become_permissions() {
    for (flags, expected) in [
        (0b0000, None),
        (0b0110, None),
        (0b0001, Some((false, false))),
        (0b0011, Some((true, false))),
        (0b0101, Some((false, true))),
        (0b0111, Some((true, true))),
        (0b1000, Some((true, true))),
    ] {
        let table = table(&[ivhd(0x11, 2, &[]), ivmd(0x21, flags, 8, 0, 0x1000, 0x1000)]);
        let region = Ivrs::parse(&table).unwrap().memory(0, 8).next();
        assert_eq!(
            region.map(|region| (region.read, region.write)),
            expected,
            "{flags:#b}"
        );
    }
}

/// Real firmware names regions that begin or end within a page. More memory is reached, never less.
#[test]
fn memory_is_widened_to_whole_pages() {
    let last = (1 << 52) - 1;

    for (start, len, expected) in [
        (0x1000, 0x1000, (0x1000, 0x1FFF)),
        (0x1000, 1, (0x1000, 0x1FFF)),
        (0x1FFF, 1, (0x1000, 0x1FFF)),
        (0x1FFF, 2, (0x1000, 0x2FFF)),
        (0x1800, 0x1000, (0x1000, 0x2FFF)),
        (0x1000, 0x1001, (0x1000, 0x2FFF)),
        (0x1001, 0x0FFF, (0x1000, 0x1FFF)),
        (0, 1, (0, 0xFFF)),
        (last, 1, (last - 0xFFF, last)),
        (1, last, (0, last)),
    ] {
        let table = table(&[ivhd(0x11, 2, &[]), ivmd(0x21, 7, 8, 0, start, len)]);
        let region = Ivrs::parse(&table).unwrap().memory(0, 8).next().unwrap();
        assert_eq!(
            (region.start, region.end),
            expected,
            "{start:#x} + {len:#x}"
        );
    }
}

/// A copy that was checked once need not be checked again.
#[test]
fn a_trusted_table_gives_the_same_answers() {
    let mut longer = rich();
    longer.extend([0x11; 100]);

    for table in [rich(), longer] {
        let parsed = Ivrs::parse(&table).unwrap();
        let trusted = Ivrs::trusted(&table);

        assert_eq!(trusted.info().0, parsed.info().0);
        assert_eq!(trusted.iommus().count(), 2);
        for (a, b) in trusted.iommus().zip(parsed.iommus()) {
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
            assert_eq!(a.max_devid(), b.max_devid());
            assert!(a.specials().eq(b.specials()) && a.acpi_hids().eq(b.acpi_hids()));
            assert!((0..=u16::MAX).all(|devid| a.lookup(devid) == b.lookup(devid)));
        }
        for (segment, devid) in [(0, 0), (0, 0x108), (0, 0x300), (0, 0xFFFF), (1, 0x108)] {
            assert!(trusted
                .memory(segment, devid)
                .eq(parsed.memory(segment, devid)));
        }
    }
}

/// Stock QEMU describes its IOMMU in types 10h and 11h, with ranges.
#[test]
fn a_table_like_that_of_stock_qemu_is_accepted() {
    let entries: [&[u8]; 4] = [
        &short(0x02, 0x08, 0),
        &short(0x03, 0x100, 0),
        &short(0x04, 0x1FF, 0),
        &special(0, 0xA0, 0xD7, 1),
    ];
    let table = table(&[ivhd(0x10, 0x10, &entries), ivhd(0x11, 0x10, &entries)]);
    let ivrs = Ivrs::parse(&table).unwrap();
    let iommus: Vec<_> = ivrs.iommus().collect();

    assert_eq!(iommus.len(), 1);
    assert_eq!(iommus[0].max_devid(), 0x1FF);
    assert!(iommus[0].lookup(0x108).is_some());
}
