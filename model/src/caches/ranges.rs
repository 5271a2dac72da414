// SPDX-License-Identifier: GPL-2.0

//! Ranges of many sizes under one roof: final translations, and directory entries.

use crate::caches::key::{Range, Tag};
use crate::caches::sets::Sets;
use crate::command::Pages;

/// Up to so many look-ups are cheaper than a look at every slot.
const FEW: u64 = 64;

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
    /// How many of these have a PASID.
    guests: [u32; 256],
}

impl<V: Copy> Ranges<V> {
    /// An empty cache of `sets` times 4 ranges.
    pub(crate) fn new(sets: usize) -> Self {
        Ranges {
            sets: Sets::new(sets),
            sizes: [0; 65],
            present: 0,
            domains: [0; 256],
            guests: [0; 256],
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
        let (sizes, domains, guests) = (&mut self.sizes, &mut self.domains, &mut self.guests);
        self.sets.retain(|range, value| {
            let stays = range.tag.domain != domain || keep(range, value);
            if !stays {
                step(sizes.get_mut(usize::from(range.shift)), false);
                step(domains.get_mut(bucket), false);
                if range.tag.pasid.is_some() {
                    step(guests.get_mut(bucket), false);
                }
            }
            stays
        });
        self.see_sizes();
    }

    /// Drops all ranges under a tag that overlap `pages`, if that takes few look-ups; whether it
    /// did.
    pub(crate) fn drop_few(&mut self, tag: Tag, pages: Pages) -> bool {
        let Pages { start, last } = pages;
        let present = self.present;
        let sizes = (12..64u8).filter(|shift| present >> shift & 1 != 0);
        let places = |shift: u8| (last >> shift) - (start >> shift) + 1;
        if sizes.clone().map(places).fold(0, u64::saturating_add) > FEW {
            return false;
        }
        for shift in sizes {
            for place in start >> shift..=last >> shift {
                let start = place << shift;
                self.remove(Range { tag, start, shift });
            }
        }
        true
    }

    /// Whether there may be ranges of a domain that have a PASID.
    pub(crate) fn has_guests(&self, domain: u16) -> bool {
        let count = self.guests.get(usize::from(domain & 0xff));
        count.is_none_or(|count| *count != 0)
    }

    fn remove(&mut self, range: Range) {
        if self.sets.remove(&range) {
            self.count(range, false);
        }
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
        self.guests = [0; 256];
        self.present = 0;
    }

    fn count(&mut self, range: Range, up: bool) {
        step(self.sizes.get_mut(usize::from(range.shift)), up);
        let bucket = usize::from(range.tag.domain & 0xff);
        step(self.domains.get_mut(bucket), up);
        if range.tag.pasid.is_some() {
            step(self.guests.get_mut(bucket), up);
        }
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

#[cfg(test)]
mod tests;
