// SPDX-License-Identifier: GPL-2.0

//! Ranges of many sizes under one roof: final translations, and directory entries.

use crate::caches::key::{Range, Tag};
use crate::caches::sets::Sets;

/// A cache of values by address range.
#[derive(Debug)]
pub(crate) struct Ranges<V> {
    sets: Sets<Range, V>,
    /// How many ranges of each size are kept: a look-up probes only the sizes that exist.
    sizes: [u32; 65],
    /// Bit n: there are ranges of 2^n bytes. 2^64 is never kept: nothing translates that much.
    present: u64,
    /// How many ranges there are for DomainIDs with the same low byte: most invalidations of a
    /// driver that clears everything need no look at the slots.
    domains: [u32; 256],
}

impl<V: Copy> Ranges<V> {
    /// An empty cache of `sets` times 4 ranges.
    pub(crate) fn new(sets: usize) -> Self {
        Ranges {
            sets: Sets::new(sets),
            sizes: [0; 65],
            present: 0,
            domains: [0; 256],
        }
    }

    /// The smallest range around `address`.
    pub(crate) fn find(&self, tag: Tag, address: u64) -> Option<(Range, &V)> {
        let mut left = self.present;
        while left != 0 {
            let range = Range::around(tag, address, left.trailing_zeros() as u8);
            if let Some(value) = self.sets.find(&range) {
                return Some((range, value));
            }
            left &= left - 1;
        }
        None
    }

    /// Keeps a value.
    pub(crate) fn insert(&mut self, range: Range, value: V) {
        if range.shift >= 64 {
            return;
        }
        if let Some(gone) = self.sets.replace(range, value) {
            self.count(gone, false);
        }
        self.count(range, true);
    }

    /// Drops what `keep` refuses among the ranges of a domain.
    pub(crate) fn retain(&mut self, domain: u16, mut keep: impl FnMut(&Range, &V) -> bool) {
        let bucket = usize::from(domain & 0xff);
        if self.domains.get(bucket).is_some_and(|count| *count == 0) {
            return;
        }
        let (sizes, domains) = (&mut self.sizes, &mut self.domains);
        self.sets.retain(|range, value| {
            let stays = range.tag.domain != domain || keep(range, value);
            if !stays {
                step(sizes.get_mut(usize::from(range.shift)), false);
                step(domains.get_mut(bucket), false);
            }
            stays
        });
        self.see_sizes();
    }

    /// Drops a random range; whether there was one.
    pub(crate) fn evict(&mut self, random: u64) -> bool {
        let gone = self.sets.evict(random);
        if let Some(range) = gone {
            self.count(range, false);
        }
        gone.is_some()
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.sets.clear();
        self.sizes = [0; 65];
        self.domains = [0; 256];
        self.present = 0;
    }

    fn count(&mut self, range: Range, up: bool) {
        step(self.sizes.get_mut(usize::from(range.shift)), up);
        step(
            self.domains.get_mut(usize::from(range.tag.domain & 0xff)),
            up,
        );
        let some = self
            .sizes
            .get(usize::from(range.shift))
            .is_some_and(|n| *n != 0);
        let bit = 1u64.checked_shl(u32::from(range.shift)).unwrap_or(0);
        self.present = if some {
            self.present | bit
        } else {
            self.present & !bit
        };
    }

    fn see_sizes(&mut self) {
        self.present = self
            .sizes
            .iter()
            .take(64)
            .enumerate()
            .fold(0, |bits, (shift, count)| {
                bits | u64::from(*count != 0) << shift
            });
    }
}

fn step(counter: Option<&mut u32>, up: bool) {
    if let Some(counter) = counter {
        *counter = if up {
            counter.saturating_add(1)
        } else {
            counter.saturating_sub(1)
        };
    }
}
