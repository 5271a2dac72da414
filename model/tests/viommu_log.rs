// SPDX-License-Identifier: GPL-2.0

//! Guest event logs: what is written into them, by whom, and what happens when that is not
//! possible (hardware.md 3.2, 6.5, 7.8, OQ-7, OQ-34, OQ-36).

use amd_iommu_model::config::{GuestFaults, InterruptEdge, OverflowRun, Readings};
use amd_iommu_model::request::Access;
use amd_iommu_model::Answer;

use crate::support::bench::control;
use crate::support::event::{GUEST_EVENT_FAULT, ILLEGAL_ENTRY, PAGE_FAULT, VIOMMU_ERROR};
use crate::support::viommu::*;
use crate::support::{command, Dte, GUEST_OFFSET};

const DEVICE: u16 = 0x300;
const GUEST_DEVICE: u16 = 0x108;
const DOMAIN: u16 = 0x41;

fn with(change: impl FnOnce(&mut Readings)) -> (Host, Guest) {
    let mut host = Host::reading(change);
    let guest = host.running_guest(1);
    let entry = faulting(&mut host);
    host.bench.install(DEVICE, &entry);
    (host, guest)
}

/// The entry of a guest's device whose GCR3 table is empty.
fn faulting(host: &mut Host) -> Dte {
    let gcr3 = host.bench.machine.page();
    Dte::guest(DOMAIN, gcr3, 0).of_guest(1, GUEST_DEVICE)
}

fn fault(host: &mut Host, address: u64) {
    let answer = host.bench.dma(DEVICE, address, Access::Write, None);
    assert_eq!(answer, Answer::Abort);
}

#[test]
fn a_fault_reaches_the_guest_under_its_own_ids() {
    let (mut host, guest) = with(|_| {});
    fault(&mut host, 0x1234_5678);
    assert!(host.bench.events().is_empty());
    assert_eq!(host.status(&guest), EVENT_INT | EVENT_RUN | COMMAND_RUN);
    assert_eq!(host.interrupts(&guest), 1);
    assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0x10);
    let events = host.guest_events(&guest);
    assert_eq!(events.len(), 1);
    let event = events[0];
    assert_eq!((event.code(), event.device()), (PAGE_FAULT, GUEST_DEVICE));
    assert_eq!((event.domain(), event.vflags()), (0, 0));
    assert_eq!(event.address(), 0x1234_5678);
    assert!(event.write() && !event.present() && !event.gn());
}

#[test]
fn a_pasid_of_a_fault_reaches_the_guest() {
    let (mut host, guest) = with(|_| {});
    host.bench.dma(DEVICE, 0x5000, Access::Read, Some(0x123));
    let events = host.guest_events(&guest);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].pasid(), Some(0x123));
    assert_eq!(events[0].device(), GUEST_DEVICE);
}

/// What keeps a guest's log from taking an event.
type Prepare = fn(&mut Host, &Guest);

#[test]
fn the_host_logs_what_no_guest_log_takes() {
    let cases: [(&str, Prepare); 4] = [
        ("log off", |host, guest| {
            let register = host.get(guest, ctl::EVENT);
            host.set(guest, ctl::EVENT, register & !0x100);
        }),
        ("vIOMMU off", |host, _| {
            host.bench.clear_control(control::VIOMMU)
        }),
        ("no vImuEn", |host, _| {
            let entry = Dte {
                vimu: false,
                ..faulting(host)
            };
            host.bench.install(DEVICE, &entry);
        }),
        ("another guest, unknown", |host, _| {
            let entry = faulting(host).of_guest(7, GUEST_DEVICE);
            host.bench.install(DEVICE, &entry);
        }),
    ];
    for (name, prepare) in cases {
        let (mut host, guest) = with(|_| {});
        prepare(&mut host, &guest);
        fault(&mut host, 0x5000);
        let events = host.bench.events();
        assert_eq!(events.len(), 1, "{name}");
        let event = events[0];
        assert_eq!((event.code(), event.device()), (PAGE_FAULT, DEVICE));
        assert_eq!((event.domain(), event.vflags()), (DOMAIN, 0));
        assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0, "{name}");
        assert_eq!(host.interrupts(&guest), 0, "{name}");
    }
}

