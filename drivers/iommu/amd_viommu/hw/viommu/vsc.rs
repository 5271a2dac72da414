// SPDX-License-Identifier: GPL-2.0

//! The vendor-specific capability that places the apertures of guests (hardware reference 1.3).

bitfield! {
    /// First dword of a vendor-specific capability.
    struct Header(u32) {
        /// CapID, 09h.
        7:0 id: u8;
        /// CapLen: bytes of the capability.
        23:16 len: u8;
    }
}

bitfield! {
    /// VF_BAR, +08h: the pages that guests map.
    struct VfBar(u64) {
        /// Firmware has placed the aperture.
        0:0 enable: bool;
        /// Address bits 63:28.
        63:28 base: u64;
    }
}

bitfield! {
    /// VF_CNTL_BAR, +10h: the registers that the host has for each guest.
    struct VfCntlBar(u64) {
        /// Firmware has placed the aperture.
        0:0 enable: bool;
        /// Address bits 63:22.
        63:22 base: u64;
    }
}

/// The PCI capability ID.
pub const ID: u8 = 0x09;

/// Bytes of the aperture of VF pages.
pub const VF_LEN: u64 = 256 << 20;

/// Bytes of the aperture of host registers.
pub const VF_CNTL_LEN: u64 = 4 << 20;

/// Bytes that a guest has in the aperture of VF pages.
pub const VF_PAGE: u64 = 0x1000;

/// Bytes that a guest has in the aperture of host registers.
pub const VF_CNTL_BLOCK: u64 = 0x40;

/// Where the apertures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apertures {
    vf: u64,
    vf_cntl: u64,
}

impl Apertures {
    /// Dwords that [`Apertures::decode`] wants, from the start of the capability.
    pub const DWORDS: usize = 6;

    /// The length that holds both addresses.
    const MIN_BYTES: u8 = 4 * Self::DWORDS as u8;

    /// Decodes the dwords at +00h to +14h.
    ///
    /// Returns `None` if they are no vendor-specific capability that is long enough, or if firmware
    /// has not placed both apertures, apart from each other.
    pub fn decode(dwords: [u32; Self::DWORDS]) -> Option<Self> {
        let [header, _info, vf_low, vf_high, cntl_low, cntl_high] = dwords;
        let header = Header(header);
        let vf = VfBar(join(vf_low, vf_high));
        let vf_cntl = VfCntlBar(join(cntl_low, cntl_high));

        let ours = header.id() == ID && header.len() >= Self::MIN_BYTES;
        let placed = vf.enable() && vf.base() != 0 && vf_cntl.enable() && vf_cntl.base() != 0;
        let (vf, vf_cntl) = (vf.base() << 28, vf_cntl.base() << 22);
        // A guest would get the host's registers as its page.
        let apart = vf_cntl
            .checked_sub(vf)
            .is_none_or(|offset| offset >= VF_LEN);
        (ours && placed && apart).then_some(Self { vf, vf_cntl })
    }

    /// The physical address of the aperture of VF pages, [`VF_LEN`] bytes.
    pub fn vf(self) -> u64 {
        self.vf
    }

    /// The physical address of the aperture of host registers, [`VF_CNTL_LEN`] bytes.
    pub fn vf_cntl(self) -> u64 {
        self.vf_cntl
    }

    /// The physical address of a guest's VF page.
    pub fn vf_page(self, gid: u16) -> u64 {
        self.vf + u64::from(gid) * VF_PAGE
    }

    /// Where the registers of a guest start in the aperture of host registers.
    pub fn control_offset(gid: u16) -> u64 {
        u64::from(gid) * VF_CNTL_BLOCK
    }
}

/// Puts a 64-bit value together.
fn join(low: u32, high: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}
