// SPDX-License-Identifier: GPL-2.0

//! Hardware IOMMUs for guests (hardware reference 5 to 7).
//!
//! * [`Hardware`]: an IOMMU that serves guests, with its private address space and the maps that every
//!   guest starts with;
//! * [`Vm`]: what one open file has made;
//! * [`reports`]: what the VMM hears of;
//! * [`guest`]: one guest's IOMMU. What happens to it is decided by the pure state machine
//!   [`hw::viommu::life`] and executed here.
//!
//! Knows nothing of files and of user space.

mod actions;
mod admission;
mod devices;
mod domains;
mod guest;
mod hardware;
mod ids;
mod maps;
mod private;
mod registers;
mod reports;
mod show;
mod template;
mod vm;
mod voice;

pub(crate) use hardware::{close, info, open, Service};
pub(crate) use vm::Vm;
