// SPDX-License-Identifier: GPL-2.0

//! What the commands of a guest do to the host, through its ID maps, and the flush of a Linux
//! guest at boot (hardware.md 6.5, OQ-11, OQ-14).

use amd_iommu_model::config::{GuestInvalidateAll, Readings, UnmappedId};
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config};

use crate::support::event::{ILLEGAL_COMMAND, VIOMMU_ERROR};
use crate::support::viommu::*;
use crate::support::{command, Dte, Gcr3, HostTables, PageTables, Rights};

fn forwards(host: &mut Host, device: u16) -> bool {
    let answer = host.bench.dma(device, 0x5000, Access::Read, None);
    matches!(answer, Answer::Forward(_))
}

/// A device whose entry is cached and no longer what is in memory, where it is blocked.
fn stale_device(host: &mut Host, device: u16) {
    host.bench.install(device, &Dte::pass(0x30));
    assert!(forwards(host, device));
    host.bench.put_entry(device, Dte::blocked().words());
    assert!(forwards(host, device));
}

/// A domain with a device of the same number, with one page whose cached translation is no longer
/// that of memory. Returns old and new target.
fn stale_domain(host: &mut Host, number: u16) -> (u64, u64) {
    let machine = &mut host.bench.machine;
    let tables = HostTables::new(machine, 3);
    let (old, new) = (machine.page(), machine.page());
    tables.map(machine, 0x5000, old, 0x1000, Rights::ALL);
    host.bench
        .install(number, &Dte::host(number, tables.root, 3));
    assert_eq!(host.bench.target(number, 0x5000, Access::Read), Some(old));
    tables.map(&mut host.bench.machine, 0x5000, new, 0x1000, Rights::ALL);
    assert_eq!(host.bench.target(number, 0x5000, Access::Read), Some(old));
    (old, new)
}

#[test]
fn an_entry_is_invalidated_under_the_id_of_the_host() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let other = host.running_guest(2);
    for device in [0x300, 0x301, 0x302] {
        stale_device(&mut host, device);
    }
    host.map_device(&guest, 0x301, 0x300);
    host.map_device(&guest, 0x302, 0x300);
    host.map_device(&other, 0x301, 0x302);
    assert!(host.submit(&guest, &[command::invalidate_entry(0x301)]));
    assert!(!forwards(&mut host, 0x300));
    assert!(forwards(&mut host, 0x301));
    assert!(forwards(&mut host, 0x302));
    assert!(host.submit(&other, &[command::invalidate_entry(0x301)]));
    assert!(!forwards(&mut host, 0x302));
    assert!(forwards(&mut host, 0x301));
}

#[test]
fn pages_are_invalidated_under_the_domain_of_the_host() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    let (_, new) = stale_domain(&mut host, 0x41);
    let (old, _) = stale_domain(&mut host, 0x42);
    host.map_domain(&guest, 0x42, 0x41);
    let beside = command::invalidate_pages(0x42, None, 0x6000, 0x6fff, false);
    assert!(host.submit(&guest, &[beside]));
    assert_ne!(host.bench.target(0x41, 0x5000, Access::Read), Some(new));
    let right = command::invalidate_pages(0x42, None, 0x5000, 0x5fff, false);
    assert!(host.submit(&guest, &[right]));
    assert_eq!(host.bench.target(0x41, 0x5000, Access::Read), Some(new));
    assert_eq!(host.bench.target(0x42, 0x5000, Access::Read), Some(old));
}

