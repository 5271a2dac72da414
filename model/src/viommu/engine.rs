// SPDX-License-Identifier: GPL-2.0

//! The command engine of a guest: when it works, and how it fetches and stops.
//!
//! In a synchronous model the commands are done when the write of the tail returns, as long as
//! they are not too many: a call does [`MOST_COMMANDS`] at most, whoever gave them, and what is
//! left is done by [`Iommu::run`]. A ring has room for 32767 commands, and one write of the
//! control register can start the engines of 65536 guests. In an asynchronous model each step of
//! the schedule does one command of one guest.
//!
//! INVALIDATE_IOMMU_ALL of a guest reads both of its maps, a hundred thousand entries. Nothing is
//! cached for a device while a call works on commands, so that the second one in a call finds
//! nothing to drop and is not carried out. Once it has been executed for a guest, all other
//! guests wait for the next call: neither a long ring nor many guests multiply the cost.

use super::execute::Fetched;
use super::memory::{Fault, Space};
use super::Part;
use crate::config::{GuestNotice, RefusedHead, UnmappedId};
use crate::event::{Event, HardwareError, VFlags};
use crate::registers::ring::Ring;
use crate::registers::status::COMMAND_RUN;
use crate::schedule::Engine;
use crate::system::System;
use crate::Iommu;

/// Most commands of guests in one call of a synchronous model: some milliseconds.
const MOST_COMMANDS: u32 = 512;

/// Why a command stops the engine of its guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The command, at this system physical address, is not one that a guest may give.
    Illegal(u64),
    /// Memory could not be reached.
    Fault(Fault),
    /// An ID has no valid map entry.
    Unmapped {
        /// System physical address of the command.
        command: u64,
        /// Private address of the map entry.
        entry: u64,
    },
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal::Fault(fault)
    }
}

impl Iommu {
    /// The guest wrote its command tail.
    pub(super) fn ring_doorbell(&mut self, system: &mut dyn System, gid: u16) {
        if !self.guests.look(gid).has_commands() {
            self.guests.ready.remove(&gid);
            return;
        }
        match self.set_dirty(system, gid, true) {
            Ok(()) => {
                self.guest_commands_ready(gid);
                self.start_guests(system);
            }
            Err(fault) => {
                let command = self.guests.look(gid).commands().at_head();
                self.refuse(system, gid, command, Refusal::Fault(fault));
            }
        }
    }

    /// A command engine may have something to do: its tail moved, or it started to run.
    pub(super) fn guest_commands_ready(&mut self, gid: u16) {
        if self.guests.look(gid).has_commands() {
            self.guests.ready.insert(gid);
        }
    }

    /// Works for the guests that have commands: at once in a synchronous model, as far as one call
    /// may; later in an asynchronous one.
    pub(crate) fn start_guests(&mut self, system: &mut dyn System) {
        if self.guests.ready.is_empty() {
            return;
        }
        if self.schedule.is_async() {
            return self.wake_engines(system);
        }
        self.guests_call_begins();
        for _ in 0..MOST_COMMANDS {
            if !self.step_guests(system) {
                return;
            }
        }
        self.go_on_later(system);
    }

    /// A call that works for guests begins; until the next one INVALIDATE_IOMMU_ALL reads the maps
    /// of one guest only.
    pub(crate) fn guests_call_begins(&mut self) {
        self.guests.emptied = None;
    }

    /// Executes one command of a guest that has some. Returns false if no guest has any.
    pub(crate) fn step_guests(&mut self, system: &mut dyn System) -> bool {
        let Some(gid) = self.pick_guest() else {
            return false;
        };
        self.guests.turn = gid.wrapping_add(1);
        if self.guests.emptied.is_none_or(|emptied| emptied == gid) {
            self.step_guest(system, gid);
        }
        true
    }

