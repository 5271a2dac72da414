// SPDX-License-Identifier: GPL-2.0

//! An interrupt table in memory.

use hw::interrupt::{Entry, Format, Length, Places, Table};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};
use kernel_ext::{new_raw_spinlock_irq, pages::Pages, raw_spinlock::RawSpinLockIrq};

/// The requester IDs that use a table.
#[derive(Clone, Copy)]
pub(super) struct Ids {
    ids: [u16; Self::MAX],
    count: usize,
}

impl Ids {
    /// The most IDs of one table. Every change of an entry names all of them to the hardware, with locks
    /// held under which no memory can be had.
    pub(super) const MAX: usize = 32;

    pub(super) fn list(&self) -> &[u16] {
        self.ids.get(..self.count).unwrap_or_default()
    }

    fn push(&mut self, id: u16) -> Result {
        *self.ids.get_mut(self.count).ok_or(ENODEV)? = id;
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, id: u16) {
        let others = *self;
        self.count = 0;
        for other in others.list().iter().filter(|other| **other != id) {
            // There is room for what was there before.
            let _ = self.push(*other);
        }
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
    ids: RawSpinLockIrq<Ids>,
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
        let none = Ids {
            ids: [0; Ids::MAX],
            count: 0,
        };
        Arc::pin_init(
            pin_init!(Self {
                mem,
                table,
                format,
                places <- new_mutex!(Places::new(length), "amd_viommu::interrupt_places"),
                ids <- new_raw_spinlock_irq!(none, "amd_viommu::interrupt_ids"),
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

    /// The requester IDs that use it now.
    pub(super) fn ids(&self) -> Ids {
        *self.ids.lock()
    }

    /// Adds a requester ID.
    ///
    /// # Errors
    ///
    /// `ENODEV` when there are too many.
    pub(super) fn add(&self, id: u16) -> Result {
        self.ids.lock().push(id)
    }

    /// Takes a requester ID away.
    pub(super) fn remove(&self, id: u16) {
        self.ids.lock().remove(id);
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
