// SPDX-License-Identifier: GPL-2.0

//! One interrupt of a device: a place in a table.

use super::{pure, table::InterruptTable, Either, Iommu, Stats};
use hw::interrupt;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};
use kernel_ext::irq::parent::{self, Message, Route};

/// A place in a table.
///
/// The interrupt core serialises what happens to one interrupt.
pub(in crate::iommu) struct Entry {
    iommu: Arc<Iommu>,
    table: Arc<InterruptTable>,
    index: u16,
    /// The hardware may know another entry than an absent one.
    known: Atomic<bool>,
}

impl Entry {
    /// Takes places in a row.
    ///
    /// # Errors
    ///
    /// `ENOSPC`, `ENOMEM`.
    pub(super) fn take(
        iommu: &Arc<Iommu>,
        table: &Arc<InterruptTable>,
        count: usize,
    ) -> Result<KVec<Either>> {
        let mut entries = KVec::with_capacity(count, GFP_KERNEL)?;
        let first = table.take(count)?;
        for index in (first..).take(count) {
            Stats::count(&iommu.stats.interrupts);
            let entry = Self {
                iommu: iommu.clone(),
                table: table.clone(),
                index,
                known: Atomic::new(false),
            };
            // There is room.
            entries.push(Either::Device(entry), GFP_KERNEL)?;
        }
        Ok(entries)
    }

    /// Writes the entry, and makes the hardware use it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for an APIC that entries cannot name, `EIO` when the hardware does not confirm; the entry is
    /// written then.
    fn send(&self, route: Route) -> Result {
        let entry = self.table.format().remapped(pure(route)).ok_or(EINVAL)?;
        self.known.store(true, Relaxed);
        self.store(entry)
    }

    fn clear(&self) -> Result {
        if self.known.load(Relaxed) {
            self.store(self.table.format().absent())?;
            self.known.store(false, Relaxed);
        }
        Ok(())
    }

    fn store(&self, entry: interrupt::Entry) -> Result {
        self.table.store(self.index, entry)?;
        self.iommu.invalidate_table(&self.table)
    }
}

impl parent::Entry for Entry {
    fn number(&self) -> u32 {
        u32::from(self.table.first_id()) << 16 | u32::from(self.index)
    }

    fn message(&self) -> Message {
        let message = interrupt::Message::naming(self.index);
        Message {
            address: message.address,
            data: message.data,
        }
    }

    fn activate(&self, route: Route) -> Result {
        self.send(route)
    }

    fn redirect(&self, route: Route) {
        // The vector has moved already. Hardware that does not confirm has been reported. Only a CPU that
        // was plugged in later can have an APIC that cannot be named.
        if self.send(route) == Err(EINVAL) {
            self.iommu.cannot_name(route.destination);
        }
    }

    fn deactivate(&self) {
        // A place that the hardware may still know is not given to another interrupt.
        let _ = self.clear();
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        Stats::uncount(&self.iommu.stats.interrupts);
        if self.clear().is_ok() {
            self.table.put(self.index);
        }
    }
}
