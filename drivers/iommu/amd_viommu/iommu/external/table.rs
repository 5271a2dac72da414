// SPDX-License-Identifier: GPL-2.0

//! The two levels of the table for external interrupts, in memory.

use hw::{
    interrupt::{self, Entry, Format, Length, Route},
    viommu::external::{ExternalId, FirstEntry, Source, FIRST_BYTES, SECOND_BYTES},
};
use kernel::{prelude::*, sync::Arc};
use kernel_ext::{new_raw_spinlock_irq, pages::Pages, raw_spinlock::RawSpinLockIrq};

/// How many guests share a table of the second level.
const GROUP: usize = 256;

/// A table of the second level.
struct Second {
    mem: Pages,
    /// The guests of the group whose interrupts have an entry.
    admitted: [bool; GROUP],
}

/// Both levels. Tables of the second stay as long as the first, which names them.
#[pin_data]
pub(super) struct Table {
    node: i32,
    format: Format,
    first: Pages,
    described: interrupt::Table,
    #[pin]
    seconds: RawSpinLockIrq<KVec<Option<KBox<Second>>>>,
}

/// The interrupt of a guest's event log and of its COMPLETION_WAITs.
fn id_of(gid: u16) -> ExternalId {
    ExternalId::new(Source::Events, gid)
}

impl Table {
    /// The first level, which names no table yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(node: i32, format: Format) -> Result<Arc<Self>> {
        let first = Pages::new(node, FIRST_BYTES)?;
        let described = interrupt::Table::new(first.address(), Length::EXTERNAL).ok_or(EINVAL)?;
        let groups = id_of(u16::MAX).table() + 1;
        let mut seconds = KVec::with_capacity(groups, GFP_KERNEL)?;
        for _ in 0..groups {
            seconds.push(None, GFP_KERNEL)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                node,
                format,
                first,
                described,
                seconds <- new_raw_spinlock_irq!(seconds, "amd_viommu::external_table"),
            }),
            GFP_KERNEL,
        )
    }

    /// What the IOMMU's own device table entry says about it.
    pub(super) fn described(&self) -> interrupt::Table {
        self.described
    }

    /// Makes the table of the second level that a guest's entry is in, if it is not there.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn prepare(&self, gid: u16) -> Result {
        let id = id_of(gid);
        if matches!(self.seconds.lock().get(id.table()), Some(Some(_))) {
            return Ok(());
        }
        let mem = Pages::new(self.node, SECOND_BYTES)?;
        let entry = FirstEntry::naming(mem.address()).ok_or(EINVAL)?;
        let admitted = [false; GROUP];
        let second = KBox::new(Second { mem, admitted }, GFP_KERNEL)?;

        let mut seconds = self.seconds.lock();
        let place = seconds.get_mut(id.table()).ok_or(EINVAL)?;
        if place.is_none() {
            *place = Some(second);
            return self.first.write64(id.first_offset(), entry.0);
        }
        // Somebody else was faster. Nothing is freed under the lock.
        drop(seconds);
        drop(second);
        Ok(())
    }

    /// Whether an entry can send interrupts along a route.
    pub(super) fn names(&self, route: Route) -> bool {
        self.format.names(route.destination)
    }

    fn entry(&self, route: Option<Route>) -> Entry {
        let entry = route.and_then(|route| self.format.remapped(route));
        entry.unwrap_or(self.format.absent())
    }

    /// Lets a guest's interrupt go along `route`, or nowhere. Its table is there.
    pub(super) fn admit(&self, gid: u16, yes: bool, route: Option<Route>) {
        let mut seconds = self.seconds.lock();
        let Some(Some(second)) = seconds.get_mut(id_of(gid).table()) else {
            return;
        };
        if let Some(admitted) = second.admitted.get_mut(usize::from(gid) % GROUP) {
            *admitted = yes;
        }
        second.store(gid, self.entry(route.filter(|_| yes)));
    }

    /// Lets the interrupts of some guests go along another route.
    pub(super) fn redirect(&self, route: Option<Route>, is_meant: impl Fn(u16) -> bool) {
        let entry = self.entry(route);
        let seconds = self.seconds.lock();
        for (group, second) in seconds.iter().enumerate() {
            let Some(second) = second else {
                continue;
            };
            let guests = second.admitted.iter().enumerate();
            for (n, _) in guests.filter(|(_, admitted)| **admitted) {
                let gid = (group * GROUP + n) as u16;
                if is_meant(gid) {
                    second.store(gid, entry);
                }
            }
        }
    }

    /// Leaves the memory to hardware that does not let go of it.
    pub(super) fn keep(&self) {
        self.first.keep();
        for second in self.seconds.lock().iter().flatten() {
            second.mem.keep();
        }
    }
}

impl Second {
    fn store(&self, gid: u16, entry: Entry) {
        if let Entry::Long(word) = entry {
            // Inside, like every entry of the group.
            let _ = self.mem.store128(id_of(gid).second_offset(), word);
        }
    }
}
