// SPDX-License-Identifier: GPL-2.0

use hw::event::{Event, Kind, RawEvent};
use proptest::prelude::*;

fn decode(dwords: [u32; 4]) -> Event {
    RawEvent(dwords).decode()
}

/// An event of the worked examples: its dwords, name, device, and the rest of the line.
type Worked = ([u32; 4], &'static str, Option<u16>, &'static str);

const WORKED: [Worked; 16] = [
    (
        [0x0000_0300, 0x2020_0005, 0x1234_5678, 0],
        "IO_PAGE_FAULT",
        Some(0x300),
        "domain=0x0005 address=0x0000000012345678 flags=[RW] (write, not present)",
    ),
    (
        [0x0000_0300, 0x2070_0005, 0x1234_5678, 0],
        "IO_PAGE_FAULT",
        Some(0x300),
        "domain=0x0005 address=0x0000000012345678 flags=[PR RW PE] (write, no permission)",
    ),
    (
        [0x0001_0300, 0x2055_2345, 0x1234_5000, 0x0000_7FFF],
        "IO_PAGE_FAULT",
        Some(0x300),
        "pasid=0x12345 address=0x00007fff12345000 flags=[GN US PR PE] (user read, no permission)",
    ),
    (
        [0x0000_0300, 0x2090_0005, 0x1234_5000, 0],
        "IO_PAGE_FAULT",
        Some(0x300),
        "domain=0x0005 address=0x0000000012345000 flags=[PR RZ] (read, reserved bit set)",
    ),
    (
        [0x0000_0300, 0x2008_0005, 0xFEE0_0000, 0],
        "IO_PAGE_FAULT",
        Some(0x300),
        "domain=0x0005 address=0x00000000fee00000 flags=[I] (interrupt, not present)",
    ),
    (
        [0x0000_0300, 0x10A0_0000, 0x1234_5678, 0],
        "ILLEGAL_DEV_TABLE_ENTRY",
        Some(0x300),
        "address=0x0000000012345678 flags=[RW RZ] (write, reserved bit set)",
    ),
    (
        [0x0000_0300, 0x3420_0000, 0x0000_6000, 1],
        "DEV_TAB_HARDWARE_ERROR",
        Some(0x300),
        "address=0x0000000100006000 flags=[RW] type=2 (write, target abort)",
    ),
    (
        [0x0000_0300, 0x4400_0005, 0x2345_6048, 1],
        "PAGE_TAB_HARDWARE_ERROR",
        Some(0x300),
        "domain=0x0005 address=0x0000000123456048 flags=[] type=2 (read, target abort)",
    ),
    (
        [0, 0x5000_0000, 0x0400_0040, 1],
        "ILLEGAL_COMMAND_ERROR",
        None,
        "address=0x0000000104000040",
    ),
    (
        [0x8000_0000, 0x5000_0000, 0x0400_0040, 1],
        "ILLEGAL_COMMAND_ERROR",
        None,
        "address=0x0000000104000040 engine=[vCmd]",
    ),
    (
        [0, 0x6600_0000, 0x2345_6788, 1],
        "COMMAND_HARDWARE_ERROR",
        None,
        "address=0x0000000123456788 type=3 (data error)",
    ),
    (
        [0x0000_0300, 0x7000_0000, 0x0400_0050, 1],
        "IOTLB_INV_TIMEOUT",
        Some(0x300),
        "address=0x0000000104000050",
    ),
    (
        [0x0000_0300, 0x8400_0000, 0xFEE0_1000, 0],
        "INVALID_DEVICE_REQUEST",
        Some(0x300),
        "address=0x00000000fee01000 flags=[] type=2",
    ),
    (
        [0x2345_0300, 0x9200_04A5, 0x1234_5000, 0x0000_7FFF],
        "INVALID_PPR_REQUEST",
        Some(0x300),
        "pasid=0x12345 tag=0x0a5 address=0x00007fff12345000 flags=[GN]",
    ),
    (
        [0x8000_0000, 0xB000_7FFF, 0, 0],
        "GUEST_EVENT_FAULT",
        None,
        "guest=0x7fff flags=[] engine=[vCmd]",
    ),
    (
        [0x2001_0001, 0xC020_0000, 0x0000_1000, 0x0000_0040],
        "VIOMMU_HARDWARE_ERROR",
        None,
        "guest=0x0001 source=1 address=0x0000004000001000 flags=[RW] engine=[vEvent]",
    ),
];

#[test]
fn w68_to_w83_are_readable() {
    for (index, (dwords, name, device, line)) in WORKED.into_iter().enumerate() {
        let event = decode(dwords);

        assert_eq!(event.name(), name, "W{}", 68 + index);
        assert_eq!(event.device_id(), device, "W{}", 68 + index);
        assert_eq!(event.to_string(), line, "W{}", 68 + index);
    }
}

#[test]
fn w68_fields() {
    let event = decode(WORKED[0].0);

    assert_eq!(event.kind(), Kind::IoPageFault);
    assert_eq!(event.domain_id(), Some(5));
    assert_eq!(event.pasid(), None);
    assert_eq!(event.guest_id(), None);
    assert_eq!(event.address(), Some(0x1234_5678));
    assert!(event.flags().write() && !event.flags().present());
    assert_eq!(event.engine().bits(), 0);
}

#[test]
fn w76_names_the_command() {
    let address = decode(WORKED[8].0).address();
    assert_eq!(address, Some(0x1_0400_0040));

    let ring = hw::ring::Ring::new(4096).unwrap();
    assert!(ring
        .failed(0x1_0400_0000, address.unwrap(), 0x40, 0x50)
        .is_some());
}

