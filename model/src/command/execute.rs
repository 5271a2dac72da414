// SPDX-License-Identifier: GPL-2.0

//! What each host command does.

use alloc::format;

use crate::command::window::Wait;
use crate::command::Command;
use crate::referee::Rule;
use crate::registers::status::COMPLETION_INTERRUPT;
use crate::system::System;
use crate::Iommu;

impl Iommu {
    /// Executes a command other than COMPLETION_WAIT, which [`Iommu::complete`] does.
    pub(super) fn execute(&mut self, system: &mut dyn System, command: Command) {
        self.counters.count_command(None, command.opcode());
        self.judge_pending(system);
        match command {
            Command::InvalidateDevtabEntry { device } => self.drop_device_entry(system, device),
            Command::InvalidateIommuPages {
                domain,
                pasid,
                pages,
                directories,
            } => self.drop_pages(domain, pasid, pages, directories),
            Command::InvalidateIotlbPages { device, .. } => self.invalidate_iotlb(system, device),
            Command::InvalidateIommuAll => self.drop_all(),
            Command::InsertGuestEvent { gid } => self.insert_guest_event(system, gid),
            Command::ResetVmmio { gid, all, command } => {
                self.reset_vmmio(system, gid, all, command)
            }
            Command::InvalidateInterruptTable { device } => self.drop_interrupts(device),
            Command::CompletionWait { .. } => {}
        }
    }

    /// COMPLETION_WAIT, when all earlier commands have taken effect: first the store, then the
    /// interrupt, so that who sees the interrupt sees the value (hardware.md 3.9, Commands).
    pub(super) fn complete(&mut self, system: &mut dyn System, wait: Wait) {
        self.counters.count_command(None, 1);
        if let Some((address, value)) = wait.store {
            if system.write_u64(address, value).is_err() {
                return self.refuse_failed(system, wait.address, address);
            }
        }
        if wait.interrupt {
            self.signal(system, COMPLETION_INTERRUPT);
        }
    }

    /// No device of the model has an IOTLB, so that every device has answered at once. One whose
    /// entry says that it has none must not be asked. The entry in memory counts, not the cached
    /// one: the referee leaves the caches alone, and software may have switched I on just now.
    fn invalidate_iotlb(&mut self, system: &mut dyn System, device: u16) {
        let has_iotlb = self
            .read_device_entry(system, device)
            .is_ok_and(|entry| entry.iotlb());
        if !has_iotlb {
            self.referee
                .report(Rule::IotlbForeignDevice, u64::from(device), || {
                    format!(
                        "INVALIDATE_IOTLB_PAGES was sent to device {device:#06x}, \
                         whose device-table entry has I = 0."
                    )
                });
        }
    }
}
