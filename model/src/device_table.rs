// SPDX-License-Identifier: GPL-2.0

//! The device table: entries, their checks, their fetch.

mod check;
mod entry;
mod fetch;
mod settled;
mod used;

pub use check::{EntryFault, EntryRules};
pub use entry::{DeviceEntry, GuestTable, HostTable, IntCtl};
pub use fetch::NoEntry;
pub(crate) use settled::Settled;
pub use used::Half;
