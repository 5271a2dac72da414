// SPDX-License-Identifier: GPL-2.0

//! What the IOMMU function shows in its PCI configuration space (hardware.md 1.2, 1.3). The model
//! only gives the values; configuration space itself belongs to the machine.

use crate::bits::{mask, with_field};
use crate::config::Config;

/// ID of the IOMMU capability.
const CAPABILITY_ID: u64 = 0x0f;
/// ID of a vendor-specific capability.
const VENDOR_ID: u64 = 0x09;
/// Bytes of the vendor-specific capability.
const VENDOR_BYTES: u64 = 0x18;
/// GVAsize: 48 bits, the only value with a known meaning.
const GUEST_VIRTUAL_48: u64 = 2;
/// PAsize: what base fields and page-table entries can hold.
const PHYSICAL_BITS: u64 = 52;
/// VAsize: the reach of a table of six levels.
const VIRTUAL_BITS: u64 = 64;

/// The capability block (ID 0Fh) as six little-endian words; the next pointer is left 0.
///
/// The MMIO window is enabled and locked, as firmware leaves it. No range of devices is claimed
/// (RngValid = 0), and every interrupt is message 0.
pub fn capability(config: &Config, mmio_base: u64) -> [u32; 6] {
    let flags = [
        (config.features.iotlb, 24),
        (config.features.np_cache, 26),
        // EFRSup and CapExt.
        (true, 27),
        (true, 28),
    ];
    let header = with_field(with_field(CAPABILITY_ID, 18, 16, 3), 23, 19, 1);
    let header = flags.iter().fold(header, |value, &(on, bit)| {
        with_field(value, bit, bit, on.into())
    });
    let sizes = with_field(0, 7, 5, GUEST_VIRTUAL_48);
    let sizes = with_field(sizes, 14, 8, PHYSICAL_BITS);
    let sizes = with_field(sizes, 21, 15, VIRTUAL_BITS);
    let [low, high] = base_words(mmio_base, 14);
    [header as u32, low, high, 0, sizes as u32, 0]
}

/// The vendor-specific capability (ID 09h) that holds the apertures of HW-vIOMMU, if the part
/// has it; the next pointer is left 0.
///
/// An aperture that firmware did not place has its enable bit clear. VSC_ID and VSC_Rev, for
/// which no source gives a value, are 0.
pub fn vendor_specific(config: &Config) -> Option<[u32; 6]> {
    if !config.features.viommu() {
        return None;
    }
    let header = with_field(VENDOR_ID, 23, 16, VENDOR_BYTES);
    let aperture = |base: Option<u64>, low| base.map_or([0, 0], |base| base_words(base, low));
    let [vf_low, vf_high] = aperture(config.vf_bar, 28);
    let [control_low, control_high] = aperture(config.vf_control_bar, 22);
    Some([header as u32, 0, vf_low, vf_high, control_low, control_high])
}

/// A base address as two words, with the enable bit set; `low` is its lowest bit.
fn base_words(base: u64, low: u32) -> [u32; 2] {
    let value = base & mask(63, low) | 1;
    [value as u32, (value >> 32) as u32]
}
