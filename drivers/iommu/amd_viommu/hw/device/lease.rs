// SPDX-License-Identifier: GPL-2.0

//! A guest's hold of a device, and what it makes of the device's entry.

use super::{Stale, Target};
use crate::dte::{GuestEntry, GuestIds};

/// A guest has the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The domain ID of the page table that the device was lent over. No other domain gets it while
    /// the lease lasts.
    pub parent: u16,
    /// How the hardware knows the device.
    pub ids: GuestIds,
    /// What the guest wants.
    pub guest: GuestEntry,
}

impl Lease {
    /// A lease that has just begun.
    pub(super) fn new(parent: u16, ids: GuestIds) -> Self {
        Self {
            parent,
            ids,
            guest: GuestEntry::Stage2,
        }
    }

    /// The same lease, for a guest that wants something else.
    pub(super) fn with_guest(self, guest: GuestEntry) -> Self {
        Self { guest, ..self }
    }
}

/// A device table entry, but for the page table's root, which only the driver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The device is not lent.
    Plain(Target),
    /// A guest has the device.
    Guest(Lease),
}

impl Entry {
    /// What the hardware may cache under the entry.
    pub fn stale(self) -> Option<Stale> {
        let (domain_id, guest) = match self {
            Self::Plain(Target::Blocked) => None,
            Self::Plain(Target::Identity(id) | Target::Paging(id)) => Some((id, false)),
            Self::Guest(lease) => match lease.guest {
                GuestEntry::Blocked => None,
                GuestEntry::Stage2 => Some((lease.parent, false)),
                GuestEntry::Identity { domain_id, .. } => Some((domain_id, false)),
                GuestEntry::Nested { domain_id, .. } => Some((domain_id, true)),
            },
        }?;

        Some(Stale { domain_id, guest })
    }
}

/// The entry of a device that the core has attached to `target`. A lease gives its guest what it
/// wants over the parent only.
pub(super) fn entry(target: Target, lease: Option<Lease>) -> Entry {
    match lease {
        None => Entry::Plain(target),
        Some(lease) if target == Target::Paging(lease.parent) => Entry::Guest(lease),
        Some(lease) => Entry::Guest(lease.with_guest(GuestEntry::Blocked)),
    }
}

/// What remains of a lease when the core attaches `target`: all of it over the parent, and over the
/// blocking domain, which the core attaches during a reset.
pub(super) fn kept(lease: Option<Lease>, target: Target) -> Option<Lease> {
    lease.filter(|lease| target == Target::Blocked || target == Target::Paging(lease.parent))
}
