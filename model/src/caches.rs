// SPDX-License-Identifier: GPL-2.0

//! The caches, which keep what they have until software invalidates it.
//!
//! What drops what (hardware.md 3.9):
//!
//! | Kept | Dropped by |
//! |---|---|
//! | device-table entries with their SE state | INVALIDATE_DEVTAB_ENTRY of the requester |
//! | final host translations | INVALIDATE_IOMMU_PAGES, GN = 0, over the address |
//! | final nested translations | GN = 0 over the guest physical address, or with PDE = 1; GN = 1 with the PASID over the address |
//! | final guest translations | GN = 1 with the PASID over the address |
//! | entries of interrupt tables | INVALIDATE_INTERRUPT_TABLE of the requester |
//! | directory entries, GCR3 entries | the same as the translations below them, only with PDE = 1 |
//!
//! A nested translation remembers the guest physical address of its page, so that a range with
//! GN = 0 drops it; with PDE = 1 all nested ones of the domain go. All caches are bounded and replace in turn.

mod kept;
mod key;
mod ranges;
mod sets;

pub(crate) use kept::{Directory, Kept, Root};
pub(crate) use key::{low_bits, Range, Tag};
pub(crate) use ranges::Ranges;
pub(crate) use sets::{Key, Sets};

use crate::command::Pages;
use crate::device_table::{DeviceEntry, Half, Settled};
use crate::interrupt;
use crate::referee::{Owed, Pending};
use crate::system::System;
use crate::Iommu;

/// All caches.
#[derive(Debug)]
pub struct Caches {
    entries: Sets<u16, KeptEntry>,
    /// Final translations.
    pub(crate) translations: Ranges<Kept>,
    /// Directory entries of host and guest tables; the range is what lies below the entry.
    pub(crate) directories: Ranges<Directory>,
    /// Entries of GCR3 tables.
    pub(crate) roots: Sets<Tag, Root>,
    /// Entries of interrupt tables.
    pub(crate) interrupts: Sets<interrupt::Slot, interrupt::Kept>,
    /// What the referee knows of device-table entries.
    pub(crate) settled: Settled,
    /// Invalidations that the referee waits for.
    pub(crate) pending: Pending,
    entry_uses: u32,
    translation_uses: u32,
    interrupt_uses: u32,
}

/// A device-table entry in the cache.
#[derive(Clone, Copy, Debug)]
struct KeptEntry {
    entry: DeviceEntry,
    /// SE: a page fault was logged already.
    fault_logged: bool,
    /// Halves that requests have used, in the order of [`Half`].
    noted: [bool; 2],
}

impl Default for Caches {
    fn default() -> Self {
        Caches::new()
    }
}

impl Caches {
    /// Empty caches.
    pub fn new() -> Self {
        Caches {
            entries: Sets::new(128),
            translations: Ranges::new(1024),
            directories: Ranges::new(256),
            roots: Sets::new(64),
            interrupts: Sets::new(128),
            settled: Settled::new(),
            pending: Pending::default(),
            entry_uses: 0,
            translation_uses: 0,
            interrupt_uses: 0,
        }
    }

    /// The cached entry of a requester, and whether no request has used this half of it before.
    pub(crate) fn use_device_entry(
        &mut self,
        requester: u16,
        half: Half,
    ) -> Option<(DeviceEntry, bool)> {
        let kept = self.entries.find_mut(&requester)?;
        let [memory, interrupt] = &mut kept.noted;
        let noted = match half {
            Half::Memory => memory,
            Half::Interrupt => interrupt,
        };
        let first = !core::mem::replace(noted, true);
        Some((kept.entry, first))
    }

    /// Keeps the entry of a requester, fetched for a request that uses `half`.
    pub(crate) fn keep_device_entry(&mut self, requester: u16, entry: DeviceEntry, half: Half) {
        let kept = KeptEntry {
            entry,
            fault_logged: false,
            noted: [half == Half::Memory, half == Half::Interrupt],
        };
        self.entries.insert(requester, kept);
    }

    /// SE: whether this is the first page fault since the entry was fetched.
    pub(crate) fn first_fault(&mut self, requester: u16) -> bool {
        self.entries
            .find_mut(&requester)
            .is_none_or(|kept| !core::mem::replace(&mut kept.fault_logged, true))
    }

    /// Counts a use of a cached device-table entry; whether the referee looks at this one.
    pub(crate) fn is_entry_check_due(&mut self, every: u32) -> bool {
        is_due(&mut self.entry_uses, every)
    }

    /// The same for cached translations.
    pub(crate) fn is_translation_check_due(&mut self, every: u32) -> bool {
        is_due(&mut self.translation_uses, every)
    }

    /// The same for cached entries of interrupt tables.
    pub(crate) fn is_interrupt_check_due(&mut self, every: u32) -> bool {
        is_due(&mut self.interrupt_uses, every)
    }

