// SPDX-License-Identifier: GPL-2.0

//! The 16 bytes of an event.
//!
//! Codes 7 and 8 can be encoded but are never raised. IOTLB_INV_TIMEOUT needs a device that does
//! not answer an INVALIDATE_IOTLB_PAGES, and no device of the model has an IOTLB.
//! INVALID_DEVICE_REQUEST is about translated requests, translation requests and messages, and a
//! [`crate::Request`] is none of these: ATS is not modelled.

/// What an event of codes 1 to 4 says of the request that caused it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Requester ID.
    pub device: u16,
    /// PASID of the request. With one, GN is set.
    pub pasid: Option<u32>,
    /// The request is an interrupt.
    pub interrupt: bool,
    /// The request writes.
    pub write: bool,
    /// The request executes (NX).
    pub execute: bool,
    /// The request is a user access (US).
    pub user: bool,
    /// The request asks for a translation.
    pub translation: bool,
}

/// Flags of an event that the vIOMMU engine caused: dw0[31:27].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VFlags {
    /// Guest command fetch or execution.
    pub command: bool,
    /// Guest PPR log.
    pub ppr: bool,
    /// Guest event log.
    pub event: bool,
}

/// Type field of the hardware errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HardwareError {
    /// Nothing answered.
    MasterAbort = 1,
    /// The target refused.
    TargetAbort = 2,
    /// The data was bad.
    DataError = 3,
}

/// An event, before it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Code 1.
    IllegalDeviceTableEntry {
        /// The request.
        access: Access,
        /// A reserved bit is set; otherwise a field has a bad value.
        reserved: bool,
        /// Address of the request.
        address: u64,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code 2.
    IoPageFault {
        /// The request.
        access: Access,
        /// DomainID of the device-table entry; shown when there is no PASID.
        domain: u16,
        /// A page was there.
        present: bool,
        /// It did not allow the access.
        permission: bool,
        /// A reserved bit of an entry was set.
        reserved: bool,
        /// Address of the request.
        address: u64,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code 3.
    DeviceTableHardwareError {
        /// The request.
        access: Access,
        /// Kind of failure.
        error: HardwareError,
        /// Where the device-table entry is.
        address: u64,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code 4.
    PageTableHardwareError {
        /// The request.
        access: Access,
        /// DomainID; shown when there is no PASID.
        domain: u16,
        /// Kind of failure.
        error: HardwareError,
        /// Where the table entry is.
        address: u64,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code 5.
    IllegalCommand {
        /// Where the command is.
        address: u64,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code 6.
    CommandHardwareError {
        /// Where the command, or the store of a COMPLETION_WAIT, is.
        address: u64,
        /// Kind of failure.
        error: HardwareError,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code 7.
    IotlbInvalidationTimeout {
        /// Device that did not answer.
        device: u16,
        /// Where the command is.
        address: u64,
    },
    /// Code 8.
    InvalidDeviceRequest {
        /// The request.
        access: Access,
        /// Type field, 3 bits.
        kind: u8,
        /// Address of the request.
        address: u64,
    },
    /// Code Bh.
    GuestEventFault {
        /// Guest ID of the command.
        gid: u16,
        /// Engine that caused it.
        vflags: VFlags,
    },
    /// Code Ch.
    ViommuHardwareError {
        /// Guest ID.
        gid: u16,
        /// Source code, 2 bits (OQ-9): 0 command, 1 event, 2 PPR, 3 other.
        source: u8,
        /// The failing access was a write.
        write: bool,
        /// A page was there.
        present: bool,
        /// It did not allow the access.
        permission: bool,
        /// Private or guest physical address of the access.
        address: u64,
        /// Engine that caused it.
        vflags: VFlags,
    },
}

impl Event {
    /// The same page fault, caused by an engine of a guest.
    pub(crate) fn caused_by(mut self, engine: VFlags) -> Self {
        if let Event::IoPageFault { vflags, .. } = &mut self {
            *vflags = engine;
        }
        self
    }
}
