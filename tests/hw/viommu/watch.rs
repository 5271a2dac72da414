// SPDX-License-Identifier: GPL-2.0

use hw::viommu::watch::{Look, Watch, START};

fn enabled(now: u64) -> Watch {
    let mut watch = Watch::default();
    watch.set_enabled(true, now);
    watch
}

#[test]
fn a_queue_that_starts_has_not_halted() {
    let mut watch = enabled(1000);
    for time in 1000..1000 + START {
        assert_eq!(watch.look(false, time), Look::Early);
    }
    assert_eq!(watch.look(true, 1000 + START), Look::Well);
    // It has run: no time is needed any more.
    assert_eq!(watch.look(false, 1000 + START), Look::Halted);
}

#[test]
fn a_queue_that_never_starts_is_found() {
    let mut watch = enabled(u64::MAX);
    assert_eq!(watch.look(false, START - 2), Look::Early);
    assert_eq!(watch.look(false, START - 1), Look::Halted);
}

#[test]
fn a_halt_is_found_once_for_each_time_that_the_queue_is_enabled() {
    let mut watch = enabled(0);
    for round in 0..3 {
        let now = round * 1000;
        assert_eq!(watch.look(true, now), Look::Well);
        assert_eq!(watch.look(false, now), Look::Halted);
        // Another field of the register is written.
        watch.set_enabled(true, now);
        assert_eq!(watch.look(false, now + START), Look::Well);

        watch.set_enabled(false, now + START);
        assert_eq!(watch.look(false, now + 2 * START), Look::Well);
        watch.set_enabled(true, now + 1000);
        assert_eq!(watch.look(false, now + 1000), Look::Early);
    }
}

#[test]
fn a_queue_that_is_not_enabled_does_not_halt() {
    let mut watch = Watch::default();
    assert_eq!(watch.look(false, 0), Look::Well);
    assert!(!watch.is_enabled() && enabled(0).is_enabled());
}
