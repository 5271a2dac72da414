// SPDX-License-Identifier: GPL-2.0

//! What the referee says of interrupt tables.

use alloc::format;

use crate::interrupt::entry::InterruptEntry;
use crate::interrupt::{Refused, Slot};
use crate::referee::{Owed, Rule};
use crate::system::System;
use crate::Iommu;

/// Alignment that every table has (hardware.md 3.6).
const ALIGNMENT: u64 = 128;

impl Iommu {
    /// An interrupt used a cached entry; compares it with memory.
    pub(super) fn check_kept_interrupt(
        &mut self,
        system: &mut dyn System,
        slot: Slot,
        kept: InterruptEntry,
        find: impl Fn(&mut Iommu, &mut dyn System) -> Result<u64, Refused>,
    ) {
        if !self.caches.is_interrupt_check_due(self.config.check_hits) {
            return;
        }
        let Ok(address) = find(self, system) else {
            return self.note_stale(system, slot, kept, None);
        };
        // Of memory that cannot be read nobody knows what it held.
        let Ok(memory) = self.read_interrupt_entry(system, address) else {
            return;
        };
        if !kept.agrees_with(memory) {
            self.note_stale(system, slot, kept, Some(memory));
        }
    }

    fn note_stale(
        &mut self,
        system: &mut dyn System,
        slot: Slot,
        kept: InterruptEntry,
        memory: Option<InterruptEntry>,
    ) {
        let (requester, number) = (slot.requester, slot.number());
        let place = u64::from(requester);
        self.caches.pending.note(Owed::Interrupt(slot), place, system.now(), || {
            let held = memory.map_or("no such entry".into(), show);
            format!(
                "Interrupt {number:x} of {requester:04x} used the cached table entry {}; memory held {held}, and no INVALIDATE_INTERRUPT_TABLE came.",
                show(kept)
            )
        });
    }

    /// A table is about to be used.
    pub(crate) fn judge_table(&mut self, requester: u16, address: u64) {
        if address % ALIGNMENT == 0 {
            return;
        }
        self.referee
            .report(Rule::InterruptTableMisaligned, requester.into(), || {
                format!(
                    "The interrupt table of {requester:04x} lies at {address:x}, which is not aligned to {ALIGNMENT} bytes."
                )
            });
    }

    /// The table lies where there is no memory.
    pub(crate) fn judge_unreadable(&mut self, slot: Slot, address: u64) {
        let requester = slot.requester;
        self.referee
            .report(Rule::InterruptTableUnreadable, requester.into(), || {
                format!("The interrupt table of {requester:04x} has an entry at {address:x}, where there is no memory.")
            });
    }

    /// An entry that is valid has a reserved bit.
    pub(super) fn judge_reserved_interrupt(&mut self, slot: Slot, entry: InterruptEntry) {
        let (requester, number) = (slot.requester, slot.number());
        self.referee
            .report(Rule::ReservedInterruptBit, requester.into(), || {
                format!(
                    "The table entry {} of interrupt {number:x} of {requester:04x} has a reserved bit or type.",
                    show(entry)
                )
            });
    }
}

/// An entry in the order in which people read numbers.
fn show(entry: InterruptEntry) -> alloc::string::String {
    match entry {
        InterruptEntry::Short(word) => format!("{word:08x}"),
        InterruptEntry::Long([low, high]) => format!("{high:016x}_{low:016x}"),
    }
}
