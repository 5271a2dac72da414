// SPDX-License-Identifier: GPL-2.0

//! A naive oracle of address translation: no cache, no bit set, nothing remembered. It reads
//! hardware.md 3.3, 3.9 and chapter 4 from top to bottom, for a part that has every feature and
//! for software that has enabled them.
//!
//! Where hardware.md is silent it says [`Verdict::Open`], and the model may answer as it likes.

mod guest;
mod host;

use amd_iommu_model::request::{Access, Translation};
use amd_iommu_model::Request;

use crate::support::Machine;

/// What differs from part to part.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Most levels of a host table (HATS).
    pub host_levels: u64,
    /// Most levels of a guest table (GATS).
    pub guest_levels: u64,
    /// Bits of a PASID (PASmax + 1).
    pub pasid_bits: u32,
    /// Largest GLX (GLXSup).
    pub glx: u64,
}

/// What must come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to this address.
    Forward(Reach),
    /// It is aborted, with this event.
    Fault(Fault),
    /// hardware.md does not say.
    Open,
}

/// Where a translation leads and how far it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// System physical address.
    pub address: u64,
    /// Size of the page, of the smaller one of two stages; 0 stands for 2^64.
    pub size: u64,
    /// Reads are allowed.
    pub read: bool,
    /// Writes are allowed.
    pub write: bool,
}

impl From<Translation> for Reach {
    fn from(got: Translation) -> Self {
        Reach {
            address: got.address,
            size: got.size,
            read: got.read,
            write: got.write,
        }
    }
}

/// What the event of a fault must say beside the request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// ILLEGAL_DEV_TABLE_ENTRY with RZ = 1.
    IllegalEntry,
    /// IO_PAGE_FAULT with PR = 0.
    NotPresent,
    /// IO_PAGE_FAULT with PR = 1, PE = 1.
    Permission,
    /// IO_PAGE_FAULT with PR = 1, RZ = 0, PE = 0.
    BadLevel,
    /// IO_PAGE_FAULT with PR = 1, RZ = 1.
    Reserved,
    /// IO_PAGE_FAULT; its flags are not given by any source.
    Page,
    /// PAGE_TAB_HARDWARE_ERROR with this address.
    TableError(u64),
}

/// A walk ends early: with a fault, or where hardware.md ends.
pub enum Stop {
    Fault(Fault),
    Open,
}

pub type Step<T> = Result<T, Stop>;

pub fn fault<T>(fault: Fault) -> Step<T> {
    Err(Stop::Fault(fault))
}

/// `value[high:low]`.
pub fn bits(value: u64, high: u32, low: u32) -> u64 {
    (value >> low) & (u64::MAX >> (63 - (high - low)))
}

/// An entry of a table in memory.
pub fn read(machine: &Machine, address: u64) -> Step<u64> {
    match machine.try_peek(address) {
        Some(value) => Ok(value),
        None => fault(Fault::TableError(address)),
    }
}

/// A request, reduced to what the walks ask.
#[derive(Clone, Copy)]
pub struct Wish {
    pub read: bool,
    pub write: bool,
    pub execute: bool,
    pub user: bool,
}

impl Wish {
    fn of(request: &Request) -> Self {
        Wish {
            read: request.access.reads(),
            write: request.access.writes(),
            execute: request.access == Access::Execute,
            user: !(request.pasid.is_some() && request.privileged),
        }
    }
}

/// What becomes of a request under a device-table entry.
pub fn verdict(part: Part, machine: &Machine, entry: [u64; 4], request: &Request) -> Verdict {
    match judge(part, machine, entry, request) {
        Ok(reach) => Verdict::Forward(reach),
        Err(Stop::Fault(fault)) => Verdict::Fault(fault),
        Err(Stop::Open) => Verdict::Open,
    }
}

/// hardware.md 3.9: V; reserved bits; TV; the HyperTransport range; IR/IW; Mode 0; Mode range; walk.
fn judge(part: Part, machine: &Machine, entry: [u64; 4], request: &Request) -> Step<Reach> {
    let wish = Wish::of(request);
    let q0 = entry[0];
    let whole = Reach {
        address: request.address,
        size: 0,
        read: true,
        write: true,
    };
    if q0 & 1 == 0 {
        return Ok(whole);
    }
    check_entry(part, entry)?;
    if q0 & 2 == 0 {
        return fault(Fault::NotPresent);
    }
    // Not usable as a DMA address; a PASID makes it an address of a process.
    if request.pasid.is_none() && (0xfd_0000_0000..1 << 40).contains(&request.address) {
        return fault(Fault::NotPresent);
    }
    let gv = bits(q0, 55, 55) != 0;
    if request.pasid.is_some() && !gv {
        return fault(Fault::Page);
    }
    let (ir, iw) = (bits(q0, 61, 61) != 0, bits(q0, 62, 62) != 0);
    if wish.read && !ir || wish.write && !iw {
        return fault(Fault::Permission);
    }
    let mode = bits(q0, 11, 9);
    if mode > part.host_levels {
        // A PASID out of range may be found before or after.
        return fault(match request.pasid {
            None => Fault::BadLevel,
            Some(_) => Fault::Page,
        });
    }
    let giov = bits(q0, 54, 54) != 0;
    let mut reach = match request.pasid {
        None if !(gv && giov) => host::walk(machine, entry, request.address, wish)?,
        pasid => guest::walk(
            part,
            machine,
            entry,
            pasid.unwrap_or(0),
            request.address,
            wish,
        )?,
    };
    reach.read &= ir;
    reach.write &= iw;
    Ok(reach)
}

/// Reserved bits of q0 and q1, and values that the part does not have.
fn check_entry(part: Part, entry: [u64; 4]) -> Step<()> {
    let [q0, q1, q2, _] = entry;
    let reserved_q0 = 1 << 63 | 0x7c;
    // No PPR: bits 52 and 53 count as reserved.
    let ppr = 3 << 52;
    // SATS: reserved on older parts, so a driver leaves it alone.
    if bits(q1, 42, 42) != 0 {
        return Err(Stop::Open);
    }
    if q0 & (reserved_q0 | ppr) != 0 || bits(q0, 8, 7) == 2 || bits(q0, 57, 56) == 3 {
        return fault(Fault::IllegalEntry);
    }
    let gv = bits(q0, 55, 55) != 0;
    if bits(q0, 57, 56) > part.glx || bits(q2, 55, 54) + 4 > part.guest_levels {
        // Whether fields of an unused guest half are looked at is not said.
        return if gv {
            fault(Fault::IllegalEntry)
        } else {
            Err(Stop::Open)
        };
    }
    Ok(())
}
