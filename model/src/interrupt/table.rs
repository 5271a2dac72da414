// SPDX-License-Identifier: GPL-2.0

//! Finding the entry of an interrupt, and the cache of entries.
//!
//! An entry that was used is kept until INVALIDATE_INTERRUPT_TABLE of its requester, or until room is
//! needed; one that is not valid only by a part with NpCache; none at all while IRTCacheDis = 1.

use crate::caches::Key;
use crate::device_table::DeviceEntry;
use crate::interrupt::entry::InterruptEntry;
use crate::interrupt::{Refused, Target};
use crate::referee::Owed;
use crate::system::{read_whole, System};
use crate::Iommu;

/// Which interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The requester whose table it is in.
    pub(crate) requester: u16,
    /// Index of a device's message, or an external ID.
    index: u32,
}

/// Tells the external IDs of the IOMMU's own table from indices.
const EXTERNAL: u32 = 1 << 31;

impl Slot {
    /// A message of a device.
    pub(crate) fn of_device(requester: u16, index: u32) -> Self {
        Slot { requester, index }
    }

    /// An external ID (hardware.md 6.4).
    pub(crate) fn external(own: u16, id: u32) -> Self {
        Slot {
            requester: own,
            index: EXTERNAL | id,
        }
    }

    /// What the referee calls it.
    pub(super) fn number(self) -> u32 {
        self.index & !EXTERNAL
    }
}

impl Key for Slot {
    fn number(&self) -> u64 {
        u64::from(self.requester) << 32 | u64::from(self.index)
    }
}

/// An entry in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept(pub(crate) InterruptEntry);

/// A table of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Address of its first entry.
    pub(crate) address: u64,
    /// log2 of the number of its entries.
    pub(crate) length: u8,
}

impl Table {
    /// The table that an entry names: IntTRP and IntTabLen.
    pub(crate) fn of(entry: &DeviceEntry) -> Self {
        Table {
            address: entry.interrupt_table(),
            length: entry.interrupt_table_length(),
        }
    }

    /// Where an entry is; a page fault if the table is shorter.
    pub(crate) fn place(&self, index: u32, bytes: usize) -> Result<u64, Refused> {
        if u64::from(index) >> self.length != 0 {
            return Err(Refused::NOT_PRESENT);
        }
        Ok(self.address.wrapping_add(u64::from(index) * bytes as u64))
    }
}

impl Iommu {
    /// Size of an entry, for all devices (hardware.md 3.9).
    pub(crate) fn interrupt_entry_bytes(&self) -> usize {
        if self.registers.control.guest_apic() {
            16
        } else {
            4
        }
    }

    /// Where an interrupt goes. `find` says where in memory its entry is.
    pub(crate) fn remap(
        &mut self,
        system: &mut dyn System,
        slot: Slot,
        find: impl Fn(&mut Iommu, &mut dyn System) -> Result<u64, Refused>,
    ) -> Result<Target, Refused> {
        let entry = match self.kept_interrupt(slot) {
            Some(entry) => {
                self.counters.caches.interrupt.hits += 1;
                self.check_kept_interrupt(system, slot, entry, find);
                entry
            }
            None => {
                self.counters.caches.interrupt.misses += 1;
                let address = find(self, system)?;
                let found = self.read_interrupt_entry(system, address);
                let entry = found.inspect_err(|_| self.judge_unreadable(slot, address))?;
                self.keep_interrupt(slot, entry);
                entry
            }
        };
        if !entry.is_valid() {
            return Err(Refused::NOT_PRESENT.unless(entry.is_quiet()));
        }
        entry.target().map_err(|_| {
            self.judge_reserved_interrupt(slot, entry);
            Refused::RESERVED.unless(entry.is_quiet())
        })
    }

    fn kept_interrupt(&self, slot: Slot) -> Option<InterruptEntry> {
        let kept = self.caches.interrupts.find(&slot);
        kept.filter(|_| self.caches_interrupts())
            .map(|Kept(entry)| *entry)
    }

    fn keep_interrupt(&mut self, slot: Slot, entry: InterruptEntry) {
        let lasting = entry.is_valid() || self.config.features.np_cache;
        if lasting && self.caches_interrupts() {
            self.caches.interrupts.insert(slot, Kept(entry));
        }
    }

    /// IRTCacheDis.
    fn caches_interrupts(&self) -> bool {
        !self.registers.control.no_interrupt_cache()
    }

    /// The entry at an address.
    pub(crate) fn read_interrupt_entry(
        &self,
        system: &mut dyn System,
        address: u64,
    ) -> Result<InterruptEntry, Refused> {
        read_whole(|| self.read_interrupt_entry_once(system, address))
    }

    fn read_interrupt_entry_once(
        &self,
        system: &mut dyn System,
        address: u64,
    ) -> Result<InterruptEntry, Refused> {
        let mut bytes = [0; 16];
        let size = self.interrupt_entry_bytes();
        let (own, _) = bytes.split_at_mut_checked(size).unwrap_or_default();
        let read = system.read(address, own);
        read.map_err(|_| self.unreadable(address))?;
        Ok(InterruptEntry::from_bytes(own))
    }

    /// INVALIDATE_INTERRUPT_TABLE.
    pub(crate) fn drop_interrupts(&mut self, requester: u16) {
        self.drop_interrupts_of(|one| one == requester);
    }

    /// The same for several requesters, in one look at the cache.
    pub(crate) fn drop_interrupts_of(&mut self, is_meant: impl Fn(u16) -> bool) {
        let caches = &mut self.caches;
        caches
            .interrupts
            .retain(|slot, _| !is_meant(slot.requester));
        caches
            .pending
            .settle(|owed| matches!(owed, Owed::Interrupt(slot) if is_meant(slot.requester)));
    }
}
