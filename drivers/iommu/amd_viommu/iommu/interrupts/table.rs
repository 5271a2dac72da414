// SPDX-License-Identifier: GPL-2.0

//! An interrupt table in memory.

use hw::interrupt::{Entry, Format, Length, Places, Table};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};
use kernel_ext::{new_raw_spinlock_irq, pages::Pages, raw_spinlock::RawSpinLockIrq};

/// Some of the requester IDs that use a table, which may be more than fit on a stack in any context.
pub(super) struct Ids {
    ids: [u16; Self::MAX],
    count: usize,
    first: usize,
}

impl Ids {
    /// The most at a time.
    pub(super) const MAX: usize = 32;

    pub(super) fn list(&self) -> &[u16] {
        self.ids.get(..self.count).unwrap_or_default()
    }

    /// How many there are before these.
    pub(super) fn before(&self) -> usize {
        self.first
    }
}

/// A table, and what is known about its entries.
///
/// # Invariants
///
/// `table` describes the beginning of `mem`.
#[pin_data]
pub(super) struct InterruptTable {
    mem: Pages,
    table: Table,
    format: Format,
    #[pin]
    places: Mutex<Places>,
    #[pin]
    ids: RawSpinLockIrq<KVec<u16>>,
}

impl InterruptTable {
    /// A table whose entries are all absent.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(node: i32, format: Format, length: Length) -> Result<Arc<Self>> {
        let mem = Pages::new(node, length.bytes(format))?;
        let table = Table::new(mem.address(), length).ok_or(EINVAL)?;
        Arc::pin_init(
            pin_init!(Self {
                mem,
                table,
                format,
                places <- new_mutex!(Places::new(length), "amd_viommu::interrupt_places"),
                ids <- new_raw_spinlock_irq!(KVec::new(), "amd_viommu::interrupt_ids"),
            }),
            GFP_KERNEL,
        )
    }

    /// What a device table entry says about it.
    pub(super) fn table(&self) -> Table {
        self.table
    }

    /// Which entries it has.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The requester ID that has used it for the longest time.
    pub(super) fn first_id(&self) -> u16 {
        self.ids.lock().first().copied().unwrap_or_default()
    }

    /// The last of the requester IDs that use it, not counting those from place `end` on.
    ///
    /// Who goes on with what is before these misses none, even if IDs come and go meanwhile: new ones are
    /// added at the end, and those behind one that goes move to the front.
    pub(super) fn ids_before(&self, end: usize) -> Ids {
        let all = self.ids.lock();
        let end = end.min(all.len());
        let first = end.saturating_sub(Ids::MAX);
        let mut some = Ids {
            ids: [0; Ids::MAX],
            count: end - first,
            first,
        };
        for (place, id) in some.ids.iter_mut().zip(all.iter().skip(first)) {
            *place = *id;
        }
        some
    }

    /// Adds a requester ID. Callers take turns with those of [`InterruptTable::remove`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn add(&self, id: u16) -> Result {
        // There is no memory to be had, nor to be given back, under a raw lock.
        let count = self.ids.lock().len();
        let mut more = KVec::with_capacity(count + 1, GFP_KERNEL)?;
        let mut ids = self.ids.lock();
        more.extend_from_slice(&ids, GFP_ATOMIC)?;
        more.push(id, GFP_ATOMIC)?;
        core::mem::swap(&mut *ids, &mut more);
        drop(ids);
        drop(more);
        Ok(())
    }

    /// Takes a requester ID away.
    pub(super) fn remove(&self, id: u16) {
        self.ids.lock().retain(|other| *other != id);
    }

    /// Takes places, see [`Places::take`].
    ///
    /// # Errors
    ///
    /// `ENOSPC`.
    pub(super) fn take(&self, count: usize) -> Result<u16> {
        self.places.lock().take(count).ok_or(ENOSPC)
    }

    /// Gives a place back, which the hardware knows nothing of any more.
    pub(super) fn put(&self, index: u16) {
        self.places.lock().put(index);
    }

    /// Writes an entry in one piece.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond the end.
    pub(super) fn store(&self, index: u16, entry: Entry) -> Result {
        let offset = self.table.offset(self.format, index).ok_or(EINVAL)?;
        match entry {
            Entry::Short(word) => self.mem.write32(offset, word),
            Entry::Long(word) => self.mem.store128(offset, word),
        }
    }

    /// Leaves the memory to hardware that does not let go of it.
    pub(super) fn keep(&self) {
        self.mem.keep();
    }
}
