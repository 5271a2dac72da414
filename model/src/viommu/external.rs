// SPDX-License-Identifier: GPL-2.0

//! Interrupts of guests: the two-level table of the IOMMU's own device-table entry (hardware.md 6.4).
//!
//! An external ID is the type of the interrupt and the guest ID; its high part indexes the table that
//! IntTRP of the own entry names, its low part the table below. What is found there is an ordinary
//! entry of 128 bits, because engines of guests need GAEn. It is cached under its ID and dropped by
//! INVALIDATE_INTERRUPT_TABLE of the IOMMU's own requester ID, whichever level has changed.
//!
//! Destination and vector that the guest has chosen (its registers 170h and 178h) are software's to
//! put there; the hardware has no place for them.
//!
//! No source says what happens to an interrupt that finds no entry, in these tables or in the device
//! table. Here it is refused as that of a device would be, with the flag of the engine, no address,
//! and IG or NoFault to keep it quiet. Without IV, or with IntCtl = 1, there is nothing that could be
//! sent, and nothing is logged.

use alloc::format;

use super::Part;
use crate::bits::{bit, field, mask};
use crate::config::ExternalLengths;
use crate::device_table::{DeviceEntry, EntryFault, Half, IntCtl, NoEntry};
use crate::event::{Access, Event};
use crate::interrupt::{Origin, Refused, Slot, Table, Target};
use crate::referee::Rule;
use crate::system::{Interrupt, System};
use crate::viommu::Stage;
use crate::walk::without_entry;
use crate::Iommu;

/// IntTabLen of the IOMMU's own entry.
const FIRST_LENGTH: u8 = 10;
/// Length code in an entry of the first level.
const SECOND_LENGTH: u8 = 8;
/// Bytes of an entry of the first level.
const FIRST_BYTES: usize = 8;
/// Bytes of an entry of the second level.
const SECOND_BYTES: usize = 16;
/// Bits of an entry of the first level that no source gives a meaning.
const FIRST_RESERVED: u64 = mask(63, 52) | 1 << 1;

/// Which interrupt of which guest.
#[derive(Clone, Copy, Debug)]
struct External {
    gid: u16,
    part: Part,
}

impl External {
    /// Type 0 is event log and completion wait, 1 the page request log.
    fn id(self) -> u32 {
        let kind = u32::from(self.part == Part::Requests);
        kind << 16 | u32::from(self.gid)
    }
}

impl Iommu {
    /// Raises an interrupt of a guest that one of its engines caused.
    pub(super) fn raise_external(&mut self, system: &mut dyn System, gid: u16, part: Part) {
        let own = self.config.device_id;
        let external = External { gid, part };
        let entry = match self.device_entry_for(system, own, Half::Interrupt) {
            Ok(entry) => entry,
            Err(why) => return self.report_no_own_entry(system, external, why),
        };
        if !entry.interrupts_valid() {
            return;
        }
        if let Err(why) = self.entry_rules().check_interrupt(&entry) {
            return self.report_own_entry(system, external, why);
        }
        let found = match entry.int_ctl() {
            IntCtl::Forward => return,
            IntCtl::Remap => self.external_target(system, &entry, external.id()),
            IntCtl::Abort | IntCtl::Reserved => Err(self.denied()),
        };
        match found {
            Ok(target) => self.send_external(system, gid, target),
            Err(why) => {
                let origin = self.origin(external);
                self.log_refusal(system, &entry, origin, why);
            }
        }
    }

    fn send_external(&mut self, system: &mut dyn System, gid: u16, target: Target) {
        let delivered = &mut self.counters.guest_interrupts_delivered;
        let count = delivered.entry(gid).or_default();
        *count = count.saturating_add(1);
        let (address, data) = target.message();
        system.interrupt(Interrupt::Message { address, data });
    }

    fn external_target(
        &mut self,
        system: &mut dyn System,
        entry: &DeviceEntry,
        id: u32,
    ) -> Result<Target, Refused> {
        let own = self.config.device_id;
        let table = Table::of(entry);
        self.judge_table(own, table.address);
        self.check_length(table.length, FIRST_LENGTH)?;
        let first = table.place(id >> 8, FIRST_BYTES)?;
        let slot = Slot::external(own, id);
        let walk = |iommu: &mut Iommu, system: &mut dyn System| {
            let second = iommu.second_table(system, slot, first)?;
            second.place(id & 0xff, SECOND_BYTES)
        };
        self.remap(system, slot, walk)
    }

