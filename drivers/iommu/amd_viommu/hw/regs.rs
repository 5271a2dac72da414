// SPDX-License-Identifier: GPL-2.0

//! The MMIO registers: where they are and what their bits mean.
//!
//! Offsets and the layout of the window are here (hardware reference 3.1); each register with
//! fields of its own has a file beside this one. Registers of features that no code uses are listed
//! for the debugfs view only.

mod base;
mod control;
mod features;
mod status;

pub use base::{DevTabBase, RingBase};
pub use control::Control;
pub use features::{host_levels, Efr, Efr2};
pub use status::Status;

/// Device table base address, see [`DevTabBase`].
pub const DEV_TAB_BASE: usize = 0x0000;
/// Command buffer base address, see [`RingBase`]. Writing it zeroes head and tail.
pub const CMD_BUF_BASE: usize = 0x0008;
/// Event log base address, see [`RingBase`]. Writing it zeroes head and tail.
pub const EVENT_LOG_BASE: usize = 0x0010;
/// Control, see [`Control`].
pub const CONTROL: usize = 0x0018;
/// Exclusion range base.
pub const EXCL_BASE: usize = 0x0020;
/// Exclusion range limit.
pub const EXCL_LIMIT: usize = 0x0028;
/// Extended features, read only, see [`Efr`].
pub const EFR: usize = 0x0030;
/// Peripheral page request log base address.
pub const PPR_LOG_BASE: usize = 0x0038;
/// First half of the event that caused a hardware error.
pub const HW_EVENT_UPPER: usize = 0x0040;
/// Second half of the event that caused a hardware error.
pub const HW_EVENT_LOWER: usize = 0x0048;
/// Whether the two registers before hold a hardware error.
pub const HW_EVENT_STATUS: usize = 0x0050;
/// Second register of extended features, read only, see [`Efr2`].
pub const EFR2: usize = 0x01A0;
/// Byte offset of the next command that the hardware fetches.
pub const CMD_HEAD: usize = 0x2000;
/// Byte offset behind the last command that software wrote.
pub const CMD_TAIL: usize = 0x2008;
/// Byte offset of the next event that software reads.
pub const EVENT_HEAD: usize = 0x2010;
/// Byte offset behind the last event that the hardware wrote.
pub const EVENT_TAIL: usize = 0x2018;
/// Status, see [`Status`].
pub const STATUS: usize = 0x2020;
/// Head of the peripheral page request log.
pub const PPR_HEAD: usize = 0x2030;
/// Tail of the peripheral page request log.
pub const PPR_TAIL: usize = 0x2038;

/// The 64-bit registers worth looking at, with their names, in the order of their offsets.
///
/// Reading any of them has no side effect, whatever features the hardware has: what is absent reads
/// 0.
pub const NAMED: &[(&str, usize)] = &[
    ("DEV_TAB_BASE", DEV_TAB_BASE),
    ("CMD_BUF_BASE", CMD_BUF_BASE),
    ("EVENT_LOG_BASE", EVENT_LOG_BASE),
    ("CONTROL", CONTROL),
    ("EXCL_BASE", EXCL_BASE),
    ("EXCL_LIMIT", EXCL_LIMIT),
    ("EFR", EFR),
    ("PPR_LOG_BASE", PPR_LOG_BASE),
    ("HW_EVENT_UPPER", HW_EVENT_UPPER),
    ("HW_EVENT_LOWER", HW_EVENT_LOWER),
    ("HW_EVENT_STATUS", HW_EVENT_STATUS),
    ("EFR2", EFR2),
    ("CMD_HEAD", CMD_HEAD),
    ("CMD_TAIL", CMD_TAIL),
    ("EVENT_HEAD", EVENT_HEAD),
    ("EVENT_TAIL", EVENT_TAIL),
    ("STATUS", STATUS),
    ("PPR_HEAD", PPR_HEAD),
    ("PPR_TAIL", PPR_TAIL),
];

/// The part of the window that every IOMMU has, 16 KiB. It holds all registers that this file
/// names.
pub const MMIO_LEN: usize = 0x4000;
