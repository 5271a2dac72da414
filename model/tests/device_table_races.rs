// SPDX-License-Identifier: GPL-2.0

//! A driver changes device-table entries and tables while requests use them (hardware.md 3.3,
//! 3.8, 3.9): the orders of Linux are no mixtures, and what changes in the very moment of a read
//! misleads neither the model nor the referee.

use amd_iommu_model::config::Features;
use amd_iommu_model::referee::Rule;
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config, Request};

use crate::support::{command, Bench, Dte, HostTables, Racing, Rights};

const DEVICE: u16 = 0x0300;

/// A write to one quadword of an entry.
type Write = (usize, u64);

/// The IOMMU meets an entry after each of these writes; then it is invalidated.
fn torn(old: &Dte, writes: &[Write]) -> u64 {
    let mut bench = Bench::genoa();
    bench.install(DEVICE, old);
    let mut words = old.words();
    for round in 0..writes.len() {
        for (word, value) in &writes[..=round] {
            words[*word] = *value;
        }
        bench.put_entry(DEVICE, words);
        // Another address each time: a cached page is of no concern here.
        bench.dma(DEVICE, 0x5000, Access::Read, None);
    }
    bench.execute(&[command::invalidate_entry(DEVICE)]);
    bench.iommu.referee().count_of(Rule::TornDeviceEntry)
}

/// The same for each point between two writes by itself, since the first use fills the cache.
fn torn_anywhere(old: &Dte, new: &Dte, order: &[&[usize]]) -> u64 {
    let words = new.words();
    (1..order.len())
        .map(|cut| {
            let mut bench = Bench::genoa();
            bench.install(DEVICE, old);
            let mut met = old.words();
            for word in order[..cut].concat() {
                met[word] = words[word];
            }
            bench.put_entry(DEVICE, met);
            bench.dma(DEVICE, 0x5000, Access::Read, None);
            bench.install(DEVICE, new);
            bench.iommu.referee().count_of(Rule::TornDeviceEntry)
        })
        .sum()
}

/// Two halves of 128 bits.
const UPPER_FIRST: [&[usize]; 2] = [&[2, 3], &[0, 1]];
const LOWER_FIRST: [&[usize]; 2] = [&[0, 1], &[2, 3]];
/// 64 bits each, as 6.12 does it.
const DETACH: [&[usize]; 2] = [&[0], &[1]];
const ATTACH: [&[usize]; 3] = [&[2], &[1], &[0]];

fn idle() -> Dte {
    Dte {
        v: true,
        tv: true,
        ..Dte::default()
    }
}

fn nested() -> Dte {
    Dte {
        paging_mode: 1,
        ..Dte::guest(9, 0x12_3456_7000, 1)
    }
    .nested_on(0x3000, 4)
    .of_guest(5, 0x108)
}

/// V and GV are written last when they are switched on, and first when they are switched off.
#[test]
fn the_orders_of_linux_are_no_mixtures() {
    let host = Dte::host(1, 0x1000, 3);
    let v2 = Dte::guest(2, 0x7654_3000, 0);
    let open = Dte::default();
    let cases: [(Dte, Dte, &[&[usize]]); 16] = [
        // 7.3, existing entry not valid, or without guest table: the upper half first.
        (open, host, &UPPER_FIRST),
        (open, nested(), &UPPER_FIRST),
        (idle(), host, &UPPER_FIRST),
        (idle(), nested(), &UPPER_FIRST),
        (host, nested(), &UPPER_FIRST),
        (Dte::pass(3), nested(), &UPPER_FIRST),
        (Dte::blocked(), v2, &UPPER_FIRST),
        // 7.3, the new one not valid, or without guest table: the lower half first.
        (nested(), open, &LOWER_FIRST),
        (nested(), host, &LOWER_FIRST),
        (nested(), Dte::blocked(), &LOWER_FIRST),
        (v2, idle(), &LOWER_FIRST),
        (v2, Dte::pass(3), &LOWER_FIRST),
        // 6.12: from and to an entry without rights, 64 bits at a time.
        (host, idle(), &DETACH),
        (v2, idle(), &DETACH),
        (idle(), host, &ATTACH),
        (idle(), v2, &ATTACH),
    ];
    for (old, new, order) in cases {
        let found = torn_anywhere(&old, &new, order);
        assert_eq!(found, 0, "{old:?} to {new:?} in {order:?}");
    }
}

