// SPDX-License-Identifier: GPL-2.0

//! What the engines of guests read and write: the private address space (hardware.md 5.1, 5.2),
//! through the host table of the IOMMU's own entry, and guest memory, through the host table of
//! the guest's translate device ID (5.5), which is not nested (OQ-25).
//!
//! The first region holds the state behind the registers of a guest. The model keeps registers
//! itself and writes the control block there whenever it changes, so that a missing mapping shows.
//! What lies where in the 64 bytes is private to the hardware.

use super::Part;
use crate::bits::field;
use crate::config::{DirtyShift, GuestAccess, PrivateFault};
use crate::event::{Access, Event, HardwareError, VFlags};
use crate::system::System;
use crate::walk::Unresolved;
use crate::Iommu;

/// Private address of the state behind the registers, 64 bytes for each guest.
const BACKING: u64 = 0;
/// Private address of the dirty status of command buffers, one bit for each guest.
const DIRTY: u64 = 0x40_0000;

/// How often the dirty bit is tried to set while processors change its word.
const ATTEMPTS: u32 = 16;

/// Where an address of an engine belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The private address space of the IOMMU.
    Private,
    /// The memory of a guest.
    Guest,
}

/// An access of an engine that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub space: Space,
    pub address: u64,
    pub write: bool,
    pub cause: Unresolved,
}

impl Fault {
    /// PR and PE of the event.
    fn flags(&self) -> (bool, bool) {
        match self.cause {
            Unresolved::Permission => (true, true),
            Unresolved::BadTable => (true, false),
            Unresolved::Entry | Unresolved::NotPresent | Unresolved::Failed => (false, false),
        }
    }

    /// The same access, resolved, that nothing answered.
    fn unanswered(self) -> Self {
        Fault {
            cause: Unresolved::Failed,
            ..self
        }
    }
}

impl Part {
    /// Flags of an event that this engine causes.
    pub fn flags(self) -> VFlags {
        VFlags {
            command: self == Part::Commands,
            ppr: self == Part::Requests,
            event: self == Part::Events,
        }
    }

    /// Source code of VIOMMU_HARDWARE_ERROR (OQ-9).
    pub fn source(self) -> u8 {
        match self {
            Part::Commands => 0,
            Part::Events => 1,
            Part::Requests => 2,
        }
    }
}

/// Private address of the 64-bit word that holds the dirty bit of a guest, and the bit (5.4).
fn dirty_position(gid: u16, shift: DirtyShift) -> (u64, u32) {
    let gid = u64::from(gid);
    let shift = match shift {
        DirtyShift::Five => 5,
        DirtyShift::Four => 4,
    };
    let byte = (field(gid, 7, 0) << shift) | (field(gid, 15, 13) << 2);
    let bit = field(gid, 12, 8) | (field(byte, 2, 2) << 5);
    (DIRTY | (byte & !7), bit as u32)
}

impl Iommu {
    /// The requester ID whose entry leads to a space.
    fn requester(&self, gid: u16, space: Space) -> u16 {
        match space {
            Space::Private => self.config.device_id,
            Space::Guest => self.guests.look(gid).block.translate_id(),
        }
    }

    /// Resolves an address of an engine. None of these accesses crosses a page.
    fn resolve_engine(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        mut fault: Fault,
    ) -> Result<u64, Fault> {
        let requester = self.requester(gid, fault.space);
        self.resolve_host(system, requester, fault.address, fault.write)
            .map_err(|cause| {
                fault.cause = cause;
                fault
            })
    }

    /// Reads at an address of an engine. Returns the system physical address as well.
    pub(super) fn engine_read(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        (space, address): (Space, u64),
        buffer: &mut [u8],
    ) -> Result<u64, Fault> {
        let access = access(space, address, false);
        let resolved = self.resolve_engine(system, gid, access)?;
        system
            .read(resolved, buffer)
            .map_err(|_| access.unanswered())?;
        Ok(resolved)
    }

    /// Writes at an address of an engine.
    pub(super) fn engine_write(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        (space, address): (Space, u64),
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let access = access(space, address, true);
        let resolved = self.resolve_engine(system, gid, access)?;
        system
            .write(resolved, bytes)
            .map_err(|_| access.unanswered())
    }

