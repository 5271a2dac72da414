// SPDX-License-Identifier: GPL-2.0

//! A set-associative array: bounded, no allocation after its creation, and the same contents for
//! the same sequence of calls.

use alloc::vec;
use alloc::vec::Vec;

/// Slots of a set.
const WAYS: usize = 4;

/// What a cache is looked up by.
pub(crate) trait Key: Copy + PartialEq {
    /// All of the key in 64 bits; equal keys give equal numbers.
    fn number(&self) -> u64;
}

impl Key for u16 {
    fn number(&self) -> u64 {
        u64::from(*self)
    }
}

/// The array.
#[derive(Debug)]
pub(crate) struct Sets<K, V> {
    slots: Vec<Option<(K, V)>>,
    /// The way of each set that is replaced next.
    next: Vec<u8>,
    used: usize,
}

impl<K: Key, V: Copy> Sets<K, V> {
    /// An empty array. `sets` is rounded up to a power of two.
    pub(crate) fn new(sets: usize) -> Self {
        let sets = sets.next_power_of_two();
        Sets {
            slots: vec![None; sets * WAYS],
            next: vec![0; sets],
            used: 0,
        }
    }

    /// Multiplicative hashing: the low bits of page numbers spread over the sets, and so do tags
    /// that differ in few bits.
    fn set(&self, key: &K) -> usize {
        let mixed = key.number().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & self.next.len().saturating_sub(1)
    }

    fn ways(&mut self, key: &K) -> &mut [Option<(K, V)>] {
        let start = self.set(key) * WAYS;
        self.slots.get_mut(start..start + WAYS).unwrap_or_default()
    }

    /// What is kept under `key`.
    pub(crate) fn find(&self, key: &K) -> Option<&V> {
        let start = self.set(key) * WAYS;
        let ways = self.slots.get(start..start + WAYS)?;
        ways.iter()
            .flatten()
            .find_map(|(k, value)| (k == key).then_some(value))
    }

    /// The same, to change it.
    pub(crate) fn find_mut(&mut self, key: &K) -> Option<&mut V> {
        self.ways(key)
            .iter_mut()
            .flatten()
            .find_map(|(k, value)| (k == key).then_some(value))
    }

    /// Keeps `value` under `key`: in the place of the same key, in a free slot or in that of
    /// another key, in turn. Returns what went.
    pub(crate) fn replace(&mut self, key: K, value: V) -> Option<K> {
        let set = self.set(&key);
        let turn = usize::from(self.next.get(set).copied().unwrap_or(0));
        let ways = self.ways(&key);
        let same = ways.iter().position(|s| s.is_some_and(|(k, _)| k == key));
        let way = same.or_else(|| ways.iter().position(Option::is_none));
        let slot = ways.get_mut(way.unwrap_or(turn));
        let old = slot.and_then(|slot| slot.replace((key, value)));
        if old.is_none() {
            self.used += 1;
        }
        if way.is_none() {
            if let Some(next) = self.next.get_mut(set) {
                *next = (*next + 1) % WAYS as u8;
            }
        }
        old.map(|(k, _)| k)
    }

    /// [`Sets::replace`] for who does not care what went.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.replace(key, value);
    }

    /// Drops what `keep` refuses.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        if self.used == 0 {
            return;
        }
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|(k, v)| !keep(k, v)) {
                *slot = None;
                self.used -= 1;
            }
        }
    }

    /// Drops one key; whether it was there.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let mut ways = self.ways(key).iter_mut();
        let slot = ways.find(|slot| slot.is_some_and(|(k, _)| k == *key));
        let gone = slot.and_then(Option::take).is_some();
        self.used = self.used.saturating_sub(usize::from(gone));
        gone
    }

    /// Empties the first slot in use from the one on that a random number names. Returns what was
    /// in it.
    pub(crate) fn evict(&mut self, random: u64) -> Option<K> {
        let start = random as usize % self.slots.len().max(1);
        let (before, from) = self.slots.split_at_mut_checked(start)?;
        let slot = from.iter_mut().chain(before).find(|slot| slot.is_some())?;
        self.used = self.used.saturating_sub(1);
        slot.take().map(|(key, _)| key)
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        if self.used != 0 {
            self.slots.fill(None);
            self.used = 0;
        }
    }

    /// How many keys are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_replaces_in_turn_and_never_grows() {
        let mut sets: Sets<u16, u16> = Sets::new(1);
        for key in 0..4 {
            assert_eq!(sets.replace(key, key * 10), None);
        }
        assert_eq!(sets.replace(2, 99), Some(2), "the same key keeps its slot");
        assert_eq!(sets.replace(4, 40), Some(0));
        assert_eq!(sets.replace(5, 50), Some(1));
        assert_eq!(sets.find(&2).copied(), Some(99));
        assert_eq!(sets.find(&0), None);
        assert_eq!(sets.len(), 4);
        assert!(sets.remove(&4));
        assert_eq!(sets.replace(5, 51), Some(5), "not in the empty slot");
        assert_eq!(sets.find_mut(&5).copied(), Some(51));
        assert_eq!(sets.find_mut(&4), None);
        assert_eq!(sets.len(), 3);
    }

    /// As a part evicts what it likes, every slot has its turn; where one is empty, the next in use.
    #[test]
    fn a_random_number_names_the_slot_that_is_emptied() {
        let full = || {
            let mut sets: Sets<u16, u16> = Sets::new(2);
            (0..64).for_each(|key| sets.insert(key, key));
            sets
        };
        let keys = full().slots;
        assert!(keys.iter().all(Option::is_some));
        for random in 0..24usize {
            let after = |skipped| keys.iter().flatten().cycle().nth(skipped);
            let key = |skipped| after(skipped).map(|(key, _)| *key);
            let mut sets = full();
            assert_eq!(sets.evict(random as u64), key(random), "{random}");
            assert_eq!(sets.evict(random as u64), key(random + 1), "{random}");
            assert_eq!(sets.len(), keys.len() - 2);
        }
    }

    #[test]
    fn the_number_of_keys_follows_every_way_out() {
        let mut sets: Sets<u16, u16> = Sets::new(4);
        for key in 0..16 {
            sets.insert(key, key);
        }
        let full = sets.len();
        let evicted = sets.evict(5);
        assert!(evicted.is_some_and(|key| sets.find(&key).is_none()));
        assert_eq!(sets.len(), full - 1);
        assert!(!sets.remove(&evicted.unwrap_or_default()));
        assert_eq!(sets.len(), full - 1);
        let other = (0..16).find(|key| sets.find(key).is_some());
        assert!(sets.remove(&other.unwrap_or_default()));
        assert_eq!(sets.len(), full - 2);
        let kept = sets
            .slots
            .iter()
            .flatten()
            .filter(|(k, _)| k % 2 == 0)
            .count();
        sets.retain(|key, _| key % 2 == 0);
        assert_eq!(sets.len(), kept);
        while sets.evict(15).is_some() {}
        assert_eq!(sets.len(), 0);
        sets.insert(1, 1);
        sets.clear();
        assert_eq!(sets.len(), 0);
        assert!((0..16).all(|key| sets.find(&key).is_none()));
    }
}
