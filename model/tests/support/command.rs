// SPDX-License-Identifier: GPL-2.0

//! Commands (hardware.md 3.4).

/// COMPLETION_WAIT: `store` is address and value.
pub fn completion_wait(store: Option<(u64, u64)>, interrupt: bool) -> [u32; 4] {
    let (address, data) = store.unwrap_or((0, 0));
    [
        address as u32 & !7 | u32::from(store.is_some()) | u32::from(interrupt) << 1,
        0x1000_0000 | (address >> 32) as u32,
        data as u32,
        (data >> 32) as u32,
    ]
}

/// INVALIDATE_DEVTAB_ENTRY.
pub fn invalidate_entry(device: u16) -> [u32; 4] {
    [u32::from(device), 0x2000_0000, 0, 0]
}

/// INVALIDATE_IOMMU_PAGES with the smallest range that covers `first` to `last`.
pub fn invalidate_pages(
    domain: u16,
    pasid: Option<u32>,
    first: u64,
    last: u64,
    directories: bool,
) -> [u32; 4] {
    let range = encode_range(first, last);
    [
        pasid.unwrap_or(0),
        0x3000_0000 | u32::from(domain),
        range as u32 | u32::from(directories) << 1 | u32::from(pasid.is_some()) << 2,
        (range >> 32) as u32,
    ]
}

/// INVALIDATE_IOMMU_PAGES for everything of a domain, or of {domain, PASID}.
pub fn invalidate_domain(domain: u16, pasid: Option<u32>) -> [u32; 4] {
    invalidate_pages(domain, pasid, 0, u64::MAX, true)
}

/// INVALIDATE_IOTLB_PAGES with the smallest range that covers `first` to `last`.
pub fn invalidate_iotlb(device: u16, pasid: Option<u32>, first: u64, last: u64) -> [u32; 4] {
    let range = encode_range(first, last);
    let number = pasid.unwrap_or(0);
    [
        u32::from(device) | ((number >> 8) & 0xff) << 16,
        0x4000_0000 | u32::from(device) | (number & 0xff) << 16 | (number >> 16) << 24,
        range as u32 | u32::from(pasid.is_some()) << 2,
        (range >> 32) as u32,
    ]
}

/// INVALIDATE_INTERRUPT_TABLE.
pub fn invalidate_interrupts(device: u16) -> [u32; 4] {
    [u32::from(device), 0x5000_0000, 0, 0]
}

/// INVALIDATE_IOMMU_ALL.
pub fn invalidate_all() -> [u32; 4] {
    [0, 0x8000_0000, 0, 0]
}

/// INSERT_GUEST_EVENT.
pub fn insert_guest_event(gid: u16) -> [u32; 4] {
    [0, 0x9000_0000 | u32::from(gid), 0, 0]
}

/// RESET_VMMIO with All (bit 28) and vCmd.
pub fn reset_vmmio(gid: u16) -> [u32; 4] {
    [0x9000_0000 | u32::from(gid), 0xa000_0000, 0, 0]
}

/// Address field and S (bit 0) of the smallest naturally aligned range around two addresses.
pub fn encode_range(first: u64, last: u64) -> u64 {
    let bits = 64 - (first ^ last).leading_zeros();
    match bits {
        0..=12 => first & !0xfff,
        13..=52 => {
            let ones = ((1u64 << (bits - 1)) - 1) & !0xfff;
            first & !((1u64 << bits) - 1) | ones | 1
        }
        _ => 0x7fff_ffff_ffff_f001,
    }
}
