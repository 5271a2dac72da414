// SPDX-License-Identifier: GPL-2.0

//! The map of the IOMMU's private address space (hardware reference 5.2 and 5.3).
//!
//! The hardware reaches it through the host table of the device table entry with the IOMMU's own
//! requester ID. Addresses here are addresses in that space.

/// The first region: the state of all guests and the dirty status of their command buffers. It is
/// one per IOMMU, and what its upper part is for is OQ-12.
pub const STATE: u64 = 0;

/// Bytes of the first region.
pub const STATE_LEN: u64 = 8 << 20;

/// Bytes of a guest's device map: 65,536 entries of 16 bytes.
pub const DEVICE_MAP_LEN: u64 = 1 << 20;

/// Bytes of a guest's domain map: 65,536 entries of 8 bytes.
pub const DOMAIN_MAP_LEN: u64 = 512 << 10;

/// Width of the addresses that reach every region.
pub const BITS: u8 = 39;

const DEVICE_MAPS: u64 = 0x10_0000_0000;
const DOMAIN_MAPS: u64 = 0x20_0000_0000;

/// The page size of the maps' finest parts.
const PAGE: u64 = 0x1000;

/// Bytes of an entry of the device map.
const DEVICE_ENTRY: u64 = 16;

/// Bytes of an entry of the domain map.
const DOMAIN_ENTRY: u64 = 8;

/// The address of a guest's device map.
pub fn device_map(gid: u16) -> u64 {
    DEVICE_MAPS + u64::from(gid) * DEVICE_MAP_LEN
}

/// The address of a guest's domain map.
pub fn domain_map(gid: u16) -> u64 {
    DOMAIN_MAPS + u64::from(gid) * DOMAIN_MAP_LEN
}

/// The offset, in a guest's device map, of the page that holds the entry of a device.
pub fn device_page(g_device_id: u16) -> u64 {
    page(u64::from(g_device_id) * DEVICE_ENTRY)
}

/// The offset, in a guest's domain map, of the page that holds the entry of a domain.
pub fn domain_page(g_domain_id: u16) -> u64 {
    page(u64::from(g_domain_id) * DOMAIN_ENTRY)
}

/// The page that holds the byte at `offset`.
fn page(offset: u64) -> u64 {
    offset & !(PAGE - 1)
}
