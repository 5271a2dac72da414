// SPDX-License-Identifier: GPL-2.0

//! What the VMM of a guest is told: nothing of the host, nothing twice, and every loss.

use hw::event::RawEvent;
use hw::viommu::report::{Cause, News, Report, Reports};

use crate::random::Random;

const PLACES: usize = 16;

/// How many faults of devices there is room for.
const FAULTS: usize = PLACES - PLACES / 4;

fn queue() -> Reports<Vec<Report>> {
    Reports::new(vec![Report::default(); PLACES])
}

fn fault(id: u16) -> News {
    News::Device {
        id,
        cause: Cause::default(),
    }
}

fn take(queue: &mut Reports<Vec<Report>>) -> Option<Report> {
    let report = queue.first();
    queue.pop();
    report
}

fn cause(dwords: [u32; 4]) -> Cause {
    Cause::of(&RawEvent(dwords).decode())
}

#[test]
fn an_empty_queue_has_nothing() {
    let mut queue = queue();
    assert!(!queue.is_readable());
    assert_eq!(queue.first(), None);
    queue.pop();
    assert_eq!(queue.first(), None);
}

#[test]
fn a_queue_without_places_counts_only() {
    let mut queue = Reports::new(Vec::new());
    queue.push(1, News::IommuGone, false);
    assert!(queue.is_readable());
    assert_eq!(queue.first(), None);
    queue.pop();
}

#[test]
fn reports_come_in_order_and_looking_takes_nothing() {
    let mut queue = queue();
    for id in 0..5 {
        queue.push(7, fault(id), false);
    }
    for id in 0..5 {
        let report = queue.first().unwrap();
        assert_eq!(queue.first(), Some(report));
        assert_eq!((report.news, report.handle), (fault(id), 7));
        assert_eq!((report.sequence, report.lost), (u64::from(id) + 1, 0));
        queue.pop();
    }
    assert!(!queue.is_readable());
}

#[test]
fn a_storm_of_faults_leaves_room_for_what_matters() {
    let mut queue = queue();
    for id in 0..100 {
        assert_eq!(queue.push(1, fault(id), false), id < FAULTS as u16);
    }
    queue.push(2, News::Hardware(Cause::default()), false);

    for id in 0..FAULTS as u16 {
        assert_eq!(take(&mut queue).unwrap().news, fault(id));
    }
    let last = take(&mut queue).unwrap();
    assert_eq!(last.news, News::Hardware(Cause::default()));
    assert_eq!((last.handle, last.lost), (2, 100 - FAULTS as u64));
    assert_eq!(take(&mut queue), None);
}

#[test]
fn a_guest_that_stops_its_queue_again_and_again_does_not_fill_the_queue_either() {
    let mut queue = queue();
    let stopped = News::Queue(Some(Cause::default()));
    for _ in 0..100 {
        queue.push(1, stopped, false);
    }
    queue.push(1, News::IommuGone, false);
    for _ in 0..FAULTS {
        assert_eq!(take(&mut queue).unwrap().news, stopped);
    }
    assert_eq!(take(&mut queue).unwrap().news, News::IommuGone);
}

/// Nobody finds it again: it has room when the storm of a device has taken all that it may.
#[test]
fn a_queue_that_is_found_stopped_is_told_whatever_waits_and_once() {
    let mut queue = queue();
    for id in 0..100 {
        queue.push(1, fault(id), false);
    }
    for _ in 0..100 {
        assert!(queue.push(1, News::Queue(None), false));
        assert!(queue.push(2, News::Queue(None), false));
    }
    for _ in 0..FAULTS {
        take(&mut queue).unwrap();
    }
    for handle in [1, 2] {
        let report = take(&mut queue).unwrap();
        assert_eq!((report.handle, report.news), (handle, News::Queue(None)));
    }
    assert_eq!(take(&mut queue), None);
}

#[test]
fn losses_behind_the_last_report_are_reported_by_themselves() {
    let mut queue = queue();
    for id in 0..100 {
        queue.push(3, fault(id), false);
    }
    for _ in 0..FAULTS {
        take(&mut queue).unwrap();
    }
    assert!(queue.is_readable());
    let report = take(&mut queue).unwrap();
    assert_eq!((report.news, report.handle), (News::Lost, 3));
    assert_eq!((report.sequence, report.lost), (101, 100 - FAULTS as u64));
    assert!(!queue.is_readable());

    queue.push(3, fault(0), false);
    let report = take(&mut queue).unwrap();
    assert_eq!((report.sequence, report.lost), (102, 0));
}