#[test]
fn the_pasid_of_an_invalidation_is_that_of_the_guest() {
    let mut host = Host::new();
    let guest = host.running_guest(1);
    host.map_domain(&guest, 9, 0x41);
    let machine = &mut host.bench.machine;
    let gcr3 = Gcr3::new(machine, 0, 0);
    let pages = [(); 4].map(|()| machine.page());
    let tables = [1, 2].map(|pasid| {
        let tables = PageTables::new(machine, 4, 0);
        gcr3.set(machine, pasid, &tables);
        tables.map(
            machine,
            0x5000,
            pages[pasid as usize - 1],
            0x1000,
            Rights::ALL,
        );
        tables
    });
    host.bench
        .install(0x300, &Dte::guest(0x41, gcr3.pointer, 0));
    let target = |host: &mut Host, pasid| {
        let answer = host.bench.dma(0x300, 0x5000, Access::Read, Some(pasid));
        match answer {
            Answer::Forward(translation) => translation.address,
            Answer::Abort => panic!("PASID {pasid} does not translate"),
        }
    };
    for pasid in [1, 2] {
        let index = pasid as usize - 1;
        assert_eq!(target(&mut host, pasid), pages[index]);
        let to = pages[index + 2];
        tables[index].map(&mut host.bench.machine, 0x5000, to, 0x1000, Rights::ALL);
    }
    let command = command::invalidate_domain(9, Some(2));
    assert!(host.submit(&guest, &[command]));
    assert_eq!(target(&mut host, 1), pages[0]);
    assert_eq!(target(&mut host, 2), pages[3]);
}

#[test]
fn an_id_without_an_entry_is_taken_as_configured() {
    let unmapped = [
        (command::invalidate_entry(5), 0x10_0010_0050),
        (command::invalidate_interrupts(0xffff), 0x10_001f_fff0),
        (command::invalidate_domain(5, None), 0x20_0008_0028),
        (command::invalidate_domain(0xffff, Some(1)), 0x20_000f_fff8),
    ];
    for &reading in UnmappedId::ALL {
        for (words, entry) in unmapped {
            let mut host = Host::reading(|r| r.unmapped_id = reading);
            let guest = host.running_guest(1);
            let spa = guest.ring;
            let (gpa, done) = host.place();
            let taken = host.submit(&guest, &[words, store(gpa, 1)]);
            let events = host.bench.events();
            let seen: Vec<_> = events
                .iter()
                .map(|e| (e.code(), e.vflags(), e.address()))
                .collect();
            let expected = match reading {
                UnmappedId::StopWithHardwareError => vec![(VIOMMU_ERROR, VCMD, entry)],
                UnmappedId::IllegalCommand => vec![(ILLEGAL_COMMAND, VCMD, spa)],
                UnmappedId::Ignore => vec![],
            };
            assert_eq!(seen, expected);
            assert_eq!(taken, reading == UnmappedId::Ignore);
            assert_eq!(host.bench.machine.peek(done), u64::from(taken));
            let run = host.status(&guest) & COMMAND_RUN != 0;
            assert_eq!(run, taken);
            if reading == UnmappedId::StopWithHardwareError {
                assert_eq!(events[0].device(), 1, "the guest ID");
                assert!(!events[0].present() && !events[0].write());
            }
            assert!(host.bench.violations().is_empty());
        }
    }
}

#[test]
fn all_of_a_guest_is_illegal_or_drops_what_its_maps_name() {
    let mut host = Host::reading(|r| r.guest_invalidate_all = GuestInvalidateAll::OwnOnly);
    let guest = host.running_guest(1);
    let other = host.running_guest(2);
    stale_device(&mut host, 0x300);
    stale_device(&mut host, 0x301);
    let (_, new) = stale_domain(&mut host, 0x41);
    let (old, _) = stale_domain(&mut host, 0x42);
    host.map_device(&guest, 0xfffe, 0x300);
    host.map_domain(&guest, 0xfffe, 0x41);
    host.map_device(&other, 1, 0x301);
    host.map_domain(&other, 1, 0x42);
    assert!(host.submit(&guest, &[command::invalidate_all()]));
    assert!(host.bench.events().is_empty());
    assert!(!forwards(&mut host, 0x300));
    assert!(forwards(&mut host, 0x301));
    assert_eq!(host.bench.target(0x41, 0x5000, Access::Read), Some(new));
    assert_eq!(host.bench.target(0x42, 0x5000, Access::Read), Some(old));
}

/// A part for long runs: the referee looks at a cached translation now and then only.
fn fast(reading: UnmappedId) -> Config {
    let readings = Readings {
        unmapped_id: reading,
        ..Readings::default()
    };
    Config {
        check_hits: 1000,
        ..config(readings, None)
    }
}