#[test]
fn what_is_wrong_with_tables_of_the_host_stays_with_the_host() {
    let (mut host, guest) = with(|_| {});
    let entry = Dte {
        extra: [4, 0, 0, 0],
        ..faulting(&mut host)
    };
    host.bench.install(DEVICE, &entry);
    fault(&mut host, 0x5000);
    let events = host.bench.events();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].code(), events[0].device()),
        (ILLEGAL_ENTRY, DEVICE)
    );
    assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0);
}

#[test]
fn faults_of_the_host_stage_stay_with_the_host_in_every_reading() {
    for &reading in GuestFaults::ALL {
        let (mut host, guest) = with(|r| r.guest_faults = reading);
        let root = host.bench.machine.page();
        let entries = [
            Dte::host(DOMAIN, root, 4),
            Dte::blocked(),
            Dte {
                iw: false,
                ..faulting(&mut host)
            },
        ];
        for entry in entries {
            host.bench.install(DEVICE, &entry.of_guest(1, GUEST_DEVICE));
            fault(&mut host, 0x5000);
            let events = host.bench.events();
            assert_eq!(events.len(), 1);
            assert_eq!((events[0].code(), events[0].device()), (PAGE_FAULT, DEVICE));
            assert_eq!(events[0].vflags(), 0);
            host.bench.submit(&[command::insert_guest_event(1)]);
            assert_eq!(host.bench.events()[0].code(), GUEST_EVENT_FAULT);
        }
        assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0);
    }
}

#[test]
fn in_the_other_reading_the_host_logs_and_inserts() {
    let (mut host, guest) = with(|r| r.guest_faults = GuestFaults::HostLog);
    fault(&mut host, 0x5000);
    fault(&mut host, 0x6000);
    assert_eq!(host.vf(&guest, page::EVENT_TAIL), 0);
    let events = host.bench.events();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!((event.code(), event.device()), (PAGE_FAULT, DEVICE));
        assert_eq!((event.domain(), event.vflags()), (DOMAIN, 0));
    }
    host.bench.submit(&[command::insert_guest_event(1)]);
    let inserted = host.guest_events(&guest);
    assert_eq!(inserted.len(), 1);
    assert_eq!(inserted[0].device(), GUEST_DEVICE);
    assert_eq!((inserted[0].domain(), inserted[0].vflags()), (0, 0));
    assert_eq!(inserted[0].address(), 0x6000);
    assert_eq!(host.interrupts(&guest), 1);
    assert!(host.bench.events().is_empty());
    // It is inserted once.
    host.bench.submit(&[command::insert_guest_event(1)]);
    assert_eq!(host.bench.events()[0].code(), GUEST_EVENT_FAULT);
    assert!(host.guest_events(&guest).is_empty());
}

#[test]
fn an_insertion_for_which_there_is_nothing_or_nobody_is_a_fault() {
    for reading in [GuestFaults::GuestLog, GuestFaults::HostLog] {
        let (mut host, guest) = with(|r| r.guest_faults = reading);
        for gid in [1, 2, 0x7fff] {
            host.bench.submit(&[command::insert_guest_event(gid)]);
            let events = host.bench.events();
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].code(), GUEST_EVENT_FAULT);
            assert_eq!(events[0].domain(), gid, "the guest ID is in dw1[15:0]");
        }
        assert!(host.guest_events(&guest).is_empty());
        assert!(host.bench.try_completion_wait(), "the engine goes on");
    }
}

#[test]
fn an_event_kept_for_a_guest_does_not_outlive_its_reset() {
    let (mut host, guest) = with(|r| r.guest_faults = GuestFaults::HostLog);
    fault(&mut host, 0x5000);
    host.bench.events();
    host.bench.submit(&[command::reset_vmmio(1)]);
    let id = u64::from(guest.translate_id);
    host.set(&guest, ctl::MISC, id << 16);
    host.enable(&guest);
    host.bench.submit(&[command::insert_guest_event(1)]);
    assert_eq!(host.bench.events()[0].code(), GUEST_EVENT_FAULT);
}

