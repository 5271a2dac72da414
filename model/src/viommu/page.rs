// SPDX-License-Identifier: GPL-2.0

//! The VF aperture: one page for each guest, the image of MMIO 2000h-2FFFh of the IOMMU that the
//! guest sees (hardware.md 6.1). The guest accesses it without exits, so nothing in it is
//! trusted.
//!
//! Registers behave as those at the same offset of the base map (3.1, 3.2). Those of PPR and of
//! the second logs read as 0.

use super::control::{is_regular, merged, part_of};
use super::guest::Pointers;
use crate::counters::{Accesses, Aperture};
use crate::registers::ring::Ring;
use crate::registers::status::{
    COMMAND_RUN, COMPLETION_INTERRUPT, EVENT_INTERRUPT, EVENT_OVERFLOW, EVENT_RUN,
};
use crate::system::System;
use crate::Iommu;

const PAGE_SIZE: u64 = 0x1000;

/// Status bits that a written 1 clears.
const STATUS_W1C: u64 = EVENT_OVERFLOW | EVENT_INTERRUPT | COMPLETION_INTERRUPT;

/// Key under which accesses to all other offsets are counted.
const OTHER: u32 = 0xff8;

/// A register of the VF page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    CommandHead,
    CommandTail,
    EventHead,
    EventTail,
    Status,
    /// Reads as 0, ignores writes.
    Other,
}

impl Register {
    fn at(offset: u64) -> Self {
        match offset & (PAGE_SIZE - 1) & !7 {
            0x00 => Register::CommandHead,
            0x08 => Register::CommandTail,
            0x10 => Register::EventHead,
            0x18 => Register::EventTail,
            0x20 => Register::Status,
            _ => Register::Other,
        }
    }

    fn key(self) -> u32 {
        match self {
            Register::CommandHead => 0x00,
            Register::CommandTail => 0x08,
            Register::EventHead => 0x10,
            Register::EventTail => 0x18,
            Register::Status => 0x20,
            Register::Other => OTHER,
        }
    }
}

impl Iommu {
    /// Reads the VF aperture; `offset` is that from its base.
    pub fn vf_read(&mut self, _system: &mut dyn System, offset: u64, size: u8) -> u64 {
        let Some(gid) = self.page_access(offset, size) else {
            return 0;
        };
        let register = Register::at(offset);
        self.count_page(register).reads += 1;
        part_of(self.page_register(gid, register), offset, size)
    }

    /// Writes the VF aperture.
    pub fn vf_write(&mut self, system: &mut dyn System, offset: u64, size: u8, value: u64) {
        let Some(gid) = self.page_access(offset, size) else {
            return;
        };
        let register = Register::at(offset);
        self.count_page(register).writes += 1;
        let old = match register {
            // A half that is not written must not clear anything.
            Register::Status => 0,
            _ => self.page_register(gid, register),
        };
        self.write_page(system, gid, register, merged(old, offset, size, value));
    }

    /// The guest that an access is for, if the aperture answers it.
    fn page_access(&self, offset: u64, size: u8) -> Option<u16> {
        if !self.apertures_live() || !is_regular(offset, size) {
            return None;
        }
        u16::try_from(offset / PAGE_SIZE).ok()
    }

    fn count_page(&mut self, register: Register) -> &mut Accesses {
        let key = (Aperture::Vf, register.key());
        self.counters.registers.entry(key).or_default()
    }

    fn page_register(&self, gid: u16, register: Register) -> u64 {
        let guest = self.guests.look(gid);
        let pointers = guest.pointers;
        match register {
            Register::CommandHead => u64::from(pointers.command_head),
            Register::CommandTail => u64::from(pointers.command_tail),
            Register::EventHead => u64::from(pointers.event_head),
            Register::EventTail => u64::from(pointers.event_tail),
            Register::Status => guest.status.0,
            Register::Other => 0,
        }
    }

    fn write_page(&mut self, system: &mut dyn System, gid: u16, register: Register, value: u64) {
        match register {
            Register::Status => {
                let guest = self.guests.touch(gid);
                guest.status.put(value & STATUS_W1C, false);
            }
            Register::Other => {}
            _ => self.write_pointer(system, gid, register, value),
        }
    }

    /// The head of the command buffer and the tail of the event log belong to the hardware while
    /// the engine runs; a value beyond the ring is ignored (3.2).
    fn write_pointer(&mut self, system: &mut dyn System, gid: u16, register: Register, value: u64) {
        let guest = self.guests.touch(gid);
        let (commands, events) = (guest.commands().bytes(), guest.events().bytes());
        let status = guest.status;
        let Pointers {
            command_head,
            command_tail,
            event_head,
            event_tail,
        } = &mut guest.pointers;
        let (target, bytes, owned) = match register {
            Register::CommandHead => (command_head, commands, status.has(COMMAND_RUN)),
            Register::CommandTail => (command_tail, commands, false),
            Register::EventTail => (event_tail, events, status.has(EVENT_RUN)),
            _ => (event_head, events, false),
        };
        if !owned && Ring::set_pointer(target, bytes, value) && register == Register::CommandTail {
            self.ring_doorbell(system, gid);
        }
    }
}