/// Whoever has lost events is told with its own next report that is not lost, and nobody else.
#[test]
fn an_overflow_of_the_hardwares_log_is_told_with_the_report_that_says_so() {
    let mut queue = queue();
    assert!(queue.push(1, fault(0), true));
    assert!(queue.push(1, fault(1), false));
    assert!(take(&mut queue).unwrap().overflow);
    assert!(!take(&mut queue).unwrap().overflow);

    for id in 0..FAULTS as u16 {
        queue.push(1, fault(id), false);
    }
    assert!(!queue.push(1, fault(0), true));
    assert!(queue.push(2, News::IommuGone, false));
    while let Some(report) = take(&mut queue) {
        assert!(!report.overflow, "{report:?}");
    }
}

#[test]
fn a_quiet_device_is_told_once_until_that_is_read() {
    let mut queue = queue();
    let hushed = |id| News::Hushed { id };
    for _ in 0..100 {
        assert!(queue.push(1, hushed(7), false));
    }
    assert!(queue.push(1, hushed(8), false));
    assert!(queue.push(2, hushed(7), false));
    let told: Vec<_> = (1..=3)
        .map(|sequence| {
            let report = take(&mut queue).unwrap();
            assert_eq!((report.sequence, report.lost), (sequence, 0));
            (report.handle, report.news)
        })
        .collect();
    assert_eq!(told, [(1, hushed(7)), (1, hushed(8)), (2, hushed(7))]);
    assert!(!queue.is_readable());

    assert!(queue.push(1, hushed(7), false));
    assert_eq!(take(&mut queue).unwrap().news, hushed(7));
}

/// What is not queued since it waits already takes nothing along.
#[test]
fn an_overflow_that_is_told_with_a_report_that_waits_is_in_that() {
    let mut queue = queue();
    let hushed = News::Hushed { id: 7 };
    assert!(queue.push(1, fault(0), false));
    for overflow in [false, true, false] {
        assert!(queue.push(1, hushed, overflow));
    }
    assert!(queue.push(2, hushed, false));
    let told: Vec<_> = (0..3).map(|_| take(&mut queue).unwrap().overflow).collect();
    assert_eq!(told, [false, true, false]);
}

/// Whatever is pushed and read in whatever order: no report is counted twice or not at all.
#[test]
fn sequence_and_losses_account_for_everything() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let (mut queue, mut pushed) = (queue(), 0);
        let (mut sequence, mut read, mut lost, mut alone) = (0, 0, 0, 0);

        for _ in 0..2000 {
            if random.below(3) != 0 {
                let news = match random.below(8) {
                    0 => News::DeviceLeft { id: 0 },
                    1 => News::Queue(Some(Cause::default())),
                    _ => fault(0),
                };
                queue.push(1, news, false);
                pushed += 1;
                continue;
            }
            for _ in 0..random.below(20) {
                let Some(report) = take(&mut queue) else {
                    assert!(!queue.is_readable());
                    break;
                };
                assert_eq!(report.sequence, sequence + report.lost + 1);
                sequence = report.sequence;
                lost += report.lost;
                match report.news {
                    News::Lost => alone += 1,
                    _ => read += 1,
                }
            }
        }
        while let Some(report) = take(&mut queue) {
            assert_eq!(report.sequence, sequence + report.lost + 1);
            sequence = report.sequence;
            lost += report.lost;
            match report.news {
                News::Lost => alone += 1,
                _ => read += 1,
            }
        }
        assert_eq!(read + lost, pushed);
        assert_eq!(sequence, pushed + alone);
    }
}

/// The addresses of requests are the guest's; those of commands and of table entries, and all IDs,
/// are the host's.
#[test]
fn nothing_of_the_host_is_told() {
    let fault = cause([0x0001_0300, 0x2055_2345, 0x1234_5000, 0x7FFF]);
    assert_eq!(
        fault,
        Cause {
            code: 2,
            flags: 0x055,
            pasid: Some(0x1_2345),
            address: Some(0x7FFF_1234_5000),
        }
    );
    // The domain ID of the host.
    assert_eq!(cause([0x0300, 0x2020_0005, 0, 0]).pasid, None);

    for code in 1..=0xE {
        let told = cause([0, code << 28, 0x1234_5678, 0x9]).address.is_some();
        assert_eq!(told, matches!(code, 1 | 2 | 8 | 9), "{code:#x}");
    }
}
