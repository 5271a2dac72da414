// SPDX-License-Identifier: GPL-2.0

//! Requests of devices, and the answers of the IOMMU.
//!
//! What a device writes to FEE0_0000h-FEEF_FFFFh is no memory request but a [`Message`]: an interrupt.

/// A memory request as it arrives from a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Requester ID: bus, device and function.
    pub requester: u16,
    /// Address as the device gave it. The answer covers the page around it.
    pub address: u64,
    /// What the device wants to do there.
    pub access: Access,
    /// PASID of the TLP prefix, 20 bits.
    pub pasid: Option<u32>,
    /// "Privileged mode requested" of the TLP prefix: a supervisor access. Without a PASID a
    /// request is a user access.
    pub privileged: bool,
}

impl Request {
    /// Whether this is a write to the range of interrupts (hardware.md 3.9).
    pub const fn is_interrupt(&self) -> bool {
        self.access.writes() && self.address >> 20 == 0xfee
    }
}

/// An interrupt as it arrives from a device: 32 bits written to FEE0_0000h-FEEF_FFFFh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Requester ID: bus, device and function.
    pub requester: u16,
    /// Address of the write.
    pub address: u64,
    /// What is written.
    pub data: u32,
    /// PASID of the TLP prefix. No interrupt should have one.
    pub pasid: Option<u32>,
}

/// What the IOMMU makes of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// This message reaches the processors. Bits 31:8 of an x2APIC ID are in 63:40 of the address.
    Send {
        /// Address of the message.
        address: u64,
        /// Its data.
        data: u32,
    },
    /// The write ends in a target abort.
    Abort,
}

/// Kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads memory.
    Read,
    /// Writes memory; to FEE0_0000h-FEEF_FFFFh: an interrupt.
    Write,
    /// Reads and writes (atomic operations; a prober that wants to know both).
    ReadWrite,
    /// Reads instructions ("execute requested").
    Execute,
}

impl Access {
    /// Whether memory is read.
    pub const fn reads(self) -> bool {
        !matches!(self, Access::Write)
    }

    /// Whether memory is written.
    pub const fn writes(self) -> bool {
        matches!(self, Access::Write | Access::ReadWrite)
    }
}

/// What the IOMMU makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The access goes on to `address` in system memory.
    Forward(Translation),
    /// The access ends in a target abort.
    Abort,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// System physical address of the request's first byte.
    pub address: u64,
    /// Size of the naturally aligned range around the request's address for which this
    /// translation holds, a power of two, at least 4 KiB; 0 stands for 2^64.
    pub size: u64,
    /// Reads are allowed in that range.
    pub read: bool,
    /// Writes are allowed in that range.
    pub write: bool,
}
