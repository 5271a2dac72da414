// SPDX-License-Identifier: GPL-2.0

//! The small table of the hardware reference 10.16, and what it means.

use hw::ivrs::{DeviceInfo, Ivrs, Region, Special, Variety};

/// W167 to W176.
const TABLE: [u8; 148] = [
    0x49, 0x56, 0x52, 0x53, 0x94, 0x00, 0x00, 0x00, 0x01, 0x85, 0x4F, 0x45, 0x4D, 0x49, 0x44, 0x20,
    0x4F, 0x45, 0x4D, 0x54, 0x41, 0x42, 0x4C, 0x45, 0x01, 0x00, 0x00, 0x00, 0x43, 0x52, 0x49, 0x44,
    0x01, 0x00, 0x00, 0x00, 0x41, 0x30, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x11, 0x20, 0x44, 0x00, 0x02, 0x00, 0x40, 0x00, 0x00, 0x00, 0xD8, 0xFE, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x96, 0x50, 0x00, 0x00, 0x0F, 0x00, 0x85, 0x00,
    0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x01, 0x00, 0x03, 0x00, 0x03, 0x00,
    0x04, 0xFF, 0x03, 0x00, 0x42, 0x00, 0x04, 0x00, 0x00, 0x00, 0x05, 0x00, 0x48, 0x00, 0x00, 0xD7,
    0x05, 0xA0, 0x00, 0x01, 0x21, 0x07, 0x20, 0x00, 0x08, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x7F, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00,
    0x00, 0x00, 0x00, 0x00,
];

fn parse() -> Ivrs<'static> {
    Ivrs::parse(&TABLE).unwrap()
}

#[test]
fn w168_ivinfo() {
    let info = parse().info();

    assert!(info.efr_sup());
    assert_eq!(
        (info.gva_size(), info.pa_size(), info.va_size()),
        (2, 48, 64)
    );
}

#[test]
fn w169_w170_ivhd() {
    let iommus: Vec<_> = parse().iommus().collect();
    let [ivhd] = iommus.as_slice() else {
        panic!("one IOMMU")
    };

    assert_eq!(ivhd.block_type, 0x11);
    assert!(ivhd.flags.coherent() && !ivhd.flags.iotlb());
    assert!(!ivhd.flags.ht_tun() && !ivhd.flags.pass_pw());
    assert_eq!((ivhd.segment, ivhd.devid), (0, 2));
    assert_eq!((ivhd.cap_offset, ivhd.mmio_base), (0x40, 0xFED8_0000));
    assert!(!ivhd.attributes.hat_dis());

    let (efr, efr2) = ivhd.features.unwrap();
    assert_eq!((efr.0, efr2.0), (0x0085_000F_0000_5096, 8));
    assert!(efr.v_iommu_sup() && efr2.gcr3_trp_mode());
}

#[test]
fn w171_to_w174_devices() {
    let ivhd = parse().iommus().next().unwrap();
    let own = |devid| {
        Some(DeviceInfo {
            alias: devid,
            setting: 0,
            ats_disabled: false,
        })
    };

    assert_eq!(ivhd.lookup(0x108), own(0x108));
    for devid in [0x300, 0x345, 0x3FF] {
        assert_eq!(ivhd.lookup(devid), own(devid));
    }
    assert_eq!(ivhd.lookup(0x400).unwrap().alias, 0x500);
    assert_eq!(ivhd.lookup(0x500), own(0x500), "requests appear under it");
    for devid in [0, 2, 0x107, 0x109, 0x2FF, 0x401, 0x4FF, 0x501, 0xFFFF] {
        assert_eq!(ivhd.lookup(devid), None, "{devid:#x}");
    }
    assert_eq!(ivhd.max_devid(), 0x500);
}

#[test]
fn w175_special() {
    let ivhd = parse().iommus().next().unwrap();
    let specials: Vec<_> = ivhd.specials().collect();

    let expected = Special {
        variety: Variety::IoApic,
        handle: 5,
        devid: 0xA0,
    };
    assert_eq!(specials, [expected]);
    assert_eq!(ivhd.lookup(0xA0).unwrap().setting, 0xD7);
    assert_eq!(ivhd.acpi_hids().count(), 0);
}

#[test]
fn w176_memory() {
    let regions: Vec<_> = parse().memory(0, 0x108).collect();

    let expected = Region {
        start: 0x7F00_0000,
        end: 0x7F0F_FFFF,
        read: true,
        write: true,
    };
    assert_eq!(regions, [expected]);
    assert_eq!(parse().memory(0, 0x109).count(), 0);
    assert_eq!(parse().memory(1, 0x108).count(), 0, "another segment");
}

#[test]
fn the_buffer_may_be_longer_than_the_table() {
    let mut longer = TABLE.to_vec();
    longer.extend([0xFF; 100]);

    assert_eq!(Ivrs::parse(&longer).unwrap().iommus().count(), 1);
}
