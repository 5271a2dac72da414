// SPDX-License-Identifier: GPL-2.0

//! A part may throw out whatever it likes: no cache and no slot is safe.

#![allow(clippy::indexing_slicing)]

use alloc::vec::Vec;

use super::*;
use crate::interrupt::entry::InterruptEntry;
use crate::interrupt::{Kept as KeptInterrupt, Slot};
use crate::walk::{Rights, Table};

/// In each cache.
const KEYS: u16 = 48;

fn tag(key: u16) -> Tag {
    Tag {
        domain: key,
        pasid: Some(1),
    }
}

fn page(key: u16) -> u64 {
    u64::from(key) << 12
}

fn range(key: u16) -> Range {
    Range::around(tag(key), page(key), 12)
}

fn slot(key: u16) -> Slot {
    Slot::of_device(key, 1)
}

fn filled() -> Caches {
    let through = None;
    let (address, level, rights) = (0x1000, 1, Rights::ALL);
    let table = Table {
        address,
        level,
        rights,
    };
    let kept = Kept {
        page: None,
        guest: Rights::NONE,
        through,
    };
    let mut caches = Caches::new();
    for key in 0..KEYS {
        caches.keep_device_entry(key, DeviceEntry([0; 4]), Half::Memory);
        caches
            .directories
            .insert(range(key), Directory { table, through });
        caches.roots.insert(tag(key), Root { address, through });
        let entry = KeptInterrupt(InterruptEntry::Short(0));
        caches.interrupts.insert(slot(key), entry);
        caches.translations.insert(range(key), kept);
    }
    caches
}

/// Which keys are left in the caches, in the order of the numbers that name these.
fn left(caches: &Caches) -> [Vec<u16>; 5] {
    let some = |is_kept: &dyn Fn(u16) -> bool| (0..KEYS).filter(|key| is_kept(*key)).collect();
    [
        some(&|key| caches.entries.find(&key).is_some()),
        some(&|key| caches.directories.find(tag(key), page(key)).is_some()),
        some(&|key| caches.roots.find(&tag(key)).is_some()),
        some(&|key| caches.interrupts.find(&slot(key)).is_some()),
        some(&|key| caches.translations.find(tag(key), page(key)).is_some()),
    ]
}

#[test]
fn every_cache_can_be_emptied_and_no_other_with_it() {
    let mut caches = filled();
    let mut expected = left(&caches);
    for (cache, number) in (0..5).zip(0..) {
        let evicted = (0..u64::from(2 * KEYS))
            .filter(|round| caches.evict(round * 40 + number))
            .count();
        assert_eq!(evicted, expected[cache].len(), "{number}");
        assert!(evicted > usize::from(KEYS) / 2, "{number}");
        expected[cache].clear();
        assert_eq!(left(&caches), expected, "{number}");
    }
}

/// The quotient names the slot; were it shifted, some slots would never be emptied.
#[test]
fn all_the_rest_of_a_number_names_the_slot() {
    let ways: [fn(&mut Caches, u64) -> bool; 5] = [
        |caches, slot| caches.entries.evict(slot).is_some(),
        |caches, slot| caches.directories.evict(slot),
        |caches, slot| caches.roots.evict(slot).is_some(),
        |caches, slot| caches.interrupts.evict(slot).is_some(),
        |caches, slot| caches.translations.evict(slot),
    ];
    for (number, way) in (0..).zip(ways) {
        for slot in (0..4096).step_by(61) {
            let (mut caches, mut expected) = (filled(), filled());
            assert!(caches.evict(slot * 5 + number) && way(&mut expected, slot));
            assert_eq!(left(&caches), left(&expected), "{number} {slot}");
        }
    }
}
