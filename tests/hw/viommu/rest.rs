// SPDX-License-Identifier: GPL-2.0

//! A device is quiet until that has been read and a time has passed, whichever comes last.

use hw::dte::GuestIds;
use hw::viommu::rest::{Rest, Resting, Rests, REST};

const PLACES: usize = 4;

fn rests() -> Rests<Vec<Rest>> {
    Rests::new(vec![Rest::default(); PLACES])
}

fn device(devid: u16) -> Resting {
    let ids = GuestIds {
        guest_id: 7,
        device_id: devid ^ 0x55,
    };
    Resting { devid, ids }
}

#[test]
fn what_is_read_early_ends_when_it_has_been_long_enough() {
    let mut rests = rests();
    assert!(rests.is_empty());
    assert_eq!(rests.begin(device(1), 1000), None);
    assert!(!rests.is_empty() && !rests.is_read(device(1)));
    assert!(rests.read(device(1)) && rests.is_read(device(1)));
    for time in [1000, 1001, 1000 + REST - 1] {
        assert_eq!(rests.end_one(time), None);
    }
    assert_eq!(rests.end_one(1000 + REST), Some(device(1)));
    assert_eq!(rests.end_one(1000 + REST), None);
    assert!(rests.is_empty() && !rests.is_read(device(1)));
}

#[test]
fn what_is_read_late_ends_then() {
    let mut rests = rests();
    rests.begin(device(1), 1000);
    assert_eq!(rests.end_one(1000 + REST), None);
    assert!(rests.is_empty());
    assert!(!rests.read(device(1)));
}

#[test]
fn one_that_begins_anew_is_to_be_read_anew() {
    let mut rests = rests();
    rests.begin(device(1), 1000);
    rests.read(device(1));
    assert_eq!(rests.begin(device(1), 1500), None);
    assert!(!rests.is_read(device(1)));
    assert!(rests.read(device(1)));
    assert_eq!(rests.end_one(1000 + REST), None);
    assert_eq!(rests.end_one(1500 + REST), Some(device(1)));
}

/// The same device with another owner is another.
#[test]
fn devices_do_not_touch_each_other() {
    let mut rests = rests();
    let mut other = device(1);
    other.ids.guest_id = 8;
    rests.begin(device(1), 1000);
    rests.begin(other, 1000);
    rests.begin(device(2), 1200);
    assert!(rests.read(other) && rests.read(device(2)));
    assert!(!rests.read(device(3)) && !rests.is_read(device(1)));
    assert_eq!(rests.end_one(1000 + REST), Some(other));
    assert_eq!(rests.end_one(1000 + REST), None);
    assert!(rests.is_read(device(2)));
    assert_eq!(rests.end_one(1200 + REST), Some(device(2)));
    assert!(rests.is_empty());
}

#[test]
fn without_a_place_the_oldest_ends_and_none_is_forgotten() {
    let mut rests = rests();
    for devid in 0..PLACES as u16 {
        assert_eq!(rests.begin(device(devid), u64::from(devid)), None);
    }
    rests.read(device(1));
    // Nobody has read of the first one: whoever does need not wait.
    assert_eq!(rests.begin(device(10), 10), None);
    assert!(!rests.read(device(0)));
    assert_eq!(rests.begin(device(11), 10), Some(device(1)));
    assert!(rests.read(device(10)) && rests.read(device(11)));
    assert_eq!(rests.end_one(10 + REST), Some(device(10)));
    assert_eq!(rests.end_one(10 + REST), Some(device(11)));
    assert!(rests.is_empty());

    let mut none = Rests::new(Vec::new());
    assert_eq!(none.begin(device(1), 0), None);
    assert!(none.is_empty() && !none.read(device(1)));
    assert_eq!(none.end_one(REST), None);
}

/// The clock may have any value, and wrap.
#[test]
fn nothing_overflows() {
    let mut rests = rests();
    rests.begin(device(1), u64::MAX);
    rests.read(device(1));
    assert_eq!(rests.end_one(0), None);
    assert_eq!(rests.end_one(REST - 1), Some(device(1)));
}
