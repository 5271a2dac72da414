// SPDX-License-Identifier: GPL-2.0

use hw::viommu::vfctrl::{self, page, CmdControl, DidMap, EvtControl, Misc};

/// Hardware reference 6.2.
#[test]
fn fields_are_where_the_reference_says() {
    let covered = check_fields! { DidMap(u64):
        0:0 valid with_valid;
        29:14 host_id with_host_id;
        61:46 guest_id with_guest_id;
        63:63 write with_write;
    };
    assert_eq!(covered, [0xBFFF_C000_3FFF_C001]);

    let covered = check_fields! { Misc(u64): 31:16 translate_id with_translate_id; };
    assert_eq!(covered, [0x0000_0000_FFFF_0000]);
}

/// Hardware reference 6.2.
#[test]
fn queue_fields_are_where_the_reference_says() {
    let covered = check_fields! { CmdControl(u64):
        3:0 len_code with_len_code;
        8:8 cmd_buf_en with_cmd_buf_en;
        9:9 com_wait_int_en with_com_wait_int_en;
        51:12 base with_base;
    };
    assert_eq!(covered, [0x000F_FFFF_FFFF_F30F]);

    let covered = check_fields! { EvtControl(u64):
        3:0 len_code with_len_code;
        8:8 event_log_en with_event_log_en;
        9:9 event_int_en with_event_int_en;
        51:12 base with_base;
    };
    assert_eq!(covered, [0x000F_FFFF_FFFF_F30F]);
}

#[test]
fn registers_are_where_the_reference_says() {
    let registers = [
        vfctrl::DEVICE_MAP,
        vfctrl::DOMAIN_MAP,
        vfctrl::MISC,
        vfctrl::CMD_CONTROL,
        vfctrl::EVT_CONTROL,
    ];
    assert_eq!(registers, [0, 8, 0x10, 0x20, 0x28]);

    let pointers = [
        page::CMD_HEAD,
        page::CMD_TAIL,
        page::EVENT_HEAD,
        page::EVENT_TAIL,
    ];
    assert_eq!(pointers, [0, 8, 0x10, 0x18]);
    assert_eq!(page::STATUS, 0x20);
}

#[test]
fn w123_to_w128_maps() {
    assert_eq!(DidMap::set(0x0108, 0x0300).0, 0x8042_0000_00C0_0001);
    assert_eq!(DidMap::set(0xFFFF, 0xFFFF).0, 0xBFFF_C000_3FFF_C001);
    assert_eq!(DidMap::set(1, 0x11).0, 0x8000_4000_0004_4001);
    assert_eq!(DidMap::set(0xFFFF, 0x10).0, 0xBFFF_C000_0004_0001);
}

#[test]
fn w129_translate_id() {
    let misc = Misc::default().with_translate_id(0xFFFE);
    assert_eq!(misc.0, 0x0000_0000_FFFE_0000);
}

#[test]
fn w130_w131_command_buffer() {
    let enabled = CmdControl::default()
        .with_base(0x1234_0000 >> 12)
        .with_len_code(9)
        .with_cmd_buf_en(true)
        .with_com_wait_int_en(true);

    assert_eq!(enabled.0, 0x0000_0000_1234_0309);
    assert_eq!(enabled.with_cmd_buf_en(false).0, 0x0000_0000_1234_0209);
}

#[test]
fn w132_event_log() {
    let enabled = EvtControl::default()
        .with_base(0x1235_0000 >> 12)
        .with_len_code(9)
        .with_event_log_en(true)
        .with_event_int_en(true);

    assert_eq!(enabled.0, 0x0000_0000_1235_0309);
}

/// A queue is stopped by its enable alone: base, length and interrupt enables stay.
#[test]
fn stopping_takes_the_enable_and_nothing_else() {
    for offset in vfctrl::QUEUES {
        assert_eq!(vfctrl::stopped(offset, u64::MAX), !(1 << 8), "{offset:#x}");
        assert_eq!(vfctrl::stopped(offset, 0x1234_0209), 0x1234_0209);
    }
    for offset in [0x00, 0x08, 0x10, 0x18, 0x30, 0x38] {
        assert_eq!(vfctrl::stopped(offset, u64::MAX), u64::MAX, "{offset:#x}");
    }
}
