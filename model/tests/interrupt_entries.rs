// SPDX-License-Identifier: GPL-2.0

//! Entries of interrupt tables: where they are (W115), and the messages that they make.

use amd_iommu_model::{Delivery, Message};

use crate::support::bench::control;
use crate::support::recorder::{record, Op};
use crate::support::{Bench, Irte, IrteTable, Racing};

const DEVICE: u16 = 0x0300;

fn scene(long: bool) -> (Bench, IrteTable) {
    let mut bench = Bench::genoa();
    if !long {
        bench.clear_control(control::GUEST_APIC);
    }
    let table = IrteTable::new(&mut bench.machine, long);
    (bench, table)
}

/// W115: entry 25h of a table at 3000h.
#[test]
fn the_size_of_entries_follows_gaen() {
    for (long, place, size) in [(false, 0x3094, 4), (true, 0x3250, 16)] {
        let (mut bench, _) = scene(long);
        bench.machine.add(0x3000);
        let table = IrteTable { at: 0x3000, long };
        table.put(&mut bench.machine, 0x25, &Irte::fixed(5, 0x41));
        bench.install(DEVICE, &table.remapping(9));
        let ops = record(&mut bench, |bench, recorder| {
            bench.iommu.interrupt(recorder, &message(0x25));
        });
        let reads = ops.iter().filter(|op| **op == Op::Read(place, size));
        assert!(reads.count() > 0, "{long} {ops:?}");
    }
}

fn message(data: u32) -> Message {
    Message {
        requester: DEVICE,
        address: 0xfee0_0000,
        data,
        pasid: None,
    }
}

#[test]
fn an_entry_gives_destination_vector_and_modes() {
    let entry = Irte::fixed(0x0100_0005, 0x41);
    let cases = [
        (entry, 0xfee0_5000, 0x41),
        (
            Irte {
                logical: true,
                ..entry
            },
            0xfee0_5004,
            0x41,
        ),
        (Irte { kind: 1, ..entry }, 0xfee0_5000, 0x141),
        (Irte { eoi: true, ..entry }, 0xfee0_5000, 0x41),
        (
            Irte {
                vector: 0xff,
                destination: 0xff,
                ..entry
            },
            0xfeef_f000,
            0xff,
        ),
    ];
    for (entry, address, data) in cases {
        for long in [false, true] {
            let (mut bench, table) = scene(long);
            table.put(&mut bench.machine, 1, &entry);
            bench.install(DEVICE, &table.remapping(9));
            // Bits 31:8 of an x2APIC ID are in 63:40; a short entry has no room for them.
            let high = if long {
                entry.destination >> 8 << 40
            } else {
                0
            };
            assert_eq!(bench.interrupt(DEVICE, 1), Some((address | high, data)));
        }
    }
}

/// Trigger mode, level and redirection hint are the device's. Its destination is not.
#[test]
fn what_an_entry_does_not_say_stays_as_it_came() {
    let (mut bench, table) = scene(true);
    table.put(&mut bench.machine, 1, &Irte::fixed(5, 0x41));
    bench.install(DEVICE, &table.remapping(9));
    let sent = bench.message(&Message {
        address: 0xfeef_fffc,
        ..message(0xffff_c001)
    });
    assert_eq!(sent, Some((0xfee0_5008, 0xc041)));
    // Data bits above 15 do not exist, and bits 10:8 are the delivery mode.
    assert_eq!(
        bench.interrupt(DEVICE, 0xffff_0001),
        Some((0xfee0_5000, 0x41))
    );
}

#[test]
fn interrupts_are_counted_by_fate_and_by_guest() {
    let (mut bench, table) = scene(true);
    table.put(&mut bench.machine, 1, &Irte::fixed(5, 0x41));
    let entry = table.remapping(9);
    bench.install(DEVICE, &entry);
    bench.install(0x301, &entry.of_guest(9, 0x10));
    for device in [DEVICE, 0x301, 0x301] {
        for data in [1, 1, 1, 2, 0x201, 0x201] {
            bench.interrupt(device, data);
        }
    }
    let counters = bench.iommu.counters();
    let fates = counters.device_interrupts.fates;
    assert_eq!((fates.remapped, fates.forwarded, fates.blocked), (9, 6, 3));
    let guests: Vec<_> = counters.device_interrupts.guests.iter().collect();
    assert_eq!(guests.len(), 1);
    let (gid, fates) = guests[0];
    assert_eq!(*gid, 9);
    assert_eq!((fates.remapped, fates.forwarded, fates.blocked), (6, 4, 2));
    assert_eq!((counters.requests, counters.aborts), (18, 3));
}

#[test]
fn an_entry_that_is_replaced_while_it_is_read_is_not_mixed() {
    let (mut bench, table) = scene(true);
    let (old, new) = (Irte::fixed(5, 0x41).long(), Irte::fixed(6, 0x42));
    table.put(&mut bench.machine, 1, &new);
    bench.install(DEVICE, &table.remapping(9));
    let [low, _] = old;
    let mixed = u128::from(low) | u128::from(new.long()[1]) << 64;
    let mut racing = Racing {
        machine: &mut bench.machine,
        place: table.place(1),
        writes: Vec::new(),
        mixture: Some(mixed.to_le_bytes().to_vec()),
    };
    let sent = bench.iommu.interrupt(&mut racing, &message(1));
    assert!(racing.mixture.is_none());
    let expected = Delivery::Send {
        address: 0xfee0_6000,
        data: 0x42,
    };
    assert_eq!(sent, expected);
}
