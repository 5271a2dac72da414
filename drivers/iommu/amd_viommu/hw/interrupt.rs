// SPDX-License-Identifier: GPL-2.0

//! Remapping of interrupts (hardware reference 3.6, 3.9 and 6.4).
//!
//! An interrupt of a device is a write of a small number, the index, to a fixed address. The entry
//! of the device names a table, and the entry of the table at that index says which CPU gets which
//! vector. So a device reaches nothing but what its table holds.

mod entry;
mod places;
mod table;

pub use entry::{Entry, Format, Irte128, Irte32, Route};
pub use places::Places;
pub use table::{Length, Message, Table};

/// What happens to the interrupts of a device (hardware reference 3.3, IV and IntCtl).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupts {
    /// They are forwarded as they are: the device itself says which CPU gets which vector.
    #[default]
    Forwarded,
    /// Each is aborted, and reported as a fault.
    Blocked,
    /// Each goes where its entry in the table says. One without a valid entry is aborted, and
    /// reported as a fault.
    Remapped(Table),
}