#[test]
fn w82_w83_guests() {
    assert_eq!(decode(WORKED[14].0).guest_id(), Some(0x7FFF));
    assert_eq!(decode(WORKED[14].0).engine().bits(), 0x10);
    assert_eq!(decode(WORKED[15].0).guest_id(), Some(1));
    assert_eq!(decode(WORKED[15].0).engine().bits(), 0x04);
    assert_eq!(decode(WORKED[15].0).flags().bits(), 0x20);
}

/// Every flag alone, in the event that has all of them (hardware reference 3.5).
#[test]
fn each_flag_has_its_bit() {
    for (bit, name) in [
        (16, "GN"),
        (17, "NX"),
        (18, "US"),
        (19, "I"),
        (20, "PR"),
        (21, "RW"),
        (22, "PE"),
        (23, "RZ"),
        (24, "TR"),
        (25, "0x200"),
        (27, "0x800"),
    ] {
        let event = decode([0, 0x2000_0000 | (1 << bit), 0, 0]);
        assert_eq!(event.flags().to_string(), format!("[{name}]"), "bit {bit}");
    }
    for (bit, name) in [
        (27, "vNR"),
        (28, "0x2"),
        (29, "vEvent"),
        (30, "vPpr"),
        (31, "vCmd"),
    ] {
        let event = decode([1 << bit, 0x2000_0000, 0, 0]);
        assert_eq!(event.engine().to_string(), format!("[{name}]"), "bit {bit}");
    }
}

/// Causes that no worked example has.
#[test]
fn causes_are_told_in_words() {
    for (dw1, address, words) in [
        (0x2010_0000, 0x1000, "(read, bad level)"),
        (0x2030_0000, 0x1000, "(write, bad level)"),
        (0x2100_0000, 0x1000, "(translation request, not present)"),
        (0x2098_0000, 0, "(interrupt, reserved bit set)"),
        (0x2008_0000, 0xFEEF_FFFC, "(interrupt, not present)"),
        (0x2008_0000, 0x1000, "(access, not present)"),
        (0x2024_0000, 0x1000, "(user write, not present)"),
        (0x1020_0000, 0x1000, "(write, value not allowed)"),
        (0x3200_0000, 0x1000, "(read, master abort)"),
        (0x3600_0000, 0x1000, "(read, data error)"),
        (0x6000_0000, 0x1000, "(unknown error)"),
        (0x4408_0000, 0x1000, "(interrupt, target abort)"),
    ] {
        let line = decode([0, dw1, address, 0]).to_string();
        assert!(line.ends_with(words), "{dw1:#x}: {line}");
    }
}

#[test]
fn rare_events_show_all_they_have() {
    for (dwords, name, line) in [
        (
            [0, 0xA000_0000, 0xFFF1_2345, 0x89AB_CDEF],
            "EVENT_COUNTER_ZERO",
            "counter=0x1234589abcdef",
        ),
        (
            [0x0042_0300, 0xD020_1234, 0x1000, 1],
            "RMP_PAGE_FAULT",
            "rmp=0x42 vmtag=0x1234 address=0x0000000100001000 flags=[0x20]",
        ),
        (
            [0x0000_0300, 0xE000_1234, 0x1000, 1],
            "RMP_HW_ERROR",
            "vmtag=0x1234 address=0x0000000100001000 flags=[]",
        ),
        (
            [1, 0xF000_0002, 3, 4],
            "UNKNOWN_EVENT",
            "data=[00000001 f0000002 00000003 00000004]",
        ),
        (
            [0x0000_0300, 0x9001_00A5, 0x1000, 0],
            "INVALID_PPR_REQUEST",
            "tag=0x0a5 address=0x0000000000001000 flags=[RX]",
        ),
    ] {
        assert_eq!(decode(dwords).name(), name);
        assert_eq!(decode(dwords).to_string(), line);
    }
}

/// Stock QEMU sets I in every fault and puts permission bits where GN and NX are (hardware
/// reference 3.2).
#[test]
fn faults_of_stock_qemu_claim_nothing_false() {
    for (dw1, line) in [
        (
            0x200A_0000,
            "domain=0x0000 address=0x0000000000012345 flags=[NX I] (access, not present)",
        ),
        (
            0x2009_0000,
            "pasid=0x00000 address=0x0000000000012345 flags=[GN I] (access, not present)",
        ),
    ] {
        let event = decode([0x28, dw1, 0x1_2345, 0]);
        assert_eq!(event.device_id(), Some(0x28));
        assert_eq!(event.to_string(), line);
    }
}

#[test]
fn an_entry_is_pending_until_its_code_arrives() {
    assert!(RawEvent([0; 4]).pending());
    assert!(RawEvent([0x300, 0x0FFF_FFFF, 1, 1]).pending());
    for code in 1..16 {
        assert!(!RawEvent([0, code << 28, 0, 0]).pending());
    }
}

proptest! {
    /// Whatever the hardware writes becomes one line of bounded length.
    #[test]
    fn any_entry_is_one_line(dwords: [u32; 4]) {
        let event = decode(dwords);
        let line = format!("{} {event}", event.name());

        prop_assert!(line.is_ascii() && !line.contains('\n'));
        prop_assert!(line.len() < 200, "{}", line);
        prop_assert!(!line.contains("  ") && !line.ends_with(' '), "{}", line);
    }

    /// A domain ID and a PASID share bits: never both, and never a PASID without GN.
    #[test]
    fn gn_decides_between_domain_and_pasid(dwords: [u32; 4]) {
        let event = decode(dwords);

        prop_assert!(event.domain_id().is_none() || event.pasid().is_none());
        if event.kind() == Kind::IoPageFault {
            prop_assert_eq!(event.pasid().is_some(), (dwords[1] >> 16) & 1 != 0);
        }
        prop_assert!(event.pasid().is_none_or(|pasid| pasid < 1 << 20));
    }
}
