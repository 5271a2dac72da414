// SPDX-License-Identifier: GPL-2.0

//! Changes of the ID maps that are under way (OQ-20).
//!
//! No source says that an entry is written when the write of the map register is done; a read of
//! the guest's control block is the barrier that a driver can use. An asynchronous model therefore
//! writes the entry after a random delay, or when a register of the block is read. So that
//! nothing is written behind the back of software that has taken the guest apart, RESET_VMMIO of
//! the guest and every change of the control register wait for the entries as well.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::maps::Map;
use crate::system::System;
use crate::Iommu;

/// Most changes under way; one more completes the oldest.
const MOST: usize = 64;

/// What was written into a map register.
#[derive(Clone, Copy, Debug)]
struct Update {
    gid: u16,
    map: Map,
    value: u64,
}

/// Changes under way, the oldest first; always empty in a synchronous model.
#[derive(Debug, Default)]
pub(super) struct Updates(VecDeque<Update>);

impl Updates {
    /// Takes out those of one guest, or all.
    fn take(&mut self, gid: Option<u16>) -> Vec<Update> {
        let concerned = |update: &Update| gid.is_none_or(|gid| update.gid == gid);
        let taken = self.0.iter().copied().filter(concerned).collect();
        self.0.retain(|update| !concerned(update));
        taken
    }
}

impl Iommu {
    /// A map register was written with its Write bit.
    pub(super) fn start_update(&mut self, system: &mut dyn System, gid: u16, map: Map, value: u64) {
        if !self.schedule.is_async() {
            return self.update_map(system, gid, map, value);
        }
        if self.guests.updates.0.len() >= MOST {
            self.step_updates(system);
        }
        self.guests.updates.0.push_back(Update { gid, map, value });
        self.wake_engines(system);
    }

    /// Completes the oldest change. Returns false if there is none.
    pub(crate) fn step_updates(&mut self, system: &mut dyn System) -> bool {
        let Some(Update { gid, map, value }) = self.guests.updates.0.pop_front() else {
            return false;
        };
        self.update_map(system, gid, map, value);
        true
    }

    /// Completes all changes for a guest, or for all.
    pub(super) fn finish_updates(&mut self, system: &mut dyn System, gid: Option<u16>) {
        for Update { gid, map, value } in self.guests.updates.take(gid) {
            self.update_map(system, gid, map, value);
        }
    }
}