    /// A guest with commands whose engine does not stand still: the first one from a random ID on,
    /// in a synchronous model the next one in turn, so that none has to wait for a busy one.
    fn pick_guest(&mut self) -> Option<u16> {
        let start = if self.schedule.is_async() {
            self.schedule.below(1 << 16) as u16
        } else {
            self.guests.turn
        };
        let ready = &self.guests.ready;
        ready
            .range(start..)
            .chain(ready.range(..start))
            .copied()
            .find(|gid| !self.schedule.is_stalled(Engine::GuestCommands(*gid)))
    }

    /// Fetches and executes one command.
    fn step_guest(&mut self, system: &mut dyn System, gid: u16) {
        let ring = self.guests.look(gid).commands();
        let done = self
            .fetch_guest(system, gid, &ring)
            .map_err(Refusal::Fault)
            .and_then(|fetched| self.execute_guest(system, gid, &fetched));
        let head = match done {
            Ok(()) => ring.after(ring.head),
            Err(_) => self.refused_head(&ring),
        };
        self.guests.touch(gid).pointers.command_head = head;
        if let Err(refusal) = done {
            self.refuse(system, gid, ring.at_head(), refusal);
        }
        if !self.guests.look(gid).has_commands() {
            self.guests.ready.remove(&gid);
        }
    }

    /// Reads the command at the head: a guest physical address (hardware.md 6.5).
    fn fetch_guest(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        ring: &Ring,
    ) -> Result<Fetched, Fault> {
        let mut bytes = [0; 16];
        let place = (Space::Guest, ring.at_head());
        let resolved = self.engine_read(system, gid, place, &mut bytes)?;
        Ok(Fetched::new(&bytes, resolved))
    }

    /// Where the head stands after a refused command (OQ-33).
    fn refused_head(&self, ring: &Ring) -> u32 {
        match self.config.readings.refused_head {
            RefusedHead::OnCommand => ring.head,
            RefusedHead::BehindCommand => ring.after(ring.head),
            RefusedHead::AtTail => ring.tail,
        }
    }

    /// Stops the command engine of a guest at the command at this guest physical address
    /// (hardware.md 6.5, OQ-14). The guest sees CmdBufRun = 0, and an event only where a reading
    /// says so. Each stop costs the host at most one event, and one more with which the guest's
    /// log stops as well, so that a guest cannot flood the host's log without the help of the
    /// host, which alone can restart the engines.
    fn refuse(&mut self, system: &mut dyn System, gid: u16, command: u64, refusal: Refusal) {
        let guest = self.guests.touch(gid);
        guest.status.put(COMMAND_RUN, false);
        self.guests.ready.remove(&gid);
        self.tell_host(system, gid, refusal);
        if self.config.readings.guest_notice == GuestNotice::Event {
            self.raise_guest_event(system, gid, guest_notice(command, refusal));
        }
    }

    fn tell_host(&mut self, system: &mut dyn System, gid: u16, refusal: Refusal) {
        let vflags = Part::Commands.flags();
        let illegal = self.config.readings.unmapped_id == UnmappedId::IllegalCommand;
        let event = match refusal {
            Refusal::Fault(fault) => {
                return self.report_fault(system, gid, Part::Commands, &fault);
            }
            Refusal::Unmapped { entry, .. } if !illegal => Event::ViommuHardwareError {
                gid,
                source: Part::Commands.source(),
                write: false,
                present: false,
                permission: false,
                address: entry,
                vflags,
            },
            Refusal::Illegal(address)
            | Refusal::Unmapped {
                command: address, ..
            } => Event::IllegalCommand { address, vflags },
        };
        self.report(system, event);
    }
}

/// What a base IOMMU says of such a command in its own log: guest physical addresses, and
/// nothing of the private address space.
fn guest_notice(command: u64, refusal: Refusal) -> Event {
    let vflags = VFlags::default();
    let address = match refusal {
        Refusal::Illegal(_) | Refusal::Unmapped { .. } => {
            let address = command;
            return Event::IllegalCommand { address, vflags };
        }
        Refusal::Fault(fault) if fault.space == Space::Guest => fault.address,
        Refusal::Fault(_) => command,
    };
    Event::CommandHardwareError {
        address,
        error: HardwareError::DataError,
        vflags,
    }
}
