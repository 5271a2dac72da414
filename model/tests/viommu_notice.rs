// SPDX-License-Identifier: GPL-2.0

//! Whom the stop of a guest's engine is told, and how, in each reading (hardware.md 6.5, OQ-14).

use amd_iommu_model::config::{GuestAccess, GuestNotice, PrivateFault, UnmappedId};
use amd_iommu_model::request::Access;

use crate::support::event::{COMMAND_ERROR, ILLEGAL_COMMAND, PAGE_FAULT, VIOMMU_ERROR};
use crate::support::viommu::*;
use crate::support::{command, Dte, Logged, Rights, GUEST_OFFSET};

/// DomainID of the entry behind a guest's translate device ID.
const PARENT_DOMAIN: u16 = 0x10;

/// A guest physical address that is not there.
const NOWHERE: u64 = 0x7000_0000_1000;

/// The one event in the host's log.
fn one(host: &mut Host) -> Logged {
    let events = host.bench.events();
    assert_eq!(events.len(), 1, "{events:?}");
    events[0]
}

#[test]
fn a_fetch_that_fails_is_told_in_each_reading() {
    for &reading in GuestAccess::ALL {
        let mut host = Host::reading(|r| r.guest_access = reading);
        let guest = host.guest(1, 8);
        host.set(&guest, ctl::COMMAND, NOWHERE | 0x108);
        host.set_vf(&guest, page::COMMAND_TAIL, 0x40);
        let event = one(&mut host);
        assert_eq!((event.address(), event.vflags()), (NOWHERE, VCMD));
        let (code, device) = match reading {
            GuestAccess::HardwareError => (VIOMMU_ERROR, 1),
            GuestAccess::PageFault => (PAGE_FAULT, guest.translate_id),
            GuestAccess::CommandError => (COMMAND_ERROR, 0),
        };
        assert_eq!((event.code(), event.device()), (code, device));
        assert_eq!(host.status(&guest) & COMMAND_RUN, 0, "{reading:?}");
        if reading == GuestAccess::PageFault {
            assert_eq!(event.domain(), PARENT_DOMAIN);
            assert!(!event.present() && !event.write());
        }
        if reading == GuestAccess::CommandError {
            assert_eq!(event.kind(), 3);
        }
    }
}

#[test]
fn a_store_that_is_not_allowed_is_told_in_each_reading() {
    for &reading in GuestAccess::ALL {
        let mut host = Host::reading(|r| r.guest_access = reading);
        let guest = host.running_guest(1);
        let (from, to) = (0x4000_0000, host.bench.machine.page());
        host.parent
            .map(&mut host.bench.machine, from, to, 0x1000, Rights::READ);
        host.flush_parent();
        assert!(!host.submit(&guest, &[store(from + 8, 1)]));
        let event = one(&mut host);
        assert_eq!((event.address(), event.vflags()), (from + 8, VCMD));
        if reading != GuestAccess::CommandError {
            assert!(event.present() && event.permission() && event.write());
        }
    }
}

#[test]
fn a_log_that_cannot_be_written_is_no_command_error() {
    for (reading, code) in [
        (GuestAccess::HardwareError, VIOMMU_ERROR),
        (GuestAccess::PageFault, PAGE_FAULT),
        (GuestAccess::CommandError, VIOMMU_ERROR),
    ] {
        let mut host = Host::reading(|r| r.guest_access = reading);
        let guest = host.guest(1, 8);
        host.set(&guest, ctl::EVENT, NOWHERE | 0x108);
        let gcr3 = host.bench.machine.page();
        let entry = Dte::guest(0x41, gcr3, 0).of_guest(1, 0x108);
        host.bench.install(0x300, &entry);
        host.bench.dma(0x300, 0x5000, Access::Write, None);
        let event = one(&mut host);
        assert_eq!((event.code(), event.vflags()), (code, VEVENT));
        assert_eq!(event.address(), NOWHERE);
        assert!(event.write());
    }
}

#[test]
fn private_memory_is_told_as_before_in_each_reading() {
    for &reading in GuestAccess::ALL {
        for (private, code) in [
            (PrivateFault::HardwareError, VIOMMU_ERROR),
            (PrivateFault::PageFault, PAGE_FAULT),
        ] {
            let mut host = Host::reading(|r| {
                (r.guest_access, r.private_fault) = (reading, private);
            });
            let guest = host.running_guest(1);
            let table = 0x10_0010_0000;
            host.private.unmap(&mut host.bench.machine, table, 1 << 20);
            host.flush_private();
            host.submit(&guest, &[command::invalidate_entry(3)]);
            assert_eq!(one(&mut host).code(), code);
        }
    }
}

/// A way to stop the engine of a guest: prepares, and gives the command.
type Stop = fn(&mut Host) -> [u32; 4];

