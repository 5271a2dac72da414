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
mod tests {
    use super::*;

    const PAGES: [u64; 3] = [0x1000, 0x2000, 0x3000];

    fn full() -> (Ranges<u8>, [Tag; 2]) {
        let tags = [None, Some(0)].map(|pasid| Tag { domain: 7, pasid });
        let mut ranges = Ranges::new(4);
        for (tag, page) in tags.iter().flat_map(|tag| PAGES.map(|page| (*tag, page))) {
            ranges.insert(Range::around(tag, page, 12), 0);
        }
        (ranges, tags)
    }

    /// Every way out of the cache is followed, or small invalidations become slow for ever.
    #[test]
    fn guests_are_known_as_long_as_there_are_some() {
        let ways: [fn(&mut Ranges<u8>, Tag); 3] = [
            |ranges, _| ranges.clear(),
            |ranges, tag| ranges.retain(7, |range, _| range.tag != tag),
            |ranges, tag| assert!(ranges.drop_few(tag, Pages::decode(0x1000, true))),
        ];
        for (number, way) in ways.into_iter().enumerate() {
            let (mut ranges, [host, guest]) = full();
            assert!(ranges.has_guests(7) && !ranges.has_guests(8));
            way(&mut ranges, host);
            assert_eq!(ranges.has_guests(7), number != 0);
            way(&mut ranges, guest);
            assert!(!ranges.has_guests(7), "{number}");
        }
    }

    #[test]
    fn a_large_range_is_refused_and_drops_nothing() {
        let (mut ranges, [host, _]) = full();
        assert!(!ranges.drop_few(host, Pages::ALL));
        assert!(PAGES.iter().all(|page| ranges.find(host, *page).is_some()));
        assert!(ranges.drop_few(host, Pages::decode(0x1000, false)));
        let left = PAGES.map(|page| ranges.find(host, page).is_some());
        assert_eq!(left, [false, true, true]);
    }
}
