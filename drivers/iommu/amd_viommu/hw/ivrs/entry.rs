// SPDX-License-Identifier: GPL-2.0

//! The device entries of an IVHD.

use super::{AcpiHid, DeviceInfo, Error, Fault, Reader, Special, Take, Uid};

/// Types of entries.
mod kind {
    pub(super) const ALL: u8 = 0x01;
    pub(super) const SELECT: u8 = 0x02;
    pub(super) const RANGE_START: u8 = 0x03;
    pub(super) const RANGE_END: u8 = 0x04;
    pub(super) const ALIAS_SELECT: u8 = 0x42;
    pub(super) const ALIAS_RANGE_START: u8 = 0x43;
    pub(super) const EXT_SELECT: u8 = 0x46;
    pub(super) const EXT_RANGE_START: u8 = 0x47;
    pub(super) const SPECIAL: u8 = 0x48;
    pub(super) const ACPI_HID: u8 = 0xF0;
}

/// Bit 31 of the extended field: the device must not cache translations.
const ATS_DISABLED: u32 = 1 << 31;

/// Bytes of an ACPI entry before the unique ID.
const ACPI_HID_LEN: usize = 22;

/// The devices that an entry, or a start and an end together, select, and what is said about them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection<'a> {
    /// First and last device ID; the first one is larger if nothing is selected.
    first: u16,
    last: u16,
    setting: u8,
    pub(super) what: What<'a>,
}

/// What else is said about selected devices.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    /// Nothing: their requests carry their own ID.
    Plain,
    /// Their requests carry this ID.
    Alias(u16),
    /// The extended field.
    Extended(u32),
    /// It is not a PCI function but an interrupt controller or a timer.
    Special(Special),
    /// It is not a PCI function but has a name in ACPI.
    AcpiHid(AcpiHid<'a>),
}

impl<'a> Take<'a> for Selection<'a> {
    fn take(rest: Reader<'a>) -> Result<(Self, Reader<'a>), Error> {
        let (entry, rest) = take_entry(rest)?;
        let select = Self::decode(entry)?;

        match entry.u8(0)? {
            kind::RANGE_START | kind::ALIAS_RANGE_START | kind::EXT_RANGE_START => {
                let (last, rest) = take_end(rest).ok_or(entry.error(Fault::RangeWithoutEnd))?;
                if last < select.first {
                    return Err(entry.error(Fault::RangeReversed));
                }
                Ok((Self { last, ..select }, rest))
            }
            kind::RANGE_END => Err(entry.error(Fault::RangeWithoutStart)),
            _ => Ok((select, rest)),
        }
    }
}

impl<'a> Selection<'a> {
    /// Decodes one entry. For a range this is only its start.
    fn decode(entry: Reader<'a>) -> Result<Self, Error> {
        let devid = entry.u16(1)?;

        match entry.u8(0)? {
            kind::ALL => Self::range(entry, 0, u16::MAX, What::Plain),
            kind::SELECT | kind::RANGE_START => Self::range(entry, devid, devid, What::Plain),
            kind::ALIAS_SELECT | kind::ALIAS_RANGE_START => {
                Self::range(entry, devid, devid, What::Alias(entry.u16(5)?))
            }
            kind::EXT_SELECT | kind::EXT_RANGE_START => {
                Self::range(entry, devid, devid, What::Extended(entry.u32(4)?))
            }
            kind::SPECIAL => {
                let special = special(entry)?;
                Self::range(entry, special.devid, special.devid, What::Special(special))
            }
            kind::ACPI_HID => Self::range(entry, devid, devid, What::AcpiHid(acpi_hid(entry)?)),
            _ => Self::range(entry, u16::MAX, 0, What::Plain),
        }
    }

    fn range(entry: Reader<'a>, first: u16, last: u16, what: What<'a>) -> Result<Self, Error> {
        let setting = entry.u8(3)?;

        Ok(Self {
            first,
            last,
            setting,
            what,
        })
    }

    /// Adds to `info`, which earlier entries gave, what this one says about the device.
    pub(super) fn apply(&self, devid: u16, info: Option<DeviceInfo>) -> Option<DeviceInfo> {
        let before = info.map_or((devid, false), |info| (info.alias, info.ats_disabled));
        let selected = (self.first..=self.last).contains(&devid);
        let (alias, ats_disabled) = match self.what {
            What::Plain if selected => (devid, false),
            What::Alias(alias) if selected => (alias, false),
            What::Extended(ext) if selected => (devid, ext & ATS_DISABLED != 0),
            // An entry that is not about the function itself leaves it where it is.
            What::Special(_) | What::AcpiHid(_) if selected => before,
            What::Alias(alias) if alias == devid => before,
            _ => return info,
        };

        Some(DeviceInfo {
            alias,
            setting: self.setting,
            ats_disabled,
        })
    }

    /// The highest device ID that the entry mentions.
    pub(super) fn max_devid(&self) -> u16 {
        match self.what {
            What::Alias(alias) => self.last.max(alias),
            _ => self.last,
        }
    }
}

/// Takes the first entry off a block. Its type tells how long it is.
fn take_entry(rest: Reader<'_>) -> Result<(Reader<'_>, Reader<'_>), Error> {
    let kind = rest.u8(0)?;
    let past_end = |e: Error| e.because(Fault::EntryPastEnd(kind));
    let len = match kind {
        kind::ACPI_HID => ACPI_HID_LEN + usize::from(rest.u8(21).map_err(past_end)?),
        _ => 4 << (kind >> 6),
    };

    rest.split(len).map_err(past_end)
}

/// Takes the end of a range off a block, and returns the last device ID of the range.
fn take_end(rest: Reader<'_>) -> Option<(u16, Reader<'_>)> {
    let (entry, rest) = take_entry(rest).ok()?;
    let is_end = entry.u8(0).ok()? == kind::RANGE_END;

    is_end.then_some((entry.u16(1).ok()?, rest))
}

fn special(entry: Reader<'_>) -> Result<Special, Error> {
    Ok(Special {
        variety: entry.u8(7)?.into(),
        handle: entry.u8(4)?,
        devid: entry.u16(5)?,
    })
}

fn acpi_hid(entry: Reader<'_>) -> Result<AcpiHid<'_>, Error> {
    let (_, uid) = entry.split(ACPI_HID_LEN)?;
    let uid = match (entry.u8(20)?, uid.len()) {
        (1, 8) => Uid::Integer(uid.u64(0)?),
        (1, _) => return Err(entry.error(Fault::UniqueId)),
        (2, _) => Uid::String(uid.data()),
        _ => Uid::None,
    };

    Ok(AcpiHid {
        devid: entry.u16(1)?,
        hid: entry.array(4)?,
        uid,
    })
}
