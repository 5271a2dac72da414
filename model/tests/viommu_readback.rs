// SPDX-License-Identifier: GPL-2.0

//! What registers of the VF control block read in each reading (OQ-20, OQ-29).

use amd_iommu_model::config::{ControlRead, MapRead};

use crate::support::viommu::*;
use crate::support::{command, GUEST_OFFSET};

const REQUESTS: u64 = 0x30;

#[test]
fn enables_read_0_in_one_reading() {
    let table = [
        (ctl::COMMAND, 0x000a_bcde_1234_0309, 0x000a_bcde_1234_0009),
        (ctl::EVENT, 0x0000_0000_1235_0f89, 0x0000_0000_1235_0089),
        (REQUESTS, 0x0000_0001_2360_ff89, 0x0000_0001_2360_0089),
        (ctl::MISC, 0x0000_0000_fffe_0000, 0x0000_0000_fffe_0000),
        (0x18, 0x0000_0000_1237_f000, 0x0000_0000_1237_f000),
        (0x38, 0x0000_0000_1237_f000, 0x0000_0000_1237_f000),
    ];
    for (reading, hidden) in [(ControlRead::Value, false), (ControlRead::Zero, true)] {
        let mut host = Host::reading(|r| r.control_read = reading);
        let guest = host.guest(1, 8);
        for (register, value, rest) in table {
            host.set(&guest, register, value);
            let expected = if hidden { rest } else { value };
            assert_eq!(host.get(&guest, register), expected, "{register:x}");
        }
    }
}

#[test]
fn what_is_not_seen_works_all_the_same() {
    let mut host = Host::reading(|r| r.control_read = ControlRead::Zero);
    let guest = host.running_guest(1);
    assert_eq!(host.status(&guest), EVENT_RUN | COMMAND_RUN);
    assert!(host.submit(&guest, &[command::completion_wait(None, true)]));
    assert_eq!(host.interrupts(&guest), 1);
    // A write of one half keeps the enables of the other.
    let at = (1 << 6) + ctl::COMMAND;
    let (iommu, machine) = (&mut host.bench.iommu, &mut host.bench.machine);
    iommu.vf_control_write(machine, at + 4, 4, 0);
    assert_eq!(host.status(&guest), EVENT_RUN | COMMAND_RUN | WAIT_INT);
    // Whoever writes back what he reads switches off.
    let read = host.get(&guest, ctl::COMMAND);
    assert_eq!(read, (guest.ring - GUEST_OFFSET) | guest.code);
    host.set(&guest, ctl::COMMAND, read);
    assert_eq!(host.status(&guest), EVENT_RUN | WAIT_INT);
    assert!(host.bench.violations().is_empty());
}

#[test]
fn a_map_register_reads_0_in_one_reading_and_is_a_barrier_in_both() {
    for (reading, shown) in [(MapRead::Value, !(1 << 63)), (MapRead::Zero, 0)] {
        for seed in [None, Some(1), Some(2)] {
            let readings = amd_iommu_model::config::Readings {
                map_read: reading,
                ..Default::default()
            };
            let mut host = Host::with(config(readings, seed));
            let guest = host.guest(1, 8);
            for (register, table, size) in [
                (ctl::DEVICE_MAP, guest.devices, 16),
                (ctl::DOMAIN_MAP, guest.domains, 8),
            ] {
                let value = map_value(0x108, 0x300, true);
                host.set(&guest, register, value);
                assert_eq!(host.get(&guest, register), value & shown);
                let entry = host.bench.machine.peek(table + 0x108 * size);
                assert_eq!((entry >> 24) & 0xffff, 0x300);
            }
        }
    }
}