/// 6.12 takes everything but V away, then sets TV, then clears q1.
#[test]
fn an_entry_that_blocks_on_the_way_is_no_mixture() {
    let host = Dte {
        extra: [0, 1 << 34, 0, 0],
        ..Dte::host(1, 0x1000, 3)
    };
    let after = idle().words();
    let writes = [(0, 1), (0, after[0]), (1, after[1])];
    for cut in 1..=writes.len() {
        assert_eq!(torn(&host, &writes[..cut]), 0);
    }
}

#[test]
fn the_wrong_orders_are_mixtures() {
    let host = Dte::host(1, 0x1000, 3);
    let v2 = Dte {
        paging_mode: 1,
        ..Dte::guest(2, 0x7654_3000, 0)
    };
    let cases: [(Dte, Dte, &[&[usize]]); 4] = [
        // The new table with the old DomainID, and the other way round.
        (host, Dte::host(2, 0x2000, 3), &[&[0], &[1]]),
        (host, Dte::host(2, 0x2000, 3), &[&[1], &[0]]),
        // A guest table with the number of levels of another one.
        (host, v2, &LOWER_FIRST),
        // Rights before the DomainID.
        (idle(), Dte::host(2, 0x2000, 3), &[&[0], &[1]]),
    ];
    for (old, new, order) in cases {
        let found = torn_anywhere(&old, &new, order);
        assert_eq!(found, 1, "{old:?} to {new:?} in {order:?}");
    }
}

/// The half that fills the cache says nothing of the other, which is judged when it is used first.
#[test]
fn a_mixture_in_one_half_is_found_whichever_half_filled_the_cache() {
    let forwarding = |entry| Dte {
        iv: true,
        int_ctl: 1,
        ..entry
    };
    let old = forwarding(Dte::pass(1));
    let new = Dte {
        ig: true,
        int_tab_len: 9,
        ..forwarding(Dte::host(2, 0x2000, 3))
    };
    let half_written = Dte { ig: true, ..old };
    let (memory, interrupt) = ((0x5000, Access::Read), (0xfee0_0000, Access::Write));
    // The new table with the old DomainID; one of two new fields for interrupts.
    let [table, ..] = new.words();
    let [_, domain, fields, ids] = old.words();
    for (met, good, bad) in [
        ([table, domain, fields, ids], interrupt, memory),
        (half_written.words(), memory, interrupt),
    ] {
        for (uses, mixtures) in [(&[good][..], 0), (&[good, bad], 1)] {
            let mut bench = Bench::genoa();
            bench.install(DEVICE, &old);
            bench.put_entry(DEVICE, met);
            for (address, access) in uses {
                bench.dma(DEVICE, *address, *access, None);
            }
            bench.install(DEVICE, &new);
            let found = bench.iommu.referee().count_of(Rule::TornDeviceEntry);
            assert_eq!(found, mixtures, "{uses:x?}");
        }
    }
}

fn read_of(address: u64) -> Request {
    Request {
        requester: DEVICE,
        address,
        access: Access::Read,
        pasid: None,
        privileged: false,
    }
}

