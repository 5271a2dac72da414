// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions that the kernel crate does not have yet.
//!
//! An IOMMU driver in Rust needs the IOMMU core's `iommu_ops`, the kernel's generic page tables
//! and a few small pieces around them. Each module here wraps one C interface and nothing else;
//! none of them knows any particular hardware.
//!
//! All `unsafe` code of a driver built on this crate is meant to live here.

pub mod acpi;
pub mod bindings;
pub mod device;
pub mod eventfd;
pub mod global;
pub mod iommu;
pub mod irq;
pub mod mmio;
pub mod node;
pub mod pages;
pub mod pci;
pub mod ratelimit;
pub mod raw_spinlock;
pub mod syscore;
pub mod sysfs;
pub mod uaccess;
pub mod uncached;
pub mod vfio;