#[test]
fn a_full_log_overflows_and_restarts() {
    for reading in [OverflowRun::Clears, OverflowRun::Stays] {
        let (mut host, guest) = with(|r| r.overflow_run = reading);
        for number in 0..255 {
            fault(&mut host, number << 12);
        }
        let run = COMMAND_RUN | EVENT_RUN;
        assert_eq!(host.status(&guest), run | EVENT_INT);
        host.set_vf(&guest, page::STATUS, EVENT_INT);
        let before = host.interrupts(&guest);
        fault(&mut host, 0xfff_f000);
        fault(&mut host, 0xfff_f000);
        let left = match reading {
            OverflowRun::Clears => COMMAND_RUN | OVERFLOW,
            OverflowRun::Stays => run | OVERFLOW,
        };
        assert_eq!(host.status(&guest), left);
        assert_eq!(host.interrupts(&guest), before + 1);
        assert_eq!(host.guest_events(&guest).len(), 255);
        // There is room, but the log stands until it is restarted.
        let register = host.get(&guest, ctl::EVENT);
        host.set(&guest, ctl::EVENT, register ^ 0x200);
        host.set(&guest, ctl::EVENT, register);
        assert_eq!(host.status(&guest), left);
        fault(&mut host, 0x5000);
        assert!(host.guest_events(&guest).is_empty());
        host.set_vf(&guest, page::STATUS, OVERFLOW);
        fault(&mut host, 0x6000);
        let goes_on = reading == OverflowRun::Stays;
        assert_eq!(host.guest_events(&guest).len(), usize::from(goes_on));
        host.set(&guest, ctl::EVENT, register & !0x100);
        host.set(&guest, ctl::EVENT, register);
        assert_eq!(host.status(&guest) & (EVENT_RUN | OVERFLOW), EVENT_RUN);
        fault(&mut host, 0x7000);
        assert_eq!(host.guest_events(&guest)[0].address(), 0x7000);
        assert!(host.bench.events().is_empty(), "the host is not concerned");
    }
}

#[test]
fn enabling_the_log_clears_the_overflow() {
    let (mut host, guest) = with(|_| {});
    for number in 0..256 {
        fault(&mut host, number << 12);
    }
    assert_eq!(host.status(&guest) & OVERFLOW, OVERFLOW);
    let register = host.get(&guest, ctl::EVENT);
    host.set(&guest, ctl::EVENT, register & !0x100);
    assert_eq!(host.status(&guest) & OVERFLOW, OVERFLOW);
    host.set(&guest, ctl::EVENT, register);
    assert_eq!(host.status(&guest) & (OVERFLOW | EVENT_RUN), EVENT_RUN);
}

#[test]
fn the_log_interrupt_needs_its_enable_and_perhaps_an_edge() {
    for (edge, count) in [(InterruptEdge::Rising, 1), (InterruptEdge::Every, 3)] {
        let (mut host, guest) = with(|r| r.interrupt_edge = edge);
        for _ in 0..3 {
            fault(&mut host, 0x5000);
        }
        assert_eq!(host.interrupts(&guest), count);
        let register = host.get(&guest, ctl::EVENT);
        host.set(&guest, ctl::EVENT, register & !0x200);
        host.set_vf(&guest, page::STATUS, EVENT_INT);
        fault(&mut host, 0x5000);
        assert_eq!(host.status(&guest) & EVENT_INT, EVENT_INT);
        assert_eq!(host.interrupts(&guest), count);
    }
}

#[test]
fn a_log_in_no_memory_stops_with_one_event_for_the_host() {
    let (mut host, guest) = with(|_| {});
    host.set(&guest, ctl::EVENT, 0);
    let nowhere = (1 << 32) - GUEST_OFFSET - 0x1000;
    host.set(&guest, ctl::EVENT, nowhere | 0x308);
    for _ in 0..10 {
        fault(&mut host, 0x5000);
    }
    let events = host.bench.events();
    assert_eq!(events.len(), 1);
    let event = events[0];
    assert_eq!((event.code(), event.vflags()), (VIOMMU_ERROR, VEVENT));
    assert_eq!(event.0[0] >> 16 & 3, 1, "source: event log (OQ-9)");
    assert_eq!((event.device(), event.address()), (1, nowhere));
    assert!(event.write() && !event.present());
    assert_eq!(host.status(&guest) & EVENT_RUN, 0);
    assert_eq!(host.status(&guest) & COMMAND_RUN, COMMAND_RUN);
}

#[test]
fn nothing_is_kept_for_a_guest_while_the_viommu_is_off() {
    let (mut host, _) = with(|r| r.guest_faults = GuestFaults::HostLog);
    host.bench.clear_control(control::VIOMMU);
    fault(&mut host, 0x5000);
    assert_eq!(host.bench.events()[0].code(), PAGE_FAULT);
    host.bench.set_control(control::VIOMMU);
    host.bench.submit(&[command::insert_guest_event(1)]);
    assert_eq!(host.bench.events()[0].code(), GUEST_EVENT_FAULT);
}
