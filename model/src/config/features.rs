// SPDX-License-Identifier: GPL-2.0

//! The extended feature registers, and the presets.

use crate::bits::{bit, field, mask};

/// EFR, EFR2 and the features that have no bit in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Extended Feature Register (MMIO 30h).
    pub efr: u64,
    /// Extended Feature Register 2 (MMIO 1A0h).
    pub efr2: u64,
    /// GstBufferTRPMode can be switched on (no feature bit announces it, OQ-3).
    pub guest_buffer_trp: bool,
    /// Not-present entries are cached (capability bit NpCache).
    pub np_cache: bool,
    /// INVALIDATE_IOTLB_PAGES is legal (capability bit IotlbSup).
    pub iotlb: bool,
}

/// Why a set of features cannot be modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub &'static str);

const PPR: u32 = 1;
const NX: u32 = 3;
const GT: u32 = 4;
const IA: u32 = 6;
const GA: u32 = 7;
const HE: u32 = 8;
const GIO: u32 = 48;
const HA: u32 = 49;
const HD: u32 = 52;
const VIOMMU: u32 = 55;
const GA_UPDATE_DIS: u32 = 61;
const GCR3_TRP: u32 = 3;

impl Features {
    /// Part with HW-vIOMMU, guest buffers found by guest physical addresses (mode 1).
    pub const fn genoa() -> Self {
        let levels = (2 << 10) | (1 << 12) | (1 << 14) | (0xf << 32);
        let flags = (1 << NX)
            | (1 << GT)
            | (1 << IA)
            | (1 << GA)
            | (1 << HE)
            | (1 << 37)
            | (1 << GIO)
            | (1 << HA)
            | (1 << HD)
            | (1 << VIOMMU);
        Features {
            efr: levels | flags,
            efr2: 1 << GCR3_TRP,
            guest_buffer_trp: true,
            np_cache: false,
            iotlb: false,
        }
    }

    /// Part with host and guest tables, but nothing for guests of the host.
    pub const fn v2() -> Self {
        let genoa = Self::genoa();
        Features {
            efr: genoa.efr & !(1 << GA | 1 << VIOMMU),
            efr2: 0,
            guest_buffer_trp: false,
            ..genoa
        }
    }

    /// First-generation part: host tables only.
    pub const fn basic() -> Self {
        Features {
            efr: (1 << IA) | (1 << HE),
            efr2: 0,
            guest_buffer_trp: false,
            np_cache: false,
            iotlb: false,
        }
    }

    /// Features by the name of a preset.
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "genoa" => Some(Self::genoa()),
            "v2" => Some(Self::v2()),
            "basic" => Some(Self::basic()),
            _ => None,
        }
    }

    /// Feature bits of EFR that the model implements.
    pub const EFR_IMPLEMENTED: u64 = (1 << NX)
        | (1 << GT)
        | (1 << IA)
        | (1 << GA)
        | (1 << HE)
        | mask(15, 10)
        | mask(36, 32)
        | (1 << 37)
        | mask(39, 38)
        | (1 << GIO)
        | (1 << HA)
        | (1 << HD)
        | (1 << VIOMMU)
        | (1 << GA_UPDATE_DIS);

    /// Feature bits of EFR2 that the model implements.
    pub const EFR2_IMPLEMENTED: u64 = 1 << GCR3_TRP;

    /// PPRSup.
    pub const fn ppr(&self) -> bool {
        bit(self.efr, PPR)
    }
    /// NXSup.
    pub const fn nx(&self) -> bool {
        bit(self.efr, NX)
    }
    /// GTSup.
    pub const fn guest_translation(&self) -> bool {
        bit(self.efr, GT)
    }
    /// IASup.
    pub const fn invalidate_all(&self) -> bool {
        bit(self.efr, IA)
    }
    /// GASup.
    pub const fn guest_apic(&self) -> bool {
        bit(self.efr, GA)
    }
    /// HESup.
    pub const fn hardware_error(&self) -> bool {
        bit(self.efr, HE)
    }
    /// USSup.
    pub const fn user_supervisor(&self) -> bool {
        bit(self.efr, 37)
    }
    /// GIoSup.
    pub const fn guest_io(&self) -> bool {
        bit(self.efr, GIO)
    }
    /// HASup.
    pub const fn host_access(&self) -> bool {
        bit(self.efr, HA)
    }
    /// HDSup.
    pub const fn host_dirty(&self) -> bool {
        bit(self.efr, HD)
    }
    /// vIommuSup.
    pub const fn viommu(&self) -> bool {
        bit(self.efr, VIOMMU)
    }
    /// GAUpdateDisSup.
    pub const fn guest_access_update_disable(&self) -> bool {
        bit(self.efr, GA_UPDATE_DIS)
    }
    /// EFR2 GCR3TRPMode.
    pub const fn gcr3_trp(&self) -> bool {
        bit(self.efr2, GCR3_TRP)
    }
    /// Most levels of a host table: HATS as a number, 4 to 6.
    pub const fn host_levels(&self) -> u8 {
        4 + field(self.efr, 11, 10) as u8
    }
    /// Most levels of a guest table: GATS as a number, 4 or 5.
    pub const fn guest_levels(&self) -> u8 {
        4 + field(self.efr, 13, 12) as u8
    }
    /// Largest GLX, 0 to 2.
    pub const fn glx(&self) -> u8 {
        field(self.efr, 15, 14) as u8
    }
    /// Bits of a PASID.
    pub const fn pasid_bits(&self) -> u32 {
        field(self.efr, 36, 32) as u32 + 1
    }
    /// DevTblSegSup: log2 of the number of device-table segments, 0 to 3.
    pub const fn segments(&self) -> u8 {
        field(self.efr, 39, 38) as u8
    }

    /// Refuses what the model does not implement, so that a feature bit never promises more than
    /// there is, and features that mean nothing without another one.
    ///
    /// # Errors
    ///
    /// A sentence that names the first field that cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let guest = self.guest_translation();
        let rules = [
            (
                self.efr & !Self::EFR_IMPLEMENTED == 0,
                "EFR announces a feature that the model does not have",
            ),
            (
                self.efr2 & !Self::EFR2_IMPLEMENTED == 0,
                "EFR2 announces a feature that the model does not have",
            ),
            (field(self.efr, 11, 10) < 3, "EFR.HATS = 3 is reserved"),
            (field(self.efr, 13, 12) < 2, "EFR.GATS above 1 is reserved"),
            (self.glx() < 3, "EFR.GLXSup = 3 is reserved"),
            (
                self.pasid_bits() <= 20,
                "EFR.PASmax announces more than 20 PASID bits",
            ),
            (guest || !self.guest_io(), "GIoSup needs GTSup"),
            (guest || !self.gcr3_trp(), "GCR3TRPMode needs GTSup"),
            (
                guest || !self.guest_access_update_disable(),
                "GAUpdateDisSup needs GTSup",
            ),
            (
                self.host_access() || !self.host_dirty(),
                "HDSup needs HASup",
            ),
            (
                !self.viommu() || (guest && self.guest_apic() && self.gcr3_trp()),
                "vIommuSup needs GTSup, GASup and GCR3TRPMode",
            ),
            (
                self.viommu() == self.guest_buffer_trp,
                "vIommuSup and GstBufferTRPMode need each other: guest buffers in the private \
                 address space (mode 0) are not modelled",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, sentence)) => Err(ConfigError(sentence)),
            None => Ok(()),
        }
    }
}
