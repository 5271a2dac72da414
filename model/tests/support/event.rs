// SPDX-License-Identifier: GPL-2.0

//! Events as software reads them (hardware.md 3.5).

/// The four words of a logged event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Logged(pub [u32; 4]);

/// ILLEGAL_DEV_TABLE_ENTRY.
pub const ILLEGAL_ENTRY: u8 = 1;
/// IO_PAGE_FAULT.
pub const PAGE_FAULT: u8 = 2;
/// PAGE_TAB_HARDWARE_ERROR.
pub const TABLE_ERROR: u8 = 4;
/// ILLEGAL_COMMAND_ERROR.
pub const ILLEGAL_COMMAND: u8 = 5;
/// COMMAND_HARDWARE_ERROR.
pub const COMMAND_ERROR: u8 = 6;
/// GUEST_EVENT_FAULT.
pub const GUEST_EVENT_FAULT: u8 = 0xb;
/// VIOMMU_HARDWARE_ERROR.
pub const VIOMMU_ERROR: u8 = 0xc;

impl Logged {
    fn flag(&self, bit: u32) -> bool {
        self.0[1] >> bit & 1 != 0
    }

    /// Event code.
    pub fn code(&self) -> u8 {
        (self.0[1] >> 28) as u8
    }

    /// Requester ID; the guest ID of code Ch.
    pub fn device(&self) -> u16 {
        self.0[0] as u16
    }

    /// PASID of codes 1, 2, 4 and 8, if GN is set.
    pub fn pasid(&self) -> Option<u32> {
        self.gn()
            .then_some(self.0[0] & 0xf_0000 | self.0[1] & 0xffff)
    }

    /// DomainID of codes 2 and 4 without GN.
    pub fn domain(&self) -> u16 {
        self.0[1] as u16
    }

    /// vNR, reserved, vEvent, vPpr, vCmd: dw0[31:27].
    pub fn vflags(&self) -> u8 {
        (self.0[0] >> 27) as u8
    }

    /// GN.
    pub fn gn(&self) -> bool {
        self.flag(16)
    }

    /// US.
    pub fn us(&self) -> bool {
        self.flag(18)
    }

    /// I.
    pub fn interrupt(&self) -> bool {
        self.flag(19)
    }

    /// PR.
    pub fn present(&self) -> bool {
        self.flag(20)
    }

    /// RW: the request writes.
    pub fn write(&self) -> bool {
        self.flag(21)
    }

    /// PE.
    pub fn permission(&self) -> bool {
        self.flag(22)
    }

    /// RZ.
    pub fn reserved(&self) -> bool {
        self.flag(23)
    }

    /// TR.
    pub fn translation(&self) -> bool {
        self.flag(24)
    }

    /// Type of the hardware errors.
    pub fn kind(&self) -> u8 {
        (self.0[1] >> 25 & 3) as u8
    }

    /// dw3:dw2.
    pub fn address(&self) -> u64 {
        u64::from(self.0[2]) | u64::from(self.0[3]) << 32
    }
}

impl std::fmt::Debug for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a:08x} {b:08x} {c:08x} {d:08x}")
    }
}