    /// Drops a random entry of one of the caches; whether there was one.
    pub(crate) fn evict(&mut self, random: u64) -> bool {
        let (which, slot) = (random % 5, random / 5);
        match which {
            0 => self.entries.evict(slot).is_some(),
            1 => self.directories.evict(slot),
            2 => self.roots.evict(slot).is_some(),
            3 => self.interrupts.evict(slot).is_some(),
            _ => self.translations.evict(slot),
        }
    }
}

fn is_due(uses: &mut u32, every: u32) -> bool {
    *uses = uses.saturating_add(1);
    let due = every != 0 && *uses >= every;
    if due {
        *uses = 0;
    }
    due
}

impl Iommu {
    /// INVALIDATE_DEVTAB_ENTRY: forgets the entry of a requester, and its SE state.
    /// Memory is read for the referee only: what it holds now is what software settled on.
    pub(crate) fn drop_device_entry(&mut self, system: &mut dyn System, device: u16) {
        self.settle_device_entry(system, device);
        self.caches.entries.remove(&device);
        self.caches
            .pending
            .settle(|owed| owed == Owed::Entry(device));
    }

    /// INVALIDATE_IOMMU_PAGES: host translations of a domain (`pasid` is `None`) and the nested
    /// ones that go through them, or guest translations of {domain, PASID}; with `directories`
    /// also what leads there.
    ///
    /// A nested translation keeps only the guest address of its page, not those of the guest's
    /// tables. When the structure below has changed, all of the domain go.
    pub(crate) fn drop_pages(
        &mut self,
        domain: u16,
        pasid: Option<u32>,
        pages: Pages,
        directories: bool,
    ) {
        let what = Dropped {
            tag: Tag { domain, pasid },
            pages,
            below: if directories { Pages::ALL } else { pages },
        };
        let caches = &mut self.caches;
        drop_ranges(&mut caches.translations, what);
        if directories {
            drop_ranges(&mut caches.directories, what);
            drop_roots(&mut caches.roots, what.tag);
        }
        caches.pending.settle(|owed| match owed {
            Owed::Entry(_) | Owed::Interrupt(_) => false,
            Owed::Pages(range) => what.hits(&range, None),
            Owed::Directory(range) => directories && what.hits(&range, None),
        });
    }

    /// INVALIDATE_IOMMU_ALL.
    pub(crate) fn drop_all(&mut self) {
        let caches = &mut self.caches;
        caches.entries.clear();
        caches.translations.clear();
        caches.directories.clear();
        caches.roots.clear();
        caches.interrupts.clear();
        caches.settled.forget();
        caches.pending.settle(|_| true);
    }

    /// Random eviction, which a part may do at any time.
    pub(crate) fn evict_now_and_then(&mut self) {
        if self.schedule.is_async() && self.schedule.below(32) == 0 {
            let random = self.schedule.below(1 << 32);
            if self.caches.evict(random) {
                self.counters.caches.evictions += 1;
            }
        }
    }
}

/// A value by range, and the guest physical addresses it stands on.
trait Nested: Copy {
    fn through(&self) -> Option<(u64, u64)>;
}

impl Nested for Kept {
    fn through(&self) -> Option<(u64, u64)> {
        self.through
    }
}

impl Nested for Directory {
    fn through(&self) -> Option<(u64, u64)> {
        self.through
    }
}

/// What an invalidation reaches.
#[derive(Clone, Copy)]
struct Dropped {
    tag: Tag,
    /// Addresses of what is translated by the tables of the tag.
    pages: Pages,
    /// Guest physical addresses under what is nested.
    below: Pages,
}

impl Dropped {
    /// Whether it reaches what is kept over a range.
    fn hits(&self, range: &Range, through: Option<(u64, u64)>) -> bool {
        let own = Some((range.start, range.last()));
        range.tag.domain == self.tag.domain
            && match (range.tag.pasid, self.tag.pasid) {
                (mine, theirs) if mine == theirs => overlap(own, self.pages),
                (Some(_), None) => overlap(through, self.below),
                _ => false,
            }
    }
}

/// Only what is nested has to be looked for by another address than its own.
fn drop_ranges<V: Nested>(ranges: &mut Ranges<V>, what: Dropped) {
    let only_own = what.tag.pasid.is_some() || !ranges.has_guests(what.tag.domain);
    if only_own && ranges.drop_few(what.tag, what.pages) {
        return;
    }
    ranges.retain(what.tag.domain, |range, value| {
        !what.hits(range, value.through())
    });
}

/// GCR3 entries of a guest, or all nested ones of a domain.
fn drop_roots(roots: &mut Sets<Tag, Root>, tag: Tag) {
    if tag.pasid.is_some() {
        roots.remove(&tag);
        return;
    }
    roots.retain(|own, root| own.domain != tag.domain || root.through.is_none());
}

fn overlap(range: Option<(u64, u64)>, pages: Pages) -> bool {
    range.is_some_and(|(start, last)| start <= pages.last && pages.start <= last)
}

#[cfg(test)]
mod tests;
