// SPDX-License-Identifier: GPL-2.0

//! The host event log, and the rules of appending that it shares with the logs of guests.
//!
//! In an asynchronous model an event reaches the log some time after it was raised, and at times
//! its entry becomes visible later than the tail that announces it, as with real parts
//! (hardware.md 3.2, erratum 732): a reader has to look at the entry, not only at the tail.

use alloc::collections::VecDeque;

use crate::config::OverflowRun;
use crate::event::late::{Delayed, Late};
use crate::event::Event;
use crate::registers::ring::Ring;
use crate::registers::status::{Status, EVENT_INTERRUPT, EVENT_OVERFLOW, EVENT_RUN};
use crate::schedule::Engine;
use crate::system::System;
use crate::Iommu;

/// Most events that are held back.
const MOST_WAITING: usize = 64;

/// One entry in so many is written after the tail has moved.
const ONE_LATE_IN: u64 = 8;

/// How many steps it then takes, on average.
const LATE_STEPS: u64 = 8;

/// State of the host's event log beside its registers.
#[derive(Debug, Default)]
pub struct EventLog {
    /// Events that were raised and are not in the log yet.
    waiting: VecDeque<[u32; 4]>,
    /// An entry that the tail announces but memory does not hold yet.
    late: Option<Late>,
    /// Events that took a place in the log so far.
    pub(super) placed: u64,
    /// The entry that was chosen to be late, until its time comes.
    pub(super) delayed: Option<Delayed>,
    /// An event found no room here while the log stood still; the log has to show an overflow.
    lost: bool,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The log does not run, or has overflowed: the event is dropped silently.
    Dropped,
    /// No entry is free: the event is dropped. The caller signals EVENT_OVERFLOW.
    Overflow,
    /// The tail has moved on; the entry belongs at this address, in the terms of the ring's base.
    /// The caller writes it and, even if that fails, signals EVENT_INTERRUPT (hardware.md 3.9).
    At(u64),
}

/// Takes the next entry of an event log. Sets no status bit but Run, which an overflow clears
/// (OQ-34); the caller signals, because signalling may raise an interrupt.
pub(crate) fn reserve(ring: &mut Ring, status: &mut Status, reading: OverflowRun) -> Slot {
    if !status.has(EVENT_RUN) || status.has(EVENT_OVERFLOW) {
        return Slot::Dropped;
    }
    if ring.is_full() {
        stop(status, reading);
        return Slot::Overflow;
    }
    let address = ring.base.wrapping_add(u64::from(ring.tail));
    ring.tail = ring.after(ring.tail);
    Slot::At(address)
}

fn stop(status: &mut Status, reading: OverflowRun) {
    if reading == OverflowRun::Clears {
        status.put(EVENT_RUN, false);
    }
}

/// The bytes of an entry in memory.
pub(crate) fn bytes(entry: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, word) in bytes.chunks_exact_mut(4).zip(entry) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

impl Iommu {
    /// Logs an event in the host's log: encodes it, counts it, latches hardware errors, appends
    /// it and signals, as the enables and the state of the log say.
    pub(crate) fn report(&mut self, system: &mut dyn System, event: Event) {
        let entry = event.encode_as(&self.config.readings);
        self.counters.count_event(None, event.code());
        if event.is_hardware_error() {
            self.latch_hardware_error(entry);
        }
        // An event that is raised while the log is off never gets there (hardware.md 3.9, Rings).
        if !self.registers.status.has(EVENT_RUN) {
            return;
        }
        if self.schedule.is_async() || self.schedule.is_stalled(Engine::Events) {
            self.hold_back(system, entry);
        } else {
            self.append(system, entry);
        }
    }

    fn hold_back(&mut self, system: &mut dyn System, entry: [u32; 4]) {
        if self.events.waiting.len() >= MOST_WAITING {
            self.make_room(system);
        }
        if self.events.waiting.len() < MOST_WAITING {
            self.events.waiting.push_back(entry);
        } else {
            self.events.lost = true;
        }
        self.wake_engines(system);
    }

    fn make_room(&mut self, system: &mut dyn System) {
        if self.schedule.is_stalled(Engine::Events) {
            return;
        }
        while self.events.waiting.len() >= MOST_WAITING {
            if !self.bring_event(system) {
                return;
            }
        }
    }

    /// Brings one event that was held back to the log, or completes one. Returns false if there
    /// is none.
    pub(crate) fn step_events(&mut self, system: &mut dyn System) -> bool {
        if self.schedule.is_stalled(Engine::Events) {
            return false;
        }
        if self.events.late.is_some() && self.schedule.below(LATE_STEPS) > 0 {
            return true;
        }
        self.bring_event(system)
    }

    fn bring_event(&mut self, system: &mut dyn System) -> bool {
        if let Some(late) = self.events.late.take() {
            self.write_late(system, &late);
        } else if let Some(entry) = self.events.waiting.pop_front() {
            self.append(system, entry);
        } else if core::mem::take(&mut self.events.lost) {
            self.overflow(system);
        } else {
            return false;
        }
        true
    }

    fn append(&mut self, system: &mut dyn System, entry: [u32; 4]) {
        let registers = &mut self.registers;
        let base = registers.event.base;
        let slot = reserve(
            &mut registers.event,
            &mut registers.status,
            self.config.readings.overflow_run,
        );
        match slot {
            Slot::Dropped => {}
            Slot::Overflow => self.signal(system, EVENT_OVERFLOW),
            Slot::At(address) => {
                let late = Late {
                    base,
                    address,
                    entry,
                };
                self.place(system, late);
                self.signal(system, EVENT_INTERRUPT);
            }
        }
    }

    /// Writes an entry that has its place, now or later.
    fn place(&mut self, system: &mut dyn System, late: Late) {
        self.events.placed = self.events.placed.saturating_add(1);
        if self.is_chosen() {
            self.delay(system, late);
        } else if self.schedule.below(ONE_LATE_IN) == 1 {
            self.events.late = Some(late);
        } else {
            late.write(system);
        }
    }

    fn overflow(&mut self, system: &mut dyn System) {
        if self.registers.status.has(EVENT_RUN) {
            stop(
                &mut self.registers.status,
                self.config.readings.overflow_run,
            );
            self.signal(system, EVENT_OVERFLOW);
        }
    }
}
