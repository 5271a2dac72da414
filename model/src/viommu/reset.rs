// SPDX-License-Identifier: GPL-2.0

//! RESET_VMMIO: the registers of a guest as at power-on (OQ-8, OQ-30).
//!
//! All means every register and every engine of the guest; vCmd without All means the command
//! engine: GUEST_CMD_CONTROL, its pointers and its status bits. With neither bit nothing is named
//! and nothing happens. The ID maps in memory are not touched.

use super::control::Register;
use super::guest::Guest;
use super::Part;
use crate::config::ResetScope;
use crate::registers::status::COMPLETION_INTERRUPT;
use crate::system::System;
use crate::Iommu;

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
        let guest = self.guests.touch(gid);
        if all {
            *guest = Guest::after_reset();
        } else {
            guest.block.set(Register::Command, 0);
            guest.pointers.command_head = 0;
            guest.pointers.command_tail = 0;
            guest.status.put(COMPLETION_INTERRUPT, false);
        }
        self.refresh_guest(system, gid);
        self.save_block(system, gid, Part::Commands);
        self.reset_dirty(system, gid);
    }

    /// OQ-30: whether the dirty bit goes as well.
    fn reset_dirty(&mut self, system: &mut dyn System, gid: u16) {
        let scope = self.config.readings.reset_scope;
        if scope == ResetScope::Registers || !self.viommu_on() {
            return;
        }
        if let Err(fault) = self.set_dirty(system, gid, false) {
            self.report_fault(system, gid, Part::Commands, &fault);
        }
    }
}