    /// Writes the control block of a guest to its place in memory. The registers keep their
    /// values if it cannot be written.
    pub(super) fn save_block(&mut self, system: &mut dyn System, gid: u16, part: Part) {
        if !self.viommu_on() {
            return;
        }
        let bytes = self.guests.look(gid).block.to_bytes();
        let address = BACKING | (u64::from(gid) << 6);
        if let Err(fault) = self.engine_write(system, gid, (Space::Private, address), &bytes) {
            self.report_fault(system, gid, part, &fault);
        }
    }

    /// Sets or clears the dirty bit of a guest: there is work in its command buffer (OQ-15). The
    /// word is shared with other guests and with software that clears bits.
    pub(super) fn set_dirty(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        on: bool,
    ) -> Result<(), Fault> {
        let (word, bit) = dirty_position(gid, self.config.readings.dirty_shift);
        let access = access(Space::Private, word, true);
        let address = self.resolve_engine(system, gid, access)?;
        let mut old = system.read_u64(address).map_err(|_| access.unanswered())?;
        for _ in 0..ATTEMPTS {
            let new = if on {
                old | 1 << bit
            } else {
                old & !(1 << bit)
            };
            if new == old {
                break;
            }
            let found = system
                .compare_exchange(address, old, new)
                .map_err(|_| access.unanswered())?;
            if found == old {
                break;
            }
            old = found;
        }
        Ok(())
    }

    /// Logs a failed access of an engine in the host's log (OQ-14, OQ-41).
    pub(super) fn report_fault(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        part: Part,
        fault: &Fault,
    ) {
        self.judge_fault(gid, fault);
        let (present, permission) = fault.flags();
        let readings = &self.config.readings;
        let page_fault = match fault.space {
            Space::Private => readings.private_fault == PrivateFault::PageFault,
            Space::Guest => readings.guest_access == GuestAccess::PageFault,
        };
        let command_error = fault.space == Space::Guest
            && part == Part::Commands
            && readings.guest_access == GuestAccess::CommandError;
        if page_fault {
            return self.report_page_fault(system, gid, part, fault);
        }
        if command_error {
            return self.report_command_error(system, part, fault);
        }
        let event = Event::ViommuHardwareError {
            gid,
            source: part.source(),
            write: fault.write,
            present,
            permission,
            address: fault.address,
            vflags: part.flags(),
        };
        self.report(system, event);
    }

    /// OQ-14, OQ-41: IO_PAGE_FAULT of the requester ID through whose entry the access went.
    fn report_page_fault(&mut self, system: &mut dyn System, gid: u16, part: Part, fault: &Fault) {
        let (present, permission) = fault.flags();
        let device = self.requester(gid, fault.space);
        let domain = self
            .device_entry(system, device)
            .map_or(0, |entry| entry.domain());
        let access = Access {
            device,
            write: fault.write,
            ..Access::default()
        };
        let event = Event::IoPageFault {
            access,
            domain,
            present,
            permission,
            reserved: false,
            address: fault.address,
            vflags: part.flags(),
        };
        self.report(system, event);
    }

    /// OQ-14: as the host is told of its own command ring. There is no system physical address to
    /// show, so the address is that of the access.
    fn report_command_error(&mut self, system: &mut dyn System, part: Part, fault: &Fault) {
        let event = Event::CommandHardwareError {
            address: fault.address,
            error: HardwareError::DataError,
            vflags: part.flags(),
        };
        self.report(system, event);
    }
}

/// An access that is about to be made.
fn access(space: Space, address: u64, write: bool) -> Fault {
    Fault {
        space,
        address,
        write,
        cause: Unresolved::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dirty_positions_are_those_of_the_worked_examples() {
        // gid, byte with shift 4, byte with shift 5, bit of the 32-bit word there.
        let table = [
            (0x0, 0x0, 0x0, 0),
            (0x1, 0x10, 0x20, 0),
            (0x10, 0x100, 0x200, 0),
            (0xff, 0xff0, 0x1fe0, 0),
            (0x100, 0x0, 0x0, 1),
            (0x7fff, 0xffc, 0x1fec, 31),
            (0x8000, 0x10, 0x10, 0),
            (0xffff, 0xffc, 0x1ffc, 31),
        ];
        for (gid, four, five, bit) in table {
            for (shift, byte) in [(DirtyShift::Four, four), (DirtyShift::Five, five)] {
                let expected: (u64, u32) = (
                    0x40_0000 + (byte & !7),
                    bit + if byte & 4 != 0 { 32 } else { 0 },
                );
                assert_eq!(dirty_position(gid, shift), expected, "{gid:x} {shift:?}");
            }
        }
    }
}
