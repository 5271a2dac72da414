// SPDX-License-Identifier: GPL-2.0

use hw::viommu::storm::{Storm, LIMIT, PERIOD};

#[test]
fn one_too_many_in_a_period_is_a_storm_until_it_ends() {
    let mut storm = Storm::default();
    for _ in 0..LIMIT {
        assert!(!storm.hit(5000));
    }
    assert!(storm.hit(5000));
    assert!(storm.hit(5000 + PERIOD - 1));
    assert!(!storm.hit(5000 + PERIOD));
}

#[test]
fn as_many_as_are_allowed_for_ever_are_no_storm() {
    let mut storm = Storm::default();
    for period in 0..100 {
        for _ in 0..LIMIT {
            assert!(!storm.hit(period * PERIOD));
        }
    }
}

/// The clock may have any value, and wrap.
#[test]
fn nothing_overflows() {
    let mut storm = Storm::default();
    assert!(!storm.hit(u64::MAX));
    assert!(!storm.hit(0));
    for _ in 0..LIMIT {
        storm.hit(0);
    }
    assert!(storm.hit(1));
}
