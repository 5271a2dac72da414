// SPDX-License-Identifier: GPL-2.0

//! Devices and what they are attached to.
//!
//! [`Backend`] is what the IOMMU core sees. [`Client`] is one claimed device; its life is decided
//! by the pure state machine [`hw::device`], and executed here. [`Members`] are the devices of a
//! domain with a page table. [`host::Host`] is what all IOMMUs of the machine share.

mod backend;
mod claim;
mod client;
pub(crate) mod host;
mod identity;
mod members;
mod requester;
mod v1;

pub(crate) use backend::Backend;
pub(crate) use client::Client;
pub(crate) use identity::leave_alone;
