// SPDX-License-Identifier: GPL-2.0

//! The IOMMU capability block in PCI configuration space (hardware reference 1.2).

bitfield! {
    /// First dword of the block.
    pub struct Header(u32) {
        /// CapID, 0Fh.
        7:0 id: u8;
        /// CapType, 3 for an IOMMU.
        18:16 kind: u8;
        /// CapRev.
        23:19 rev: u8;
        /// IotlbSup: devices may cache translations (ATS).
        24:24 iotlb_sup: bool;
        /// HtTunnel.
        25:25 ht_tunnel: bool;
        /// NpCache: entries that are not present are cached too.
        26:26 np_cache: bool;
        /// EFRSup: the register at MMIO 0030h exists.
        27:27 efr_sup: bool;
        /// CapExt: the dword at +14h exists.
        28:28 cap_ext: bool;
    }
}

bitfield! {
    /// Dword at +10h: interrupt number and address widths.
    pub struct Misc(u32) {
        /// MsiNum: MSI message of event log and completion waits.
        4:0 msi_num: u8;
        /// GVAsize: width of guest virtual addresses, 2 for 48 bits.
        7:5 gva_size: u8;
        /// PAsize: width of physical addresses.
        14:8 pa_size: u8;
        /// VAsize: width of virtual addresses.
        21:15 va_size: u8;
    }
}

/// The PCI capability ID of the block.
pub const ID: u8 = 0x0F;

/// A decoded capability block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What the IOMMU can do.
    pub header: Header,
    /// Interrupt number and address widths.
    pub misc: Misc,
    base: u64,
}

impl Capability {
    /// Dwords that [`Capability::decode`] wants, from the start of the block.
    pub const DWORDS: usize = 5;

    /// The only type there is.
    const TYPE: u8 = 3;

    /// Bit 0 of the base address: the window is decoded.
    const ENABLE: u64 = 1;

    /// The window is aligned to its 16 KiB at least.
    const BASE: u64 = !0x3FFF;

    /// Decodes the dwords at +00h to +10h; `None` if the block is not that of an IOMMU.
    pub fn decode(dwords: [u32; Self::DWORDS]) -> Option<Self> {
        let [header, base_low, base_high, _range, misc] = dwords;
        let header = Header(header);

        (header.id() == ID && header.kind() == Self::TYPE).then_some(Self {
            header,
            misc: Misc(misc),
            base: (u64::from(base_high) << 32) | u64::from(base_low),
        })
    }

    /// The physical address of the register window, or `None` if firmware has not placed it.
    pub fn mmio_base(&self) -> Option<u64> {
        let base = self.base & Self::BASE;

        (self.base & Self::ENABLE != 0 && base != 0).then_some(base)
    }
}
