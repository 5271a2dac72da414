// SPDX-License-Identifier: GPL-2.0

//! What happened, counted.

use alloc::collections::BTreeMap;

mod json;

/// All counters. Those keyed by numbers are bounded by what the numbers can be: register
/// offsets that exist, opcodes, guest IDs that were live.
#[derive(Debug, Default)]
pub struct Counters {
    /// Reads and writes by register: (aperture, offset).
    pub registers: BTreeMap<(Aperture, u32), Accesses>,
    /// Commands executed by (gid, opcode); those of the host have no gid.
    pub commands: BTreeMap<(Option<u16>, u8), u64>,
    /// Events raised by (gid, code), whether or not the log took them; the host's log has no gid.
    pub events: BTreeMap<(Option<u16>, u8), u64>,
    /// Requests of devices, translated or not.
    pub requests: u64,
    /// Requests that ended in an abort.
    pub aborts: u64,
    /// Walks by kind.
    pub walks: Walks,
    /// Look-ups by cache.
    pub caches: Caches,
    /// Interrupts of the host's functions raised.
    pub interrupts: u64,
    /// Interrupts of devices.
    pub device_interrupts: DeviceInterrupts,
    /// Interrupts of guests by gid, raised by their engines.
    pub guest_interrupts: BTreeMap<u16, u64>,
    /// Those of them for which the external table had an entry.
    pub guest_interrupts_delivered: BTreeMap<u16, u64>,
}

/// A window of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aperture {
    /// The MMIO registers.
    Mmio,
    /// VF pages; the offset is that inside a page.
    Vf,
    /// VF control blocks; the offset is that inside a block.
    VfControl,
}

/// Reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// Walks by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walks {
    /// Host table only.
    pub host: u64,
    /// Guest table only.
    pub guest: u64,
    /// Guest table nested on a host table.
    pub nested: u64,
    /// Accesses of the IOMMU to its private address space and to guest buffers.
    pub private: u64,
    /// Table entries read from memory.
    pub entries: u64,
}

/// Interrupts of devices, while the IOMMU is enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceInterrupts {
    /// All of them.
    pub fates: Fates,
    /// Those of devices whose entry has vImuEn, by gid.
    pub guests: BTreeMap<u16, Fates>,
}

/// What became of interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// Sent on as a table says.
    pub remapped: u64,
    /// Sent on as they came.
    pub forwarded: u64,
    /// Ended in an abort.
    pub blocked: u64,
}

/// Hits and misses by cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// Device-table entries.
    pub device_table: Lookups,
    /// Final translations.
    pub translation: Lookups,
    /// Directory entries of host and guest tables.
    pub directory: Lookups,
    /// GCR3 entries.
    pub pasid: Lookups,
    /// Entries of interrupt tables.
    pub interrupt: Lookups,
    /// Entries thrown out at random.
    pub evictions: u64,
}

/// Hits and misses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Found.
    pub hits: u64,
    /// Not found.
    pub misses: u64,
}

impl Counters {
    /// Starts all counters from zero.
    pub fn clear(&mut self) {
        *self = Counters::default();
    }

    /// A command was executed for this guest, or for the host (`None`).
    pub(crate) fn count_command(&mut self, gid: Option<u16>, opcode: u8) {
        count(self.commands.entry((gid, opcode)).or_default());
    }

    /// An event was raised for the log of this guest, or of the host (`None`).
    pub(crate) fn count_event(&mut self, gid: Option<u16>, code: u8) {
        count(self.events.entry((gid, code)).or_default());
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
