// SPDX-License-Identifier: GPL-2.0

//! The domains of a guest, each of which has a domain ID of the host while a device is in it
//! (hardware reference 4.5 and 7.4).

use super::Action::{self, *};

/// What happens when the last device has left a domain. The domain ID of the host may be used for
/// something else afterwards, so by then nothing names it and nothing is cached under it.
pub const LAST_USER_LEAVES: &[Action] = &[SinkDomain, FlushDomain, ReleaseDomain];

/// What it takes to change the entry of a device, from one of the guest's domain IDs to another.
/// `None` stands for an entry without one, blocked or as it is when the device comes.
///
/// [`Action::JoinDomain`] and [`Action::MapDomain`] are about the domain `new`,
/// [`Action::LeaveDomain`] about `old`. If [`Action::SetEntry`] fails, the device has its old entry
/// or is blocked, and leaves the domain that it has joined; it stays in the old one.
pub fn set_entry(old: Option<u16>, new: Option<u16>) -> &'static [Action] {
    match (old, new) {
        (None, None) => &[SetEntry],
        (Some(old), Some(new)) if old == new => &[SetEntry],
        (None, Some(_)) => &[JoinDomain, SetEntry, MapDomain],
        (Some(_), Some(_)) => &[JoinDomain, SetEntry, MapDomain, LeaveDomain],
        (Some(_), None) => &[SetEntry, LeaveDomain],
    }
}

/// How many devices are in a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Users(u32);

impl Users {
    /// A device joins. Returns whether it is the first one.
    pub fn join(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 == 1
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.0
    }

    /// A device leaves. Returns whether it was the last one.
    pub fn leave(&mut self) -> bool {
        let last = self.0 == 1;
        self.0 = self.0.saturating_sub(1);
        last
    }
}