    /// The table that an entry of the first level names.
    fn second_table(
        &mut self,
        system: &mut dyn System,
        slot: Slot,
        first: u64,
    ) -> Result<Table, Refused> {
        let Ok(entry) = system.read_u64(first) else {
            self.judge_unreadable(slot, first);
            return Err(self.unreadable(first));
        };
        if !bit(entry, 0) {
            return Err(Refused::NOT_PRESENT);
        }
        if entry & FIRST_RESERVED != 0 {
            self.judge_reserved_first(slot, entry);
            return Err(Refused::RESERVED);
        }
        let table = Table {
            address: entry & mask(51, 6),
            length: field(entry, 5, 2) as u8,
        };
        self.judge_table(slot.requester, table.address);
        self.check_length(table.length, SECOND_LENGTH)?;
        Ok(table)
    }

    /// OQ-18: the lengths are those of the sources, or at least bound the indices.
    fn check_length(&mut self, found: u8, expected: u8) -> Result<(), Refused> {
        if found == expected {
            return Ok(());
        }
        let own = self.config.device_id;
        self.referee
            .report(Rule::ExternalTableLength, own.into(), || {
                format!("A table for the interrupts of guests has the length code {found}, where {expected} is known to work.")
            });
        match self.config.readings.external_lengths {
            ExternalLengths::Limits => Ok(()),
            ExternalLengths::Exact => Err(Refused::RESERVED),
        }
    }

    /// An entry of the first level that is valid has a reserved bit.
    fn judge_reserved_first(&mut self, slot: Slot, entry: u64) {
        let own = slot.requester;
        self.referee
            .report(Rule::ReservedInterruptBit, own.into(), || {
                format!("The entry {entry:016x} of the first table for the interrupts of guests has a reserved bit.")
            });
    }

    fn origin(&self, external: External) -> Origin {
        let access = Access {
            device: self.config.device_id,
            interrupt: true,
            ..Access::default()
        };
        Origin {
            access,
            address: 0,
            vflags: external.part.flags(),
        }
    }

    fn report_no_own_entry(&mut self, system: &mut dyn System, external: External, why: NoEntry) {
        let Origin { access, vflags, .. } = self.origin(external);
        let event = without_entry(access, why, vflags);
        self.report_device_event(system, None, event, Stage::Host);
    }

    fn report_own_entry(&mut self, system: &mut dyn System, external: External, why: EntryFault) {
        let Origin {
            access,
            address,
            vflags,
        } = self.origin(external);
        let event = Event::IllegalDeviceTableEntry {
            access,
            reserved: why == EntryFault::Reserved,
            address,
            vflags,
        };
        self.report_device_event(system, None, event, Stage::Host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W116 to W120 and W122. The model has no page request log, so that type 1 is met here only.
    #[test]
    fn type_and_guest_name_the_entries_of_both_levels() {
        let first = Table {
            address: 0x3_0001_0000,
            length: FIRST_LENGTH,
        };
        let second = Table {
            address: 0x3_0002_0000,
            length: SECOND_LENGTH,
        };
        for (part, gid, id, places) in [
            (Part::Events, 1, 0x00001, (0x3_0001_0000, 0x3_0002_0010)),
            (Part::Commands, 1, 0x00001, (0x3_0001_0000, 0x3_0002_0010)),
            (Part::Requests, 1, 0x10001, (0x3_0001_0800, 0x3_0002_0010)),
            (
                Part::Events,
                0x7fff,
                0x07fff,
                (0x3_0001_03f8, 0x3_0002_0ff0),
            ),
            (
                Part::Requests,
                0x7fff,
                0x17fff,
                (0x3_0001_0bf8, 0x3_0002_0ff0),
            ),
            (
                Part::Requests,
                0xffff,
                0x1ffff,
                (0x3_0001_0ff8, 0x3_0002_0ff0),
            ),
        ] {
            let external = External { gid, part };
            assert_eq!(external.id(), id);
            assert_eq!(first.place(id >> 8, FIRST_BYTES), Ok(places.0), "{id:x}");
            assert_eq!(
                second.place(id & 0xff, SECOND_BYTES),
                Ok(places.1),
                "{id:x}"
            );
        }
    }
}
