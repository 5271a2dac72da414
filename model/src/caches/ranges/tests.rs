// SPDX-License-Identifier: GPL-2.0

//! The counts that spare look-ups and looks at every slot follow every change.

use alloc::vec;
use alloc::vec::Vec;

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

/// Sizes that a look-up probes.
fn probed(ranges: &Ranges<u8>) -> Vec<u32> {
    (0..64)
        .filter(|bit| ranges.present >> bit & 1 != 0)
        .collect()
}

/// Ranges that some domain has, by the counts that spare a look at the slots.
fn counted(ranges: &Ranges<u8>) -> u32 {
    ranges.domains.iter().sum()
}

/// Sizes come with ranges and go with the last range of each.
#[test]
fn a_look_up_probes_the_sizes_that_are_there_and_no_other() {
    let tag = Tag {
        domain: 7,
        pasid: None,
    };
    let sized = |shifts: &[u8]| {
        let mut ranges = Ranges::new(64);
        for (number, shift) in (1..).zip(shifts) {
            ranges.insert(Range::around(tag, number << 40, *shift), *shift);
        }
        ranges
    };
    let three = || sized(&[12, 21, 39]);
    assert_eq!(probed(&Ranges::new(64)), []);
    assert_eq!(probed(&three()), [12, 21, 39]);
    let all = sized(&[64]);
    assert_eq!(
        (probed(&all), counted(&all)),
        (vec![], 0),
        "nothing translates all"
    );
    for (number, shift) in (1..).zip([12, 21, 39]) {
        let found = three()
            .find(tag, number << 40 | 0xfff)
            .map(|(r, v)| (r.shift, *v));
        assert_eq!(found, Some((shift, shift)));
        assert!(three().find(tag, number << 40 | 1 << shift).is_none());
    }

    let mut ranges = three();
    ranges.retain(7, |range, _| range.shift != 21);
    assert_eq!((probed(&ranges), counted(&ranges)), (vec![12, 39], 2));
    ranges.retain(8, |_, _| false);
    assert_eq!(probed(&ranges), [12, 39]);
    assert!(ranges.drop_few(tag, Pages::decode(1 << 40, false)));
    assert_eq!((probed(&ranges), counted(&ranges)), (vec![39], 1));
    assert!(ranges.evict(0) && !ranges.evict(0));
    assert_eq!((probed(&ranges), counted(&ranges)), (vec![], 0));

    let mut two = sized(&[12, 12]);
    assert!(two.drop_few(tag, Pages::decode(1 << 40, false)));
    assert_eq!(probed(&two), [12], "one is left");
    two.clear();
    assert_eq!((probed(&two), counted(&two)), (vec![], 0));
}

/// What replaces a range of another size takes its place in the counts.
#[test]
fn a_range_that_is_replaced_is_not_counted_any_more() {
    let tag = |domain, pasid| Tag { domain, pasid };
    let mut ranges: Ranges<u8> = Ranges::new(1);
    ranges.insert(Range::around(tag(7, Some(1)), 0, 21), 0);
    for page in 0..4 {
        ranges.insert(Range::around(tag(8, None), page << 12, 12), 0);
    }
    assert_eq!(probed(&ranges), [12]);
    assert!(!ranges.has_guests(7));
}

/// Only sizes that there are cost a look-up.
#[test]
fn how_many_look_ups_are_few_depends_on_the_sizes() {
    let tag = Tag {
        domain: 7,
        pasid: None,
    };
    let pages = |count: u64, shift: u8| Pages {
        start: 1 << 40,
        last: (1 << 40) + (count << shift) - 1,
    };
    // Sizes in the cache, pages of the smallest of them, whether that is done one by one.
    let cases: [(&[u8], u64, bool); 7] = [
        (&[], 1 << 40, true),
        (&[12], FEW, true),
        (&[12], FEW + 1, false),
        (&[21], FEW, true),
        (&[21], FEW + 1, false),
        (&[12, 21], FEW - 1, true),
        (&[12, 21], FEW, false),
    ];
    for (shifts, count, few) in cases {
        let shift = shifts.first().copied().unwrap_or(12);
        let pages = pages(count, shift);
        let last = Range::around(tag, pages.last, shift);
        let mut ranges = Ranges::new(64);
        for shift in shifts {
            ranges.insert(Range::around(tag, pages.last, *shift), 0);
        }
        let before = probed(&ranges);
        assert_eq!(ranges.drop_few(tag, pages), few, "{shifts:?} {count}");
        assert_eq!(
            ranges.find(tag, last.start).is_none(),
            few || before.is_empty()
        );
    }
}
