// SPDX-License-Identifier: GPL-2.0

//! Invalidations that software owes.
//!
//! Software changes a table first and invalidates then: until its COMPLETION_WAIT is through, a
//! request may meet the old contents in a cache, and nobody has done wrong. So a cached object
//! that memory no longer holds is only noted when a request uses it. The command that drops it
//! settles the matter; if none has come after [`GRACE`], the use was a violation. That the
//! object has left the cache by itself does not matter, because no driver can count on it.
//! COMPLETION_WAITs prove nothing: those of other changes pass while a lazy driver still
//! collects its invalidations.

use alloc::string::String;
use alloc::vec::Vec;

use crate::caches::Range;
use crate::interrupt::Slot;
use crate::referee::Rule;
use crate::schedule::Engine;
use crate::system::System;
use crate::Iommu;

/// Nanoseconds that software has from the first use of an old object to the end of its
/// invalidation. Lazy drivers take 10 ms; a virtual processor may be kept waiting much longer.
pub const GRACE: u64 = 200_000_000;

/// Most invalidations that are waited for. Later ones are noted when there is room again.
const MOST: usize = 256;

/// What has to be invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    /// The device-table entry of a requester.
    Entry(u16),
    /// Final translations in a range.
    Pages(Range),
    /// A directory entry over a range, or a GCR3 entry: PDE = 1.
    Directory(Range),
    /// An entry of an interrupt table.
    Interrupt(Slot),
}

impl Owed {
    fn rule(self) -> Rule {
        match self {
            Owed::Entry(_) => Rule::StaleDeviceEntry,
            Owed::Pages(_) | Owed::Directory(_) => Rule::StaleTranslation,
            Owed::Interrupt(_) => Rule::StaleInterruptEntry,
        }
    }
}

/// All that is owed.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Oldest first.
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    owed: Owed,
    place: u64,
    since: u64,
    sentence: String,
}

impl Pending {
    /// A request used an object that memory does not hold.
    pub(crate) fn note(
        &mut self,
        owed: Owed,
        place: u64,
        now: u64,
        sentence: impl FnOnce() -> String,
    ) {
        if self.cases.len() < MOST && self.cases.iter().all(|case| case.owed != owed) {
            self.cases.push(Case {
                owed,
                place,
                since: now,
                sentence: sentence(),
            });
        }
    }

    /// A command settles what `settles` says.
    pub(crate) fn settle(&mut self, settles: impl Fn(Owed) -> bool) {
        self.cases.retain(|case| !settles(case.owed));
    }

    fn take_overdue(&mut self, now: u64) -> Option<Case> {
        let oldest = self.cases.first()?;
        let overdue = now.saturating_sub(oldest.since) >= GRACE;
        overdue.then(|| self.cases.remove(0))
    }

    fn start_anew(&mut self, now: u64) {
        for case in &mut self.cases {
            case.since = now;
        }
    }
}

impl Iommu {
    /// Reports invalidations that are overdue. Each request, each command and
    /// [`Iommu::statistics`] do so as well.
    pub fn judge_pending(&mut self, system: &dyn System) {
        if self.caches.pending.cases.is_empty() {
            return;
        }
        let now = system.now();
        if self.schedule.is_stalled(Engine::HostCommands) {
            // The invalidation may be in the ring, and it is not the driver that holds it up.
            return self.caches.pending.start_anew(now);
        }
        while let Some(case) = self.caches.pending.take_overdue(now) {
            self.referee
                .report(case.owed.rule(), case.place, || case.sentence);
        }
    }
}
