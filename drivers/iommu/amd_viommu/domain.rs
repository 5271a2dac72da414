// SPDX-License-Identifier: GPL-2.0

//! Devices and what they are attached to.
//!
//! [`Backend`] is what the IOMMU core sees. [`Client`] is one claimed device; its life is decided
//! by the pure state machine [`hw::device`], and executed here. [`Members`] are the devices of a
//! domain with a page table; a guest's memory is one too, its [`Parent`]. [`host::Host`] is what all IOMMUs of the machine share.

mod backend;
mod claim;
mod client;
pub(crate) mod host;
mod host_domain;
mod identity;
mod members;
mod parent;
mod private_table;
mod requester;
mod v1;

pub(crate) use backend::Backend;
pub(crate) use client::{Client, Lease, Owner};
pub(crate) use host_domain::HostDomain;
pub(crate) use identity::leave_alone;
pub(crate) use parent::{Dependant, Parent};
pub(crate) use private_table::PrivateTable;
pub(crate) use requester::Requester;
