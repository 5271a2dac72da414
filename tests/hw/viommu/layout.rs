// SPDX-License-Identifier: GPL-2.0

//! Where things of guests are, and which IDs they get.

use hw::viommu::vsc::{self, Apertures};
use hw::viommu::{ids, private};

/// Capability 09h of 18h bytes with the values of W142 and W143.
const VSC: [u32; 6] = [
    0x0018_0009,
    0,
    0xF000_0001,
    0x0000_00FD,
    0xFC40_0001,
    0x0000_00FE,
];

fn vsc_with(word: usize, value: u32) -> Option<Apertures> {
    let mut dwords = VSC;
    dwords[word] = value;
    Apertures::decode(dwords)
}

#[test]
fn w142_w143_apertures() {
    let apertures = Apertures::decode(VSC).unwrap();

    assert_eq!(apertures.vf(), 0xFD_F000_0000);
    assert_eq!(apertures.vf_cntl(), 0xFE_FC40_0000);
    assert_eq!((vsc::VF_LEN, vsc::VF_CNTL_LEN), (0x1000_0000, 0x40_0000));
}

#[test]
fn w144_to_w146_a_guest_in_the_apertures() {
    let apertures = Apertures::decode(VSC).unwrap();

    for (gid, page, block) in [
        (0x0001, 0xFD_F000_1000, 0xFE_FC40_0040),
        (0x7FFF, 0xFD_F7FF_F000, 0xFE_FC5F_FFC0),
        (0xFFFF, 0xFD_FFFF_F000, 0xFE_FC7F_FFC0),
    ] {
        assert_eq!(apertures.vf_page(gid), page);
        assert_eq!(apertures.vf_cntl() + Apertures::control_offset(gid), block);
    }
}

#[test]
fn an_aperture_that_firmware_did_not_place_is_none() {
    for word in [2, 4] {
        assert_eq!(vsc_with(word, VSC[word] & !1), None);
    }
    assert_eq!(Apertures::decode([VSC[0], 0, 1, 0, VSC[4], VSC[5]]), None);
    // One inside the other.
    let inside = |low: u32| Apertures::decode([VSC[0], 0, 0xC000_0001, 1, low | 1, 1]);
    assert_eq!(inside(0xC000_0000), None);
    assert_eq!(inside(0xCFC0_0000), None);
    assert!(inside(0xD000_0000).is_some());
    assert!(inside(0xBFC0_0000).is_some());
    assert_eq!(Apertures::decode([VSC[0], 0, VSC[2], VSC[3], 1, 0]), None);
}

#[test]
fn another_or_a_shorter_capability_is_none() {
    for header in [0x0018_000F, 0x0017_0009, 0x0000_0009, 0, 0x0018_0000] {
        assert_eq!(vsc_with(0, header), None, "{header:#x}");
    }
    assert!(vsc_with(0, 0x0018_5409).is_some());
    assert!(vsc_with(0, 0xFF1C_0009).is_some());
}

#[test]
fn bits_below_the_alignment_are_no_address() {
    let vf = vsc_with(2, 0xFFFF_FFFF).unwrap();
    let cntl = vsc_with(4, 0xFC7F_FFFF).unwrap();

    assert_eq!(vf.vf(), 0xFD_F000_0000);
    assert_eq!(cntl.vf_cntl(), 0xFE_FC40_0000);
}

#[test]
fn w148_w149_maps_in_the_private_address_space() {
    for (gid, device_map, domain_map) in [
        (0x0001, 0x10_0010_0000, 0x20_0008_0000),
        (0x7FFF, 0x17_FFF0_0000, 0x23_FFF8_0000),
        (0xFFFF, 0x1F_FFF0_0000, 0x27_FFF8_0000),
    ] {
        assert_eq!(private::device_map(gid), device_map);
        assert_eq!(private::domain_map(gid), domain_map);
    }
}

/// Hardware reference 5.2: the state of guests is in the first 8 MiB, 39 bits reach all.
#[test]
fn regions_do_not_overlap() {
    let reach = 1u64 << private::BITS;
    let last = private::domain_map(u16::MAX) + private::DOMAIN_MAP_LEN;

    assert_eq!((private::STATE, private::STATE_LEN), (0, 0x80_0000));
    assert!(private::STATE + private::STATE_LEN <= private::device_map(0));
    assert_eq!(
        private::device_map(u16::MAX) + private::DEVICE_MAP_LEN,
        private::domain_map(0)
    );
    assert!(last <= reach);
}

/// W155 to W157: the page with the entry.
#[test]
fn w155_to_w157_the_page_of_an_entry() {
    let device = |gid, id| private::device_map(gid) + private::device_page(id);
    let domain = |gid, id| private::domain_map(gid) + private::domain_page(id);

    assert_eq!(device(1, 0x0108), 0x10_0010_1080 & !0xFFF);
    assert_eq!(device(0xFFFF, 0xFFFF), 0x1F_FFFF_FFF0 & !0xFFF);
    assert_eq!(domain(0x7FFF, 5), 0x23_FFF8_0028 & !0xFFF);
    assert_eq!(domain(1, 0x0200), 0x20_0008_1000);
    assert_eq!(domain(1, 0x01FF), 0x20_0008_0000);
    assert_eq!(device(1, 0x00FF), 0x10_0010_0000);
}

#[test]
fn guest_ids_start_at_1_and_leave_bit_15_alone() {
    assert_eq!(ids::guest(|_| false), Some(1));
    assert_eq!(ids::guest(|gid| gid < 7), Some(7));
    assert_eq!(ids::guest(|gid| gid < 0x7FFF), Some(0x7FFF));
    assert_eq!(ids::guest(|gid| gid < 0x8000), None);
    assert_eq!(ids::GUESTS.len(), 0x7FFF);
}

#[test]
fn translate_ids_come_from_above_and_are_never_0_or_the_iommu() {
    assert_eq!(ids::translate(0x0002, |_| false), Some(0xFFFF));
    assert_eq!(ids::translate(0xFFFF, |_| false), Some(0xFFFE));
    assert_eq!(ids::translate(2, |id| id > 0x1234), Some(0x1234));
    assert_eq!(ids::translate(2, |id| id > 2), Some(1));
    assert_eq!(ids::translate(2, |id| id != 2 && id != 0), None);
    assert_eq!(ids::translate(2, |_| true), None);
}