/// Ways to stop the engine, with code of the event and whether it names the command; otherwise
/// it names [`NOWHERE`].
const STOPS: [(Stop, u8, bool); 4] = [
    (|_| [0, 0xf000_0000, 0, 0], ILLEGAL_COMMAND, true),
    (|_| command::invalidate_entry(3), ILLEGAL_COMMAND, true),
    (|_| store(NOWHERE, 1), COMMAND_ERROR, false),
    (
        |host| {
            let table = 0x10_0010_0000;
            host.private.unmap(&mut host.bench.machine, table, 1 << 20);
            host.flush_private();
            command::invalidate_entry(3)
        },
        COMMAND_ERROR,
        true,
    ),
];

#[test]
fn a_guest_is_told_nothing_or_what_a_base_part_says() {
    for &reading in GuestNotice::ALL {
        for (number, (stop, code, names_command)) in STOPS.iter().enumerate() {
            let mut host = Host::reading(|r| r.guest_notice = reading);
            let guest = host.running_guest(1);
            let words = stop(&mut host);
            let none = command::completion_wait(None, false);
            assert!(!host.submit(&guest, &[none, words]));
            one(&mut host);
            assert_eq!(host.status(&guest) & COMMAND_RUN, 0, "{number}");
            let events = host.guest_events(&guest);
            if reading == GuestNotice::Nothing {
                assert!(events.is_empty(), "{number}: {events:?}");
                assert_eq!(host.interrupts(&guest), 0);
                continue;
            }
            assert_eq!(events.len(), 1, "{number}");
            let ring = guest.ring - GUEST_OFFSET;
            let address = if *names_command { ring + 0x10 } else { NOWHERE };
            let event = events[0];
            assert_eq!(
                (event.code(), event.address()),
                (*code, address),
                "{number}"
            );
            // Neither the guest ID nor an engine of the host is the guest's affair.
            assert_eq!(event.0[0], 0, "{number}");
            assert_eq!(host.interrupts(&guest), 1);
        }
    }
}

#[test]
fn the_notice_names_the_command_wherever_the_head_stands() {
    for head in ["on", "behind", "tail"] {
        let mut host = Host::reading(|r| {
            r.guest_notice = GuestNotice::Event;
            r.set("oq-33", head).unwrap();
        });
        let guest = host.running_guest(1);
        let none = command::completion_wait(None, false);
        host.submit(&guest, &[none, [0; 4], none]);
        let events = host.guest_events(&guest);
        assert_eq!(events.len(), 1, "{head}");
        assert_eq!(events[0].address(), guest.ring - GUEST_OFFSET + 0x10);
    }
}

#[test]
fn a_command_that_is_ignored_stops_nothing_and_tells_nobody() {
    let mut host = Host::reading(|r| {
        (r.guest_notice, r.unmapped_id) = (GuestNotice::Event, UnmappedId::Ignore);
    });
    let guest = host.running_guest(1);
    assert!(host.submit(&guest, &[command::invalidate_entry(3)]));
    assert!(host.guest_events(&guest).is_empty());
    assert!(host.bench.events().is_empty());
}

#[test]
fn a_doorbell_whose_dirty_bit_cannot_be_set_is_told_too() {
    let mut host = Host::reading(|r| r.guest_notice = GuestNotice::Event);
    let guest = host.running_guest(1);
    host.private
        .unmap(&mut host.bench.machine, 0x40_0000, 1 << 21);
    host.flush_private();
    assert!(!host.submit(&guest, &[command::completion_wait(None, false)]));
    assert_eq!(one(&mut host).address(), 0x40_0020);
    let events = host.guest_events(&guest);
    assert_eq!(events.len(), 1);
    let ring = guest.ring - GUEST_OFFSET;
    assert_eq!(
        (events[0].code(), events[0].address()),
        (COMMAND_ERROR, ring)
    );
}

#[test]
fn a_notice_that_cannot_be_written_costs_the_host_one_event_more_and_no_third() {
    let mut host = Host::reading(|r| r.guest_notice = GuestNotice::Event);
    let guest = host.running_guest(1);
    host.set(&guest, ctl::EVENT, 0);
    host.set(&guest, ctl::EVENT, NOWHERE | 0x108);
    host.submit(&guest, &[[0; 4]]);
    let codes: Vec<_> = host.bench.events().iter().map(Logged::code).collect();
    assert_eq!(codes, [ILLEGAL_COMMAND, VIOMMU_ERROR]);
    assert_eq!(host.status(&guest) & (EVENT_RUN | COMMAND_RUN), 0);
    host.set_vf(&guest, page::COMMAND_TAIL, 0x20);
    assert!(host.bench.events().is_empty());
}
