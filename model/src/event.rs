// SPDX-License-Identifier: GPL-2.0

//! Events: their codes, their fields and their 16 bytes; below, the event log.

mod encode;
mod entry;
mod late;
mod log;

pub use entry::{Access, Event, HardwareError, VFlags};
pub use late::LateEvent;
pub use log::EventLog;
pub(crate) use log::{bytes, reserve, Slot};