/// What a Linux guest does before anything is attached: every device ID, then every DomainID.
fn boot_flush() -> Vec<[u32; 4]> {
    let devices = (0..=u16::MAX).map(command::invalidate_entry);
    let domains = (0..=u16::MAX).map(|domain| command::invalidate_domain(domain, None));
    devices.chain(domains).collect()
}

#[test]
fn the_boot_flush_of_linux_passes_with_full_maps_in_every_reading() {
    for &reading in UnmappedId::ALL {
        let mut host = Host::with(fast(reading));
        // The maps of one guest ID are filled and shared, read-only, by another (design of
        // drivers that do not want to write 131072 registers for each guest).
        let template = host.guest(0x7fff, 8);
        for id in 0..=u16::MAX {
            host.map_device(&template, id, 0x00ff);
            host.map_domain(&template, id, 0x7f);
        }
        let guest = host.guest(1, 15);
        let machine = &mut host.bench.machine;
        let (devices, domains) = (0x10_0010_0000, 0x20_0008_0000);
        host.private
            .map(machine, devices, template.devices, 1 << 20, Rights::READ);
        host.private
            .map(machine, domains, template.domains, 1 << 19, Rights::READ);
        host.flush_private();
        host.enable(&guest);
        let (gpa, spa) = host.place();
        assert!(host.submit(&guest, &boot_flush()), "{reading:?}");
        assert!(host.submit(&guest, &[store(gpa, 1)]));
        assert_eq!(host.bench.machine.peek(spa), 1);
        assert_eq!(host.executed(&guest, 2), 65536);
        assert_eq!(host.executed(&guest, 3), 65536);
        assert!(host.bench.events().is_empty());
        assert!(host.bench.violations().is_empty());
    }
}

#[test]
fn the_boot_flush_of_linux_with_empty_maps_stops_at_once_or_passes() {
    for &reading in UnmappedId::ALL {
        let mut host = Host::with(fast(reading));
        let guest = host.guest(1, 15);
        host.enable(&guest);
        let passes = reading == UnmappedId::Ignore;
        assert_eq!(host.submit(&guest, &boot_flush()), passes, "{reading:?}");
        assert_eq!(host.status(&guest) & COMMAND_RUN != 0, passes);
        assert_eq!(host.bench.events().len(), usize::from(!passes));
        let (devices, domains) = (host.executed(&guest, 2), host.executed(&guest, 3));
        let all = if passes { 65536 } else { 0 };
        assert_eq!((devices, domains), (all, all));
        assert!(host.bench.violations().is_empty());
    }
}

#[test]
fn all_of_a_guest_is_dropped_each_time() {
    let readings = Readings {
        guest_invalidate_all: GuestInvalidateAll::OwnOnly,
        ..Readings::default()
    };
    for seed in [None, Some(3)] {
        let mut host = Host::with(config(readings, seed));
        let guest = host.running_guest(1);
        host.map_device(&guest, 1, 0x300);
        for _ in 0..3 {
            host.bench.install(0x300, &Dte::pass(0x30));
            assert!(forwards(&mut host, 0x300));
            host.bench.put_entry(0x300, Dte::blocked().words());
            assert!(host.submit(&guest, &[command::invalidate_all()]));
            assert!(!forwards(&mut host, 0x300));
        }
    }
}

#[test]
fn a_ring_full_of_invalidate_all_reads_the_maps_once() {
    let mut host = Host::reading(|r| r.guest_invalidate_all = GuestInvalidateAll::OwnOnly);
    let guest = host.running_guest(1);
    host.map_device(&guest, 1, 0x300);
    let commands = vec![command::invalidate_all(); 255];
    let before = host.bench.iommu.counters().walks.private;
    assert!(host.submit(&guest, &commands));
    assert_eq!(host.executed(&guest, 8), 255);
    // 256 and 128 pages of maps, 255 commands, one dirty bit.
    let walks = host.bench.iommu.counters().walks.private - before;
    assert_eq!(walks, 256 + 128 + 255 + 1);
}
