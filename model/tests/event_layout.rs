// SPDX-License-Identifier: GPL-2.0

//! The layout of events (hardware.md 3.5).

use amd_iommu_model::event::{Access, Event, HardwareError, VFlags};

fn every_access() -> Access {
    Access {
        device: 0xffff,
        pasid: Some(0xf_ffff),
        interrupt: true,
        write: true,
        execute: true,
        user: true,
        translation: true,
    }
}

/// Every event with every field at its largest, against the bits that hardware.md 3.5 gives to
/// its code: what a code does not have must stay 0.
#[test]
fn an_event_has_the_fields_of_its_code_and_no_others() {
    let access = every_access();
    let vflags = VFlags {
        command: true,
        ppr: true,
        event: true,
    };
    let error = HardwareError::DataError;
    let (domain, gid, address, all) = (0xffff, 0xffff, u64::MAX, true);
    let cases = [
        (
            Event::IllegalDeviceTableEntry {
                access,
                reserved: all,
                address,
                vflags,
            },
            [0xe00f_ffff, 0x11a9_ffff, 0xffff_fffc],
        ),
        (
            Event::IoPageFault {
                access,
                domain,
                present: all,
                permission: all,
                reserved: all,
                address,
                vflags,
            },
            [0xe00f_ffff, 0x21ff_ffff, 0xffff_ffff],
        ),
        (
            Event::DeviceTableHardwareError {
                access,
                error,
                address,
                vflags,
            },
            [0xe000_ffff, 0x3728_0000, 0xffff_ffff],
        ),
        (
            Event::PageTableHardwareError {
                access,
                domain,
                error,
                address,
                vflags,
            },
            [0xe00f_ffff, 0x4729_ffff, 0xffff_fff8],
        ),
        (
            Event::IllegalCommand { address, vflags },
            [0xe000_0000, 0x5000_0000, 0xffff_fff0],
        ),
        (
            Event::CommandHardwareError {
                address,
                error,
                vflags,
            },
            [0xe000_0000, 0x6600_0000, 0xffff_fff8],
        ),
        (
            Event::IotlbInvalidationTimeout {
                device: 0xffff,
                address,
            },
            [0x0000_ffff, 0x7000_0000, 0xffff_fff0],
        ),
        (
            Event::InvalidDeviceRequest {
                access,
                kind: 0xff,
                address,
            },
            [0x000f_ffff, 0x8f05_ffff, 0xffff_ffff],
        ),
        (
            Event::ViommuHardwareError {
                gid,
                source: 0xff,
                write: all,
                present: all,
                permission: all,
                address,
                vflags,
            },
            [0xe003_ffff, 0xc070_0000, 0xffff_ffff],
        ),
    ];
    for (event, [dw0, dw1, dw2]) in cases {
        assert_eq!(event.encode(), [dw0, dw1, dw2, 0xffff_ffff], "{event:?}");
        assert_eq!(u32::from(event.code()), dw1 >> 28);
    }
    let fault = Event::GuestEventFault { gid, vflags };
    assert_eq!(fault.encode(), [0xe000_0000, 0xb000_ffff, 0, 0]);
}

#[test]
fn each_flag_of_a_page_fault_has_its_own_bit() {
    let encode = |access: Access, [present, permission, reserved]: [bool; 3], vflags| {
        let event = Event::IoPageFault {
            access,
            domain: 0,
            present,
            permission,
            reserved,
            address: 0,
            vflags,
        };
        let [dw0, dw1, ..] = event.encode();
        (dw0, dw1 ^ 0x2000_0000)
    };
    let no = [false; 3];
    let none = VFlags::default();
    let access = |set: fn(&mut Access)| {
        let mut access = Access::default();
        set(&mut access);
        encode(access, no, none)
    };
    let vflags = |set: fn(&mut VFlags)| {
        let mut vflags = none;
        set(&mut vflags);
        encode(Access::default(), no, vflags)
    };
    let outcome = |index: usize| {
        let mut set = no;
        set[index] = true;
        encode(Access::default(), set, none)
    };
    assert_eq!(
        access(|a| a.pasid = Some(0xa_0001)),
        (0xa_0000, 1 << 16 | 1)
    );
    assert_eq!(access(|a| a.execute = true), (0, 1 << 17));
    assert_eq!(access(|a| a.user = true), (0, 1 << 18));
    assert_eq!(access(|a| a.interrupt = true), (0, 1 << 19));
    assert_eq!(outcome(0), (0, 1 << 20));
    assert_eq!(access(|a| a.write = true), (0, 1 << 21));
    assert_eq!(outcome(1), (0, 1 << 22));
    assert_eq!(outcome(2), (0, 1 << 23));
    assert_eq!(access(|a| a.translation = true), (0, 1 << 24));
    assert_eq!(vflags(|v| v.event = true), (1 << 29, 0));
    assert_eq!(vflags(|v| v.ppr = true), (1 << 30, 0));
    assert_eq!(vflags(|v| v.command = true), (1 << 31, 0));
}

#[test]
fn without_a_pasid_an_event_shows_the_domain() {
    let event = Event::PageTableHardwareError {
        access: Access {
            device: 0x300,
            ..Access::default()
        },
        domain: 5,
        error: HardwareError::TargetAbort,
        address: 0x1_2345_6048,
        vflags: VFlags::default(),
    };
    assert_eq!(event.encode(), [0x300, 0x4400_0005, 0x2345_6048, 1]);
}
