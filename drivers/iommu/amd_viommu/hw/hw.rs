// SPDX-License-Identifier: GPL-2.0

//! The hardware of an AMD IOMMU as data: registers, table entries, commands, events, ACPI tables.
//!
//! Everything here is pure. A value goes in, a value comes out; nothing touches a device, allocates
//! or sleeps, so the whole crate also compiles on the host, where `tests/hw` proves it with cargo.
//! The driver executes what this crate works out.
//!
//! Facts are cited by section of `Documentation/hardware.md` ("hardware reference 3.4") and open
//! questions of that document by their number ("OQ-33").
//!
//! # Glossary
//!
//! * **DTE**: device table entry, 256 bits, indexed by requester ID.
//! * **Device ID**, **requester ID**: bus number, device and function packed into 16 bits.
//! * **Domain ID**: the 16-bit tag of cached translations.
//! * **IRTE**: interrupt remapping table entry, of 32 or 128 bits, indexed by what a device writes.
//! * **IVRS**, **IVHD**, **IVMD**: the ACPI table that describes IOMMUs, its block that describes
//!   one IOMMU, and its block that describes memory with special needs.

#![cfg_attr(not(MODULE), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[macro_use]
mod bits;

pub mod cap;
pub mod command;
pub mod device;
pub mod dte;
pub mod event;
pub mod interrupt;
pub mod ivrs;
pub mod regs;
pub mod ring;
pub mod sequence;
pub mod viommu;
