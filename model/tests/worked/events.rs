// SPDX-License-Identifier: GPL-2.0

//! Events (10.6): what the model would write for what happened.

use amd_iommu_model::event::{Access, Event, HardwareError, VFlags};

const NONE: VFlags = VFlags {
    command: false,
    ppr: false,
    event: false,
};

const COMMAND: VFlags = VFlags {
    command: true,
    ..NONE
};

const DEVICE: Access = Access {
    device: 0x0300,
    pasid: None,
    interrupt: false,
    write: false,
    execute: false,
    user: false,
    translation: false,
};

const WRITE: Access = Access {
    write: true,
    ..DEVICE
};

/// IO_PAGE_FAULT in domain 5 with PR, PE, RZ.
fn page_fault(access: Access, flags: [bool; 3], address: u64) -> Event {
    let [present, permission, reserved] = flags;
    Event::IoPageFault {
        access,
        domain: 5,
        present,
        permission,
        reserved,
        address,
        vflags: NONE,
    }
}

fn page_faults() -> Vec<(&'static str, [u32; 4], Event)> {
    let user = Access {
        pasid: Some(0x1_2345),
        user: true,
        ..DEVICE
    };
    let interrupt = Access {
        interrupt: true,
        ..DEVICE
    };
    vec![
        (
            "W68",
            [0x0300, 0x2020_0005, 0x1234_5678, 0],
            page_fault(WRITE, [false, false, false], 0x1234_5678),
        ),
        (
            "W69",
            [0x0300, 0x2070_0005, 0x1234_5678, 0],
            page_fault(WRITE, [true, true, false], 0x1234_5678),
        ),
        (
            "W70",
            [0x0001_0300, 0x2055_2345, 0x1234_5000, 0x7fff],
            page_fault(user, [true, true, false], 0x7fff_1234_5000),
        ),
        (
            "W71",
            [0x0300, 0x2090_0005, 0x1234_5000, 0],
            page_fault(DEVICE, [true, false, true], 0x1234_5000),
        ),
        (
            "W72",
            [0x0300, 0x2008_0005, 0xfee0_0000, 0],
            page_fault(interrupt, [false, false, false], 0xfee0_0000),
        ),
    ]
}

fn device_errors() -> Vec<(&'static str, [u32; 4], Event)> {
    vec![
        (
            "W73",
            [0x0300, 0x10a0_0000, 0x1234_5678, 0],
            Event::IllegalDeviceTableEntry {
                access: WRITE,
                reserved: true,
                address: 0x1234_5678,
                vflags: NONE,
            },
        ),
        (
            "W74",
            [0x0300, 0x3420_0000, 0x6000, 1],
            Event::DeviceTableHardwareError {
                access: WRITE,
                error: HardwareError::TargetAbort,
                address: 0x1_0000_6000,
                vflags: NONE,
            },
        ),
        (
            "W75",
            [0x0300, 0x4400_0005, 0x2345_6048, 1],
            Event::PageTableHardwareError {
                access: DEVICE,
                domain: 5,
                error: HardwareError::TargetAbort,
                address: 0x1_2345_6048,
                vflags: NONE,
            },
        ),
        (
            "W80",
            [0x0300, 0x8400_0000, 0xfee0_1000, 0],
            Event::InvalidDeviceRequest {
                access: DEVICE,
                kind: 2,
                address: 0xfee0_1000,
            },
        ),
    ]
}

fn command_errors() -> Vec<(&'static str, [u32; 4], Event)> {
    let illegal = |vflags| Event::IllegalCommand {
        address: 0x1_0400_0040,
        vflags,
    };
    vec![
        ("W76", [0, 0x5000_0000, 0x0400_0040, 1], illegal(NONE)),
        (
            "W77",
            [0x8000_0000, 0x5000_0000, 0x0400_0040, 1],
            illegal(COMMAND),
        ),
        (
            "W78",
            [0, 0x6600_0000, 0x2345_6788, 1],
            Event::CommandHardwareError {
                address: 0x1_2345_6788,
                error: HardwareError::DataError,
                vflags: NONE,
            },
        ),
        (
            "W79",
            [0x0300, 0x7000_0000, 0x0400_0050, 1],
            Event::IotlbInvalidationTimeout {
                device: 0x0300,
                address: 0x1_0400_0050,
            },
        ),
    ]
}

fn guest_errors() -> Vec<(&'static str, [u32; 4], Event)> {
    let vflags = VFlags {
        event: true,
        ..NONE
    };
    vec![
        (
            "W82",
            [0x8000_0000, 0xb000_7fff, 0, 0],
            Event::GuestEventFault {
                gid: 0x7fff,
                vflags: COMMAND,
            },
        ),
        (
            "W83",
            [0x2001_0001, 0xc020_0000, 0x1000, 0x40],
            Event::ViommuHardwareError {
                gid: 1,
                source: 1,
                write: true,
                present: false,
                permission: false,
                address: 0x40_0000_1000,
                vflags,
            },
        ),
    ]
}

#[test]
fn events_have_the_bits_of_their_fields() {
    let all = [
        page_faults(),
        device_errors(),
        command_errors(),
        guest_errors(),
    ];
    for (number, words, event) in all.into_iter().flatten() {
        assert_eq!(event.encode(), words, "{number}");
        assert_eq!(u32::from(event.code()), words[1] >> 28, "{number}");
    }
}
