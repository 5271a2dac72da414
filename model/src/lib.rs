// SPDX-License-Identifier: GPL-2.0

//! A model of the AMD IOMMU with hardware-assisted virtualization (HW-vIOMMU).
//!
//! [`Iommu`] is a state machine. It touches the world only through [`System`]: memory,
//! interrupts and time. It contains no unsafe code, does not panic, and does a bounded amount
//! of work for each call, whatever software writes into its registers and tables.
//!
//! The modules are those of the hardware: [`registers`], [`device_table`], [`walk`], [`interrupt`],
//! [`caches`], [`command`], [`event`] and [`viommu`]. Beside them stand what hardware does not have: the
//! [`referee`], which writes down what a careful driver must not do, and the [`counters`].
//!
//! Facts and their sources, with the numbers of the open questions (OQ-n), are in
//! `Documentation/hardware.md`.

#![no_std]

extern crate alloc;

pub mod bits;
pub mod caches;
pub mod command;
pub mod config;
pub mod counters;
pub mod device_table;
pub mod event;
pub mod interrupt;
pub mod iommu;
pub mod pci;
pub mod referee;
pub mod registers;
pub mod request;
pub mod schedule;
pub mod system;
pub mod viommu;
pub mod walk;

pub use config::Config;
pub use iommu::Iommu;
pub use request::{Answer, Delivery, Message, Request};
pub use system::{Abort, Interrupt, System};
