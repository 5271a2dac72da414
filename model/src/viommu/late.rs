// SPDX-License-Identifier: GPL-2.0

//! Events that reach the log of a guest late, as they do in the log of the host (`event::log`): in
//! an asynchronous model an event waits some time before it is appended, and at times its entry is
//! written after the tail has moved.
//!
//! What INSERT_GUEST_EVENT inserts is the effect of a command: it is in memory when the command is
//! done, and with it what was raised before it, so that the order holds.
//!
//! An entry whose log was switched off meanwhile is not written any more, because its memory may
//! be in use for something else; while the log runs it cannot be moved. RESET_VMMIO drops what
//! waits as well: the next owner of the guest ID must not see it.

use alloc::collections::VecDeque;

use crate::event::Event;
use crate::registers::status::EVENT_RUN;
use crate::system::System;
use crate::Iommu;

/// Most events that wait; one more brings the oldest to its log.
const MOST_WAITING: usize = 64;

/// One entry in so many is written after the tail has moved.
const ONE_LATE_IN: u64 = 8;

/// How many steps it then takes, on average.
const LATE_STEPS: u64 = 8;

/// Events under way to the logs of all guests; none in a synchronous model.
#[derive(Debug, Default)]
pub(super) struct LateEvents {
    /// Raised and not in their logs yet, with their guests.
    waiting: VecDeque<(u16, Event)>,
    /// An entry that a tail announces but memory does not hold yet.
    entry: Option<LateEntry>,
}

#[derive(Debug)]
struct LateEntry {
    gid: u16,
    address: u64,
    event: Event,
}

impl LateEvents {
    /// The log of a guest was switched off.
    pub fn log_off(&mut self, gid: u16) {
        self.entry.take_if(|entry| entry.gid == gid);
    }

    /// The log of a guest was reset.
    pub fn log_reset(&mut self, gid: u16) {
        self.log_off(gid);
        self.waiting.retain(|(waiting, _)| *waiting != gid);
    }
}

impl Iommu {
    /// An event was raised for the log of a guest. It is lost if the log does not run.
    pub(super) fn raise_guest_event(&mut self, system: &mut dyn System, gid: u16, event: Event) {
        if !self.schedule.is_async() {
            return self.append_guest_event(system, gid, &event);
        }
        if !self.guests.look(gid).status.has(EVENT_RUN) {
            return;
        }
        while self.guests.late.waiting.len() >= MOST_WAITING {
            self.bring_guest_event(system);
        }
        self.guests.late.waiting.push_back((gid, event));
        self.wake_engines(system);
    }

    /// Brings one event to the log of its guest, or completes one. Returns false if there is none.
    pub(crate) fn step_guest_events(&mut self, system: &mut dyn System) -> bool {
        if self.guests.late.entry.is_some() && self.schedule.below(LATE_STEPS) > 0 {
            return true;
        }
        self.bring_guest_event(system)
    }

    /// Brings all events to the logs of their guests.
    pub(super) fn finish_guest_events(&mut self, system: &mut dyn System) {
        while self.bring_guest_event(system) {}
    }

    fn bring_guest_event(&mut self, system: &mut dyn System) -> bool {
        if let Some(late) = self.guests.late.entry.take() {
            self.write_guest_event(system, late.gid, late.address, &late.event);
        } else if let Some((gid, event)) = self.guests.late.waiting.pop_front() {
            self.append_guest_event(system, gid, &event);
        } else {
            return false;
        }
        true
    }

    /// The tail of a guest's log has moved past `address`: writes the entry there, or leaves that
    /// for later.
    pub(super) fn place_guest_event(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        address: u64,
        event: &Event,
    ) {
        if self.schedule.below(ONE_LATE_IN) != 1 {
            return self.write_guest_event(system, gid, address, event);
        }
        self.guests.late.entry = Some(LateEntry {
            gid,
            address,
            event: *event,
        });
    }
}
