// SPDX-License-Identifier: GPL-2.0

//! RESET_VMMIO: the registers of a guest as at power-on (OQ-8, OQ-30).
//!
//! With neither All nor vCmd nothing is named and nothing happens. The command engine is
//! GUEST_CMD_CONTROL, its pointers and its status bits. The ID maps in memory are not touched.

use super::control::{Block, Register};
use super::guest::Guest;
use super::Part;
use crate::config::{ResetFlags, ResetScope};
use crate::registers::status::{COMMAND_RUN, COMPLETION_INTERRUPT};
use crate::system::System;
use crate::Iommu;

/// What a command resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Everything,
    /// The command engine.
    Commands,
    /// All but the command engine.
    Others,
}

/// OQ-8: what the bits of a command that sets at least one of them reach.
fn reach(flags: ResetFlags, all: bool, command: bool) -> Reach {
    match (flags, all, command) {
        (ResetFlags::Whole, _, _) | (ResetFlags::Engine, true, _) | (_, true, true) => {
            Reach::Everything
        }
        (ResetFlags::Apart, true, false) => Reach::Others,
        (ResetFlags::Engine | ResetFlags::Apart, false, _) => Reach::Commands,
    }
}

/// A guest whose command engine is reset.
fn without_commands(mut guest: Guest) -> Guest {
    guest.block.set(Register::Command, 0);
    guest.pointers.command_head = 0;
    guest.pointers.command_tail = 0;
    guest.status.put(COMPLETION_INTERRUPT, false);
    guest
}

/// A guest of which only the command engine is left. The referee does not take that for the
/// beginning of a life: a careful driver sets both bits.
fn only_commands(old: Guest) -> Guest {
    let mut guest = old;
    guest.block = Block::default();
    guest
        .block
        .set(Register::Command, old.block.get(Register::Command));
    guest.pointers.event_head = 0;
    guest.pointers.event_tail = 0;
    guest
        .status
        .put(!(COMMAND_RUN | COMPLETION_INTERRUPT), false);
    guest.held = None;
    guest
}

/// OQ-30: what software programs after the reset in any case stays.
fn keep_misc(block: &mut Block, old: &Block) {
    for register in [Register::DeviceMap, Register::DomainMap, Register::Misc] {
        block.set(register, old.get(register));
    }
}

impl Iommu {
    /// RESET_VMMIO.
    pub(crate) fn reset_vmmio(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        all: bool,
        command: bool,
    ) {
        if !self.config.features.viommu() || !(all || command) {
            return;
        }
        self.finish_updates(system, Some(gid));
        self.reset_registers(gid, reach(self.config.readings.reset_flags, all, command));
        self.refresh_guest(system, gid);
        self.save_block(system, gid, Part::Commands);
        self.reset_dirty(system, gid);
    }

    fn reset_registers(&mut self, gid: u16, reach: Reach) {
        if reach != Reach::Commands {
            self.guests.late.log_reset(gid);
        }
        let guest = self.guests.touch(gid);
        let old = *guest;
        *guest = match reach {
            Reach::Everything => Guest::after_reset(),
            Reach::Commands => without_commands(old),
            Reach::Others => only_commands(old),
        };
        if self.config.readings.reset_scope == ResetScope::RegistersButMisc {
            keep_misc(&mut guest.block, &old.block);
        }
    }

    /// OQ-30: whether the dirty bit goes as well.
    fn reset_dirty(&mut self, system: &mut dyn System, gid: u16) {
        let scope = self.config.readings.reset_scope;
        if scope != ResetScope::RegistersAndDirty || !self.viommu_on() {
            return;
        }
        if let Err(fault) = self.set_dirty(system, gid, false) {
            self.report_fault(system, gid, Part::Commands, &fault);
        }
    }
}
