// SPDX-License-Identifier: GPL-2.0

//! What a table says about single devices.

/// What firmware says about a device behind an IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The device ID that its requests carry. Most devices have their own.
    pub alias: u16,
    /// The setting byte, see [`crate::dte::HostPolicy`].
    pub setting: u8,
    /// The device must not cache translations.
    pub ats_disabled: bool,
}

/// What kind of special device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variety {
    /// An I/O APIC.
    IoApic,
    /// A high precision event timer.
    Hpet,
    /// Something that later revisions define.
    Other(u8),
}

impl From<u8> for Variety {
    fn from(variety: u8) -> Self {
        match variety {
            1 => Self::IoApic,
            2 => Self::Hpet,
            other => Self::Other(other),
        }
    }
}

/// An interrupt controller or a timer that sends interrupts under a device ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// What it is.
    pub variety: Variety,
    /// Its APIC ID or timer number.
    pub handle: u8,
    /// The device ID that its requests carry.
    pub devid: u16,
}

/// A device that has no PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcpiHid<'a> {
    /// The device ID that its requests carry.
    pub devid: u16,
    /// Its ACPI hardware ID, padded with zeros.
    pub hid: [u8; 8],
    /// Which of several such devices it is.
    pub uid: Uid<'a>,
}

/// The unique ID of an ACPI device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uid<'a> {
    /// There is none.
    None,
    /// A number.
    Integer(u64),
    /// A string.
    String(&'a [u8]),
}
