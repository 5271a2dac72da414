// SPDX-License-Identifier: GPL-2.0

//! What a careful driver does not do with the vIOMMU. Nothing here changes behaviour, and so
//! nothing here goes through a cache.
//!
//! Only the host is judged. What a guest writes into its VF page is never a violation: the
//! guest is hostile, and its mistakes are not those of the driver.

use alloc::format;

use super::control::Register;
use super::memory::{Fault, Space};
use crate::device_table::DeviceEntry;
use crate::referee::Rule;
use crate::system::System;
use crate::walk::Unresolved;
use crate::Iommu;

/// Tells places in the VF control block from offsets of MMIO registers.
const CONTROL_BLOCK: u64 = 1 << 32;

impl Iommu {
    /// An access to a control block that no source shows (hardware.md 6.2).
    pub(super) fn judge_width(&mut self, offset: u64, size: u8) {
        let place = CONTROL_BLOCK | (offset & 0x3f);
        self.referee.report(Rule::BadAccessWidth, place, || {
            format!("A VF control block was accessed at {offset:#x} with {size} bytes.")
        });
    }

    /// Bits that are not known are written as 0 or as they were (OQ-16).
    pub(super) fn judge_reserved(&mut self, gid: u16, register: Register, strange: u64) {
        if strange == 0 {
            return;
        }
        let offset = register.offset();
        let place = CONTROL_BLOCK | offset;
        self.referee.report(Rule::ReservedRegisterBit, place, || {
            format!(
                "Reserved bits {strange:#x} were set in the VF control block of guest {gid:#x} at {offset:#x}."
            )
        });
    }

    /// A map entry is not written while the vIOMMU is off, and nothing says so (OQ-39).
    pub(super) fn judge_map_closed(&mut self, gid: u16) {
        self.referee
            .report(Rule::MapNotEnabled, u64::from(gid), || {
                format!(
                    "A map register of guest {gid:#x} was written while IommuEn or vIommuEn is 0."
                )
            });
    }

    /// Power-on contents are not stated: a guest ID begins with RESET_VMMIO (hardware.md 7.2), and
    /// so does its next life.
    pub(super) fn judge_reset(&mut self, gid: u16) {
        if self.guests.look(gid).reset {
            return;
        }
        self.referee
            .report(Rule::GuestNotReset, u64::from(gid), || {
                format!("Guest {gid:#x} was used without RESET_VMMIO since power-on or since its last guest.")
            });
    }

    /// Queues and the translate device ID stand still while an engine runs (hardware.md 6.2).
    pub(super) fn judge_busy(&mut self, gid: u16, what: &str) {
        self.referee.report(Rule::GuestBusy, u64::from(gid), || {
            format!("{what} of guest {gid:#x} was changed while its engine was enabled.")
        });
    }

    /// Mode 0 is not modelled.
    pub(super) fn judge_mode(&mut self, gid: u16) {
        self.referee
            .report(Rule::PrivateUnmapped, u64::from(gid), || {
                format!(
                    "An engine of guest {gid:#x} was enabled with GstBufferTRPMode = 0, but this part serves no buffers in the private address space."
                )
            });
    }

    /// An access of an engine failed. Guest memory that is not there is the guest's own affair.
    pub(super) fn judge_fault(&mut self, gid: u16, fault: &Fault) {
        match fault.space {
            Space::Private => self.judge_private(gid, fault),
            Space::Guest if fault.cause == Unresolved::Entry => self.judge_translate_entry(gid),
            Space::Guest => {}
        }
    }

    /// Something of the private address space is not there.
    fn judge_private(&mut self, gid: u16, fault: &Fault) {
        let address = fault.address;
        let kind = if fault.write { "write" } else { "read" };
        let why = words(fault.cause);
        self.referee
            .report(Rule::PrivateUnmapped, u64::from(gid), || {
                format!(
                    "A {kind} of private address {address:#x} for guest {gid:#x} failed: {why}."
                )
            });
    }

    /// The translate device ID of a guest translates as long as an engine runs (5.5). 0 is a real
    /// requester and what the register holds when nobody wrote it.
    pub(super) fn judge_translate_id(&mut self, system: &mut dyn System, gid: u16) {
        let id = self.guests.look(gid).block.translate_id();
        if id == 0 || !self.translates(system, id) {
            self.judge_translate_entry(gid);
        }
    }

    /// An engine of a guest needs its translate device ID, whose entry does not translate.
    fn judge_translate_entry(&mut self, gid: u16) {
        let id = self.guests.look(gid).block.translate_id();
        self.referee.report(Rule::TranslateIdInvalid, u64::from(gid), || {
            format!(
                "An engine of guest {gid:#x} is enabled and the entry of its translate device ID {id:#06x} does not translate."
            )
        });
    }

    /// Whether the entry of a requester, as it is in memory, leads to a host table.
    fn translates(&self, system: &mut dyn System, requester: u16) -> bool {
        let Some(address) = self.registers.device_entry_address(requester) else {
            return false;
        };
        let mut bytes = [0; 32];
        if system.read(address, &mut bytes).is_err() {
            return false;
        }
        let entry = decode(&bytes);
        entry.valid() && entry.translation_valid() && (1..=6).contains(&entry.mode())
    }
}

fn words(cause: Unresolved) -> &'static str {
    match cause {
        Unresolved::Entry => "the device-table entry does not translate",
        Unresolved::NotPresent => "there is no page",
        Unresolved::Permission => "the page does not allow it",
        Unresolved::BadTable => "an entry of the table is bad",
        Unresolved::Failed => "memory did not answer",
    }
}

fn decode(bytes: &[u8; 32]) -> DeviceEntry {
    let mut words = [0; 4];
    for (word, part) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = part
            .iter()
            .rev()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte));
    }
    DeviceEntry(words)
}
