// SPDX-License-Identifier: GPL-2.0

//! Finding and reading the entry of a requester.

use alloc::format;

use crate::device_table::{DeviceEntry, EntryRules, Half};
use crate::referee::{Owed, Rule};
use crate::system::{read_whole, System};
use crate::Iommu;

/// Why there is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEntry {
    /// The requester ID lies beyond the table.
    BeyondTable,
    /// The entry, at this address, could not be read.
    Failed(u64),
}

impl Iommu {
    /// The entry of a requester, from the cache or from memory. Its checks are the caller's.
    pub(crate) fn device_entry(
        &mut self,
        system: &mut dyn System,
        requester: u16,
    ) -> Result<DeviceEntry, NoEntry> {
        self.device_entry_for(system, requester, Half::Memory)
    }

    /// The same for a request that uses `half`.
    pub(crate) fn device_entry_for(
        &mut self,
        system: &mut dyn System,
        requester: u16,
        half: Half,
    ) -> Result<DeviceEntry, NoEntry> {
        if let Some((entry, first)) = self.caches.use_device_entry(requester, half) {
            self.counters.caches.device_table.hits += 1;
            if first {
                self.caches.settled.note(requester, entry, half);
            }
            if self.caches.is_entry_check_due(self.config.check_hits) {
                self.check_device_entry(system, requester, entry, half);
            }
            return Ok(entry);
        }
        self.counters.caches.device_table.misses += 1;
        let entry = self.read_device_entry(system, requester)?;
        self.check_reserved_bits(requester, entry);
        self.caches.keep_device_entry(requester, entry, half);
        self.caches.settled.note(requester, entry, half);
        Ok(entry)
    }

    /// The entry as memory has it, past the cache.
    pub(crate) fn read_device_entry(
        &self,
        system: &mut dyn System,
        requester: u16,
    ) -> Result<DeviceEntry, NoEntry> {
        read_whole(|| self.read_device_entry_once(system, requester))
    }

    fn read_device_entry_once(
        &self,
        system: &mut dyn System,
        requester: u16,
    ) -> Result<DeviceEntry, NoEntry> {
        let address = self
            .registers
            .device_entry_address(requester)
            .ok_or(NoEntry::BeyondTable)?;
        let mut bytes = [0; 32];
        system
            .read(address, &mut bytes)
            .map_err(|_| NoEntry::Failed(address))?;
        let mut entry = DeviceEntry([0; 4]);
        for (word, chunk) in entry.0.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = chunk
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        Ok(entry)
    }

    /// Rules for entries as the control register stands.
    pub(crate) fn entry_rules(&self) -> &EntryRules {
        let [disabled, enabled] = &self.rules;
        if self.registers.control.guest_translation() {
            enabled
        } else {
            disabled
        }
    }

    /// INVALIDATE_DEVTAB_ENTRY arrived: what memory holds now is finished.
    pub(crate) fn settle_device_entry(&mut self, system: &mut dyn System, requester: u16) {
        let Ok(entry) = self.read_device_entry(system, requester) else {
            return;
        };
        if let Some(torn) = self.caches.settled.settle(requester, entry) {
            self.referee
                .report(Rule::TornDeviceEntry, u64::from(requester), || {
                    format!(
                        "A request of {requester:04x} used the device-table entry {:016x?}, which is neither the one before nor the one after the change; now it is {:016x?}.",
                        torn.0, entry.0
                    )
                });
        }
    }

    fn check_device_entry(
        &mut self,
        system: &mut dyn System,
        requester: u16,
        entry: DeviceEntry,
        half: Half,
    ) {
        let agrees = |memory: DeviceEntry| entry.agrees_with(&memory, half);
        if self
            .read_device_entry_once(system, requester)
            .is_ok_and(agrees)
        {
            return;
        }
        let Ok(memory) = self.read_device_entry(system, requester) else {
            return;
        };
        if agrees(memory) {
            return;
        }
        let owed = Owed::Entry(requester);
        self.caches
            .pending
            .note(owed, u64::from(requester), system.now(), || {
                format!(
                    "A request of {requester:04x} used the cached device-table entry {:016x?}; memory held {:016x?}, and no INVALIDATE_DEVTAB_ENTRY came.",
                    entry.0, memory.0
                )
            });
    }

    fn check_reserved_bits(&mut self, requester: u16, entry: DeviceEntry) {
        let rules = self.entry_rules();
        let memory = entry.valid() && rules.check_memory(&entry).is_err();
        let interrupts = entry.interrupts_valid() && rules.check_interrupt(&entry).is_err();
        if memory || interrupts {
            self.referee
                .report(Rule::ReservedEntryBit, u64::from(requester), || {
                    format!(
                        "The device-table entry {:016x?} of {requester:04x} has a reserved bit or value.",
                        entry.0
                    )
                });
        }
    }
}