/// A machine may copy 32 bytes piece by piece.
#[test]
fn an_entry_is_read_until_two_reads_agree() {
    let (old, new) = (Dte::pass(1), Dte::host(2, 0x2000, 4));
    let mut bench = Bench::genoa();
    bench.install(DEVICE, &old);
    // What a copy gets that a write overtakes: rights from the old entry, the table of the new.
    let mixed = [old.words()[0], new.words()[1], 0, 0];
    let mut mixture = [0; 32];
    for (to, word) in mixture.chunks_exact_mut(8).zip(mixed) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let place = bench.device_table + 32 * u64::from(DEVICE);
    // The first time the entry is fetched, the second time the cached one is compared.
    for _ in 0..2 {
        let mut racing = Racing {
            machine: &mut bench.machine,
            place,
            writes: Vec::new(),
            mixture: Some(mixture.to_vec()),
        };
        let answer = bench.iommu.translate(&mut racing, &read_of(0x5000));
        assert_ne!(answer, Answer::Abort);
        assert!(racing.mixture.is_none(), "it was read");
    }
    bench.end_grace();
    bench.install(DEVICE, &old);
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

#[test]
fn an_entry_that_never_comes_to_rest_is_read_a_bounded_number_of_times() {
    let mut bench = Bench::genoa();
    bench.install(DEVICE, &Dte::pass(1));
    let place = bench.device_table + 32 * u64::from(DEVICE);
    let domain = Dte::pass(1).words()[1];
    let writes = (1..1000).map(|n| (n, place + 8, domain + u64::from(n)));
    let mut racing = Racing {
        machine: &mut bench.machine,
        place,
        writes: writes.collect(),
        mixture: None,
    };
    bench.iommu.translate(&mut racing, &read_of(0x5000));
    let left = racing.writes.iter().filter(|(n, ..)| *n != 0 && *n < 1000);
    assert!(left.count() > 900);
}

/// The page is taken away between the walk of a request and that of the referee. The directory
/// entry that led there is still good, and will never be invalidated.
#[test]
fn a_directory_entry_is_not_blamed_for_a_page_that_goes_meanwhile() {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 4);
    for page in [0x4000_0000, 0x4000_1000] {
        table.map(&mut bench.machine, page, page, 0x1000, Rights::ALL);
    }
    bench.install(DEVICE, &Dte::host(7, table.root, 4));
    bench.dma(DEVICE, 0x4000_0000, Access::Read, None);
    let leaf = table.entry(&mut bench.machine, 0x4000_1000, 1);
    let mut racing = Racing {
        machine: &mut bench.machine,
        place: leaf,
        writes: vec![(1, leaf, 0)],
        mixture: None,
    };
    let answer = bench.iommu.translate(&mut racing, &read_of(0x4000_1000));
    assert_ne!(answer, Answer::Abort);
    let gone = command::invalidate_pages(7, None, 0x4000_1000, 0x4000_1fff, false);
    bench.execute(&[gone]);
    bench.end_grace();
    assert!(bench.violations().is_empty(), "{:?}", bench.violations());
}

/// The referee reads the entry of the device from memory: the cache stays as it is.
#[test]
fn an_iotlb_invalidation_is_judged_by_memory_and_touches_no_cache() {
    let with = |iotlb| Dte {
        iotlb,
        ..Dte::pass(1)
    };
    for (cached, memory, violations) in [(false, true, 0), (true, false, 1), (true, true, 0)] {
        let mut config = Config::new(Features::genoa());
        config.features.iotlb = true;
        let mut bench = Bench::on(config);
        bench.install(DEVICE, &with(cached));
        bench.dma(DEVICE, 0x5000, Access::Read, None);
        bench.put_entry(DEVICE, with(memory).words());
        let before = bench.iommu.counters().caches.device_table;
        for device in [DEVICE, DEVICE + 1] {
            if device != DEVICE {
                bench.put_entry(device, with(true).words());
            }
            let command = [u32::from(device), 0x4000_0000, 1, 0x7fff_ffff];
            bench.execute(&[command]);
        }
        assert_eq!(bench.iommu.counters().caches.device_table, before);
        let count = bench.iommu.referee().count_of(Rule::IotlbForeignDevice);
        assert_eq!(count, violations, "{cached} {memory}");
        // The entry of the second device was not fetched by the command.
        bench.put_entry(DEVICE + 1, Dte::blocked().words());
        assert_eq!(bench.target(DEVICE + 1, 0x5000, Access::Read), None);
    }
}
