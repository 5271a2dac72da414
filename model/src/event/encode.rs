// SPDX-License-Identifier: GPL-2.0

//! The layout of events in memory (hardware.md 3.5).
//!
//! Not every field exists in every code; what a code does not have is 0, even if the event knows
//! it.

use crate::config::{EntryAddress, Readings};
use crate::event::{Access, Event, HardwareError, VFlags};

/// GN: the request has a PASID.
const GN: u32 = 1 << 16;
/// NX: an execute request.
const NX: u32 = 1 << 17;
/// US: a user request.
const US: u32 = 1 << 18;
/// I: an interrupt request.
const I: u32 = 1 << 19;
/// PR: a page was there.
const PR: u32 = 1 << 20;
/// RW: a write request.
const RW: u32 = 1 << 21;
/// PE: no permission.
const PE: u32 = 1 << 22;
/// RZ: a reserved bit was set.
const RZ: u32 = 1 << 23;
/// TR: a translation request.
const TR: u32 = 1 << 24;

impl Event {
    /// The code, dw1[31:28].
    pub fn code(&self) -> u8 {
        match self {
            Event::IllegalDeviceTableEntry { .. } => 1,
            Event::IoPageFault { .. } => 2,
            Event::DeviceTableHardwareError { .. } => 3,
            Event::PageTableHardwareError { .. } => 4,
            Event::IllegalCommand { .. } => 5,
            Event::CommandHardwareError { .. } => 6,
            Event::IotlbInvalidationTimeout { .. } => 7,
            Event::InvalidDeviceRequest { .. } => 8,
            Event::GuestEventFault { .. } => 0xb,
            Event::ViommuHardwareError { .. } => 0xc,
        }
    }

    /// Whether the registers 0040-0050 latch the event.
    pub fn is_hardware_error(&self) -> bool {
        matches!(self.code(), 3 | 4 | 6)
    }

    /// The four words of the event.
    pub fn encode(&self) -> [u32; 4] {
        let dw1 = self.dw1() | u32::from(self.code()) << 28;
        let address = self.address();
        [self.dw0(), dw1, address as u32, (address >> 32) as u32]
    }

    /// The four words of the event as a part with these readings writes them (OQ-32).
    pub(crate) fn encode_as(&self, readings: &Readings) -> [u32; 4] {
        let [dw0, dw1, dw2, dw3] = self.encode();
        let narrow = readings.entry_address == EntryAddress::From4;
        let unseen = if narrow && self.code() == 4 { 8 } else { 0 };
        [dw0, dw1, dw2 & !unseen, dw3]
    }

    fn dw0(&self) -> u32 {
        match *self {
            Event::IllegalDeviceTableEntry { access, vflags, .. }
            | Event::IoPageFault { access, vflags, .. }
            | Event::PageTableHardwareError { access, vflags, .. } => {
                device_and_pasid(access) | flags(vflags)
            }
            Event::DeviceTableHardwareError { access, vflags, .. } => {
                u32::from(access.device) | flags(vflags)
            }
            Event::IllegalCommand { vflags, .. }
            | Event::CommandHardwareError { vflags, .. }
            | Event::GuestEventFault { vflags, .. } => flags(vflags),
            Event::IotlbInvalidationTimeout { device, .. } => u32::from(device),
            Event::InvalidDeviceRequest { access, .. } => device_and_pasid(access),
            Event::ViommuHardwareError {
                gid,
                source,
                vflags,
                ..
            } => u32::from(gid) | (u32::from(source & 3) << 16) | flags(vflags),
        }
    }

    fn dw1(&self) -> u32 {
        match *self {
            Event::IllegalDeviceTableEntry {
                access, reserved, ..
            } => pasid_or(access, 0) | request(access) | when(reserved, RZ),
            Event::IoPageFault { access, domain, .. } => {
                pasid_or(access, domain) | request(access) | self.page_fault_flags()
            }
            Event::DeviceTableHardwareError { access, error, .. } => request(access) | kind(error),
            Event::PageTableHardwareError {
                access,
                domain,
                error,
                ..
            } => pasid_or(access, domain) | request(access) | kind(error),
            Event::CommandHardwareError { error, .. } => kind(error),
            Event::InvalidDeviceRequest { access, kind, .. } => invalid_request(access, kind),
            Event::GuestEventFault { gid, .. } => u32::from(gid),
            Event::ViommuHardwareError {
                write,
                present,
                permission,
                ..
            } => when(write, RW) | when(present, PR) | when(permission, PE),
            Event::IllegalCommand { .. } | Event::IotlbInvalidationTimeout { .. } => 0,
        }
    }

    fn page_fault_flags(&self) -> u32 {
        match *self {
            Event::IoPageFault {
                access,
                present,
                permission,
                reserved,
                ..
            } => {
                when(access.execute, NX)
                    | when(access.user, US)
                    | when(present, PR)
                    | when(permission, PE)
                    | when(reserved, RZ)
            }
            _ => 0,
        }
    }

    /// dw3:dw2, without the bits that the code does not have.
    fn address(&self) -> u64 {
        match *self {
            Event::IllegalDeviceTableEntry { address, .. } => address & !3,
            Event::IoPageFault { address, .. }
            | Event::DeviceTableHardwareError { address, .. }
            | Event::InvalidDeviceRequest { address, .. }
            | Event::ViommuHardwareError { address, .. } => address,
            // OQ-32: the wider of the two widths, 63:3.
            Event::PageTableHardwareError { address, .. }
            | Event::CommandHardwareError { address, .. } => address & !7,
            Event::IllegalCommand { address, .. }
            | Event::IotlbInvalidationTimeout { address, .. } => address & !15,
            Event::GuestEventFault { .. } => 0,
        }
    }
}

fn invalid_request(access: Access, kind: u8) -> u32 {
    // OQ-35: US stands where all other codes have it.
    pasid_or(access, 0)
        | when(access.user, US)
        | when(access.translation, TR)
        | (u32::from(kind & 7) << 25)
}

/// The requester ID and the high bits of the PASID, in dw0.
fn device_and_pasid(access: Access) -> u32 {
    let high = access.pasid.map_or(0, |pasid| (pasid >> 16) & 0xf);
    u32::from(access.device) | (high << 16)
}

/// The low bits of the PASID with GN, or else the DomainID, in dw1.
fn pasid_or(access: Access, domain: u16) -> u32 {
    match access.pasid {
        Some(pasid) => GN | (pasid & 0xffff),
        None => u32::from(domain),
    }
}

/// The flags of a request that codes 1 to 4 all have.
fn request(access: Access) -> u32 {
    when(access.interrupt, I) | when(access.write, RW) | when(access.translation, TR)
}

/// dw0[31:27]; the meaning of vNR (27) is not known and it stays 0 (OQ-9).
fn flags(vflags: VFlags) -> u32 {
    when(vflags.command, 1 << 31) | when(vflags.ppr, 1 << 30) | when(vflags.event, 1 << 29)
}

fn kind(error: HardwareError) -> u32 {
    (error as u32) << 25
}

fn when(condition: bool, bits: u32) -> u32 {
    if condition {
        bits
    } else {
        0
    }
}
