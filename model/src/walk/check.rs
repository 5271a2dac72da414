// SPDX-License-Identifier: GPL-2.0

//! The referee of cached objects: walks memory again, without a trace, and compares.
//!
//! Each object that a request used is judged by itself, and only by tables that the driver owns.
//! A nested walk runs through tables of a guest, who may change them without any invalidation:
//! that harms nobody but the guest, and must not look like a mistake of the driver. So of a
//! nested translation only the host's part is judged, at the guest physical address where the
//! guest's table had led, and cached entries of the guest's table are not judged.
//!
//! D is part of a cached translation: where it was set, a later write has nothing to set. Only an
//! invalidation drops the translation (hardware.md 3.9), so software that clears D in memory and
//! does not invalidate never learns of that write. A is not judged: nothing is lost with it
//! but a hint, and no source says what software owes when it clears it.

use alloc::format;
use alloc::string::String;

use crate::caches::{low_bits, Kept, Range};
use crate::referee::Owed;
use crate::walk::page::{Denial, Fault, Need, Page, Table};
use crate::walk::tables::{answer, Guest, Host, Walk};

/// A cached object that a request used.
#[derive(Clone, Copy, Debug)]
pub(super) enum Suspect {
    /// A final translation.
    Page(Range),
    /// A directory entry or a GCR3 entry, which led to this table.
    Directory(Range, Table),
}

/// What a walk of the referee compares on its way. The page that a directory entry led to may
/// change in the moment between the two walks, and the entry is not to blame for that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    range: Range,
    table: Table,
    found: bool,
}

impl Watch {
    /// The walk goes on at `table`.
    pub(super) fn see(&mut self, range: Range, table: Table) {
        self.found |= (self.range, self.table) == (range, table);
    }
}

impl Suspect {
    fn owed(self) -> Owed {
        match self {
            Suspect::Page(range) => Owed::Pages(range),
            Suspect::Directory(range, _) => Owed::Directory(range),
        }
    }

    fn range(self) -> Range {
        match self {
            Suspect::Page(range) | Suspect::Directory(range, _) => range,
        }
    }

    fn watch(self) -> Option<Watch> {
        match self {
            Suspect::Page(_) => None,
            Suspect::Directory(range, table) => Some(Watch {
                range,
                table,
                found: false,
            }),
        }
    }
}

impl Walk<'_> {
    /// Judges a cached object of a host table.
    pub(super) fn check_host(
        &mut self,
        host: &Host,
        suspect: Suspect,
        address: u64,
        need: Need,
        found: &Result<Page, Fault>,
    ) {
        let cached = Outcome::of(found, address, need, suspect);
        self.check(suspect, address, cached, |look| {
            Outcome::of(&look.host(host, address, need), address, need, suspect)
        });
    }

    /// Judges a cached translation of a guest table.
    pub(super) fn check_guest_page(
        &mut self,
        guest: &Guest,
        (range, kept): (Range, Kept),
        address: u64,
        need: Need,
    ) {
        let found = answer(kept, need);
        if !guest.is_nested() {
            let suspect = Suspect::Page(range);
            return self.check_guest_table(guest, suspect, address, need, &found);
        }
        // What the guest's table forbids is no concern of the host's, and without a page nothing says where to look.
        let (true, Some(page), Some((start, _))) =
            (kept.guest.allow(need), kept.page, kept.through)
        else {
            return;
        };
        let physical = start | address & low_bits(page.shift);
        let below = Range::around(guest.host.tag(), physical, page.shift);
        let suspect = Suspect::Page(below);
        let cached = Outcome::of(&found, address, need, suspect);
        self.check(suspect, physical, cached, |look| {
            let memory = look.host(&guest.host, physical, need.below());
            Outcome::of(&memory, physical, need, suspect)
        });
    }

    /// Judges a cached object of a guest table that is not nested.
    pub(super) fn check_guest_table(
        &mut self,
        guest: &Guest,
        suspect: Suspect,
        address: u64,
        need: Need,
        found: &Result<Page, Denial>,
    ) {
        if guest.is_nested() {
            return;
        }
        let cached = Outcome::of(found, address, need, suspect);
        self.check(suspect, address, cached, |look| {
            Outcome::of(&look.guest(guest, address, need), address, need, suspect)
        });
    }

    /// Compares where an access goes. What else changed does not matter to it.
    fn check(
        &mut self,
        suspect: Suspect,
        address: u64,
        cached: Outcome,
        walk: impl FnOnce(&mut Walk<'_>) -> Outcome,
    ) {
        let every = self.settings.check_hits;
        let live = self.live.as_mut();
        if !live.is_some_and(|live| live.caches.is_translation_check_due(every)) {
            return;
        }
        let mut look = Walk {
            system: &mut *self.system,
            settings: self.settings,
            live: None,
            watch: suspect.watch(),
        };
        let memory = walk(&mut look);
        let innocent = look.watch.is_some_and(|watch| watch.found);
        if memory != cached && !innocent {
            self.note(suspect, address, cached, memory);
        }
    }

    fn note(&mut self, suspect: Suspect, address: u64, cached: Outcome, memory: Outcome) {
        let Some(live) = &mut self.live else {
            return;
        };
        let (requester, tag) = (live.requester, suspect.range().tag);
        let (now, place) = (self.system.now(), u64::from(requester));
        live.caches.pending.note(suspect.owed(), place, now, || {
            let what = difference(cached, memory);
            let (domain, pasid) = (tag.domain, pasid(tag.pasid));
            format!(
                "A request of {requester:04x} to {address:x} in domain {domain:x}, {pasid}, {what}, and no invalidation came."
            )
        });
    }
}

/// What the referee compares of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    /// Where the access goes.
    to: Option<u64>,
    /// It is a write that software cannot see in D.
    unseen: bool,
}

impl Outcome {
    /// A directory entry has no D: that of the page below it was set in this very walk.
    fn of<E>(found: &Result<Page, E>, address: u64, need: Need, suspect: Suspect) -> Self {
        let page = found.as_ref().ok();
        let judged = need.write && matches!(suspect, Suspect::Page(_));
        Outcome {
            to: page.map(|page| page.at(address)),
            unseen: judged && page.is_some_and(|page| !page.dirty),
        }
    }
}

fn difference(cached: Outcome, memory: Outcome) -> String {
    if cached.to == memory.to {
        return String::from("wrote by the caches to a page whose D is 0 in memory");
    }
    let way = |to: Option<u64>| match to {
        Some(to) => format!("led to {to:x}"),
        None => String::from("led nowhere"),
    };
    let (cached, memory) = (way(cached.to), way(memory.to));
    format!("by the caches {cached}, by memory {memory}")
}

fn pasid(pasid: Option<u32>) -> String {
    match pasid {
        Some(pasid) => format!("PASID {pasid:x}"),
        None => String::from("no PASID"),
    }
}
