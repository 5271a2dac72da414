// SPDX-License-Identifier: GPL-2.0

//! The capabilities of the IOMMU function (hardware.md 1.2, 1.3).

use amd_iommu_model::config::Features;
use amd_iommu_model::{pci, Config};

/// Bits of one word of a capability, by hand.
fn bits(word: u32, high: u32, low: u32) -> u32 {
    (word >> low) & (u32::MAX >> (31 - (high - low)))
}

#[test]
fn the_capability_block_is_that_of_an_iommu() {
    let words = pci::capability(&Config::new(Features::genoa()), 0xfe_fed8_0000);
    assert_eq!(bits(words[0], 7, 0), 0x0f, "CapID");
    assert_eq!(bits(words[0], 15, 8), 0, "next");
    assert_eq!(bits(words[0], 18, 16), 3, "CapType");
    assert_eq!(bits(words[0], 23, 19), 1, "CapRev");
    assert_eq!(bits(words[0], 25, 25), 0, "HtTunnel");
    assert_eq!(bits(words[0], 28, 27), 3, "EFRSup, CapExt");
    assert_eq!(bits(words[0], 31, 29), 0);
    assert_eq!(words[1], 0xfed8_0001, "base low, enabled");
    assert_eq!(words[2], 0xfe, "base high");
    assert_eq!(words[3], 0, "no range of devices");
    assert_eq!(bits(words[4], 4, 0), 0, "MsiNum");
    assert_eq!(bits(words[4], 7, 5), 2, "GVAsize 48 bits");
    assert_eq!(bits(words[4], 14, 8), 52, "PAsize");
    assert_eq!(bits(words[4], 21, 15), 64, "VAsize");
    assert_eq!(bits(words[4], 31, 22), 0, "HtAtsResv, MsiNumPPR");
    assert_eq!(words[5], 0);
}

#[test]
fn features_outside_efr_show_in_the_capability() {
    for (np_cache, iotlb) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut features = Features::basic();
        features.np_cache = np_cache;
        features.iotlb = iotlb;
        let [header, ..] = pci::capability(&Config::new(features), 0);
        assert_eq!(bits(header, 24, 24), u32::from(iotlb), "IotlbSup");
        assert_eq!(bits(header, 26, 26), u32::from(np_cache), "NpCache");
    }
}

#[test]
fn the_window_is_aligned_to_its_16_kib() {
    let config = Config::new(Features::basic());
    for (base, low) in [(0xfed8_0000, 0xfed8_0001), (0xfed8_7fff, 0xfed8_4001)] {
        assert_eq!(pci::capability(&config, base)[1], low);
    }
}

#[test]
fn the_apertures_are_in_the_vendor_specific_capability() {
    // W142 and W143.
    let mut config = Config::new(Features::genoa());
    config.vf_bar = Some(0xfd_f000_0000);
    config.vf_control_bar = Some(0xfe_fc40_0000);
    let words = pci::vendor_specific(&config).unwrap();
    assert_eq!(bits(words[0], 7, 0), 0x09, "CapID");
    assert_eq!(bits(words[0], 15, 8), 0, "next");
    assert_eq!(bits(words[0], 23, 16), 0x18, "CapLen");
    assert_eq!(words[2..], [0xf000_0001, 0xfd, 0xfc40_0001, 0xfe]);
}

#[test]
fn an_aperture_that_firmware_did_not_place_is_disabled() {
    let mut config = Config::new(Features::genoa());
    assert_eq!(pci::vendor_specific(&config).unwrap()[2..], [0; 4]);
    config.vf_bar = Some(0xfd_f000_0000);
    assert_eq!(
        pci::vendor_specific(&config).unwrap()[2..],
        [0xf000_0001, 0xfd, 0, 0]
    );
}

#[test]
fn apertures_keep_to_their_field_widths() {
    let mut config = Config::new(Features::genoa());
    config.vf_bar = Some(0xfd_ffff_ffff);
    config.vf_control_bar = Some(0xfe_ffff_ffff);
    let words = pci::vendor_specific(&config).unwrap();
    assert_eq!(words[2..], [0xf000_0001, 0xfd, 0xffc0_0001, 0xfe]);
}

#[test]
fn a_part_without_viommu_has_no_vendor_specific_capability() {
    for features in [Features::basic(), Features::v2()] {
        let mut config = Config::new(features);
        config.vf_bar = Some(0xfd_f000_0000);
        assert_eq!(pci::vendor_specific(&config), None);
    }
}
