// SPDX-License-Identifier: GPL-2.0

//! The block that describes one IOMMU.

use super::entry::{Selection, What};
use super::{AcpiHid, DeviceInfo, Error, Fault, Items, Reader, Special};
use crate::regs::{Efr, Efr2};

bitfield! {
    /// What firmware wants in the control register.
    pub struct IvhdFlags(u8) {
        /// HtTun: translate HyperTransport tunnel traffic.
        0:0 ht_tun: bool;
        /// PassPW: pass posted writes.
        1:1 pass_pw: bool;
        /// ResPassPW: let responses pass posted writes.
        2:2 res_pass_pw: bool;
        /// Isoc: the hardware's own table reads are isochronous.
        3:3 isoc: bool;
        /// Iotlb: devices may cache translations.
        4:4 iotlb: bool;
        /// Coherent: the hardware's own table reads snoop the caches.
        5:5 coherent: bool;
    }
}

bitfield! {
    /// Attributes of a block of type 11h or 40h. A block of type 10h has a feature word instead.
    pub struct Attributes(u32) {
        /// HATDIS: host (v1) translation is not available.
        0:0 hat_dis: bool;
    }
}

/// One IOMMU as firmware describes it.
#[derive(Clone, Copy, Debug)]
pub struct Ivhd<'a> {
    /// Block type: 10h, 11h or 40h.
    pub block_type: u8,
    /// What firmware wants in the control register.
    pub flags: IvhdFlags,
    /// Device ID of the IOMMU's PCI function.
    pub devid: u16,
    /// Offset of the capability block in its configuration space.
    pub cap_offset: u16,
    /// Physical address of the registers.
    pub mmio_base: u64,
    /// PCI segment of the function, and of all devices behind it.
    pub segment: u16,
    /// Attributes; all 0 for type 10h.
    pub attributes: Attributes,
    /// The feature registers, which hold over those in MMIO. Type 10h has none.
    pub features: Option<(Efr, Efr2)>,
    block: Reader<'a>,
    entries: Reader<'a>,
}

impl<'a> Ivhd<'a> {
    /// Registers are aligned to the smallest window there is.
    const MMIO_ALIGN: u64 = crate::regs::MMIO_LEN as u64;

    /// The last place in configuration space where the capability block fits.
    const LAST_CAP: u16 = 0x100 - 0x18;

    /// Decodes a block.
    pub(super) fn decode(block: Reader<'a>) -> Result<Self, Error> {
        let short = |e: Error| e.because(Fault::BlockTooShort(block.len()));
        let block_type = block.u8(0)?;
        let has_features = block_type != 0x10;
        let header = if has_features { 40 } else { 24 };
        let (header, entries) = block.split(header).map_err(short)?;
        let (features, attributes) = if has_features {
            let features = (Efr(header.u64(24)?), Efr2(header.u64(32)?));
            (Some(features), Attributes(header.u32(20)?))
        } else {
            (None, Attributes::default())
        };

        Ok(Self {
            block_type,
            flags: IvhdFlags(header.u8(1)?),
            devid: header.u16(4)?,
            cap_offset: header.u16(6)?,
            mmio_base: header.u64(8)?,
            segment: header.u16(16)?,
            attributes,
            features,
            block,
            entries,
        })
    }

    /// Checks what the block says about the IOMMU, and all its device entries.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.mmio_base == 0 || self.mmio_base % Self::MMIO_ALIGN != 0 {
            return Err(self.error(Fault::MmioBase(self.mmio_base)));
        }
        if !(0x40..=Self::LAST_CAP).contains(&self.cap_offset) || self.cap_offset % 4 != 0 {
            return Err(self.error(Fault::CapOffset(self.cap_offset)));
        }
        for selection in Items::<Selection<'_>>::new(self.entries) {
            selection?;
        }

        Ok(())
    }

    /// What firmware says about a device; `None` if the device is not behind this IOMMU.
    ///
    /// A later entry overrides earlier ones.
    pub fn lookup(&self, devid: u16) -> Option<DeviceInfo> {
        self.selections()
            .fold(None, |info, selection| selection.apply(devid, info))
    }

    /// The highest device ID that the IOMMU has to know, its own included.
    pub fn max_devid(&self) -> u16 {
        self.selections()
            .map(|selection| selection.max_devid())
            .fold(self.devid, u16::max)
    }

    /// Interrupt controllers and timers behind the IOMMU.
    pub fn specials(&self) -> impl Iterator<Item = Special> + 'a {
        self.selections()
            .filter_map(|selection| match selection.what {
                What::Special(special) => Some(special),
                _ => None,
            })
    }

    /// The device IDs that requests of other devices carry.
    pub fn aliases(&self) -> impl Iterator<Item = u16> + 'a {
        self.selections()
            .filter_map(|selection| match selection.what {
                What::Alias(id) => Some(id),
                _ => None,
            })
    }

    /// Devices that have no PCI function, only an ACPI name.
    pub fn acpi_hids(&self) -> impl Iterator<Item = AcpiHid<'a>> + 'a {
        self.selections()
            .filter_map(|selection| match selection.what {
                What::AcpiHid(hid) => Some(hid),
                _ => None,
            })
    }

    /// Whether both blocks describe the same PCI function.
    pub(super) fn same_iommu(&self, other: &Ivhd<'_>) -> bool {
        (self.segment, self.devid) == (other.segment, other.devid)
    }

    /// Whether both blocks, which have the same type, cannot be true at once.
    pub(super) fn conflicts(&self, other: &Ivhd<'_>) -> bool {
        self.same_iommu(other) || self.mmio_base == other.mmio_base
    }

    /// An error about this block.
    pub(super) fn error(&self, fault: Fault) -> Error {
        self.block.error(fault)
    }

    /// What the device entries select; they have been checked, so none is missing.
    fn selections(&self) -> impl Iterator<Item = Selection<'a>> + 'a {
        Items::new(self.entries).map_while(Result::ok)
    }
}
