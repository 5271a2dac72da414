// SPDX-License-Identifier: GPL-2.0

use hw::regs::Status;
use hw::viommu::external::{
    vector_of, ExternalId, FirstEntry, Reasons, Source, FIRST_BYTES, SECOND_BYTES,
};
use hw::viommu::vfctrl::{CmdControl, EvtControl};

/// An interrupt, its ID, its index in the first and in the second level.
type Worked = (Source, u16, u32, usize, usize);

const WORKED: [Worked; 5] = [
    (Source::Events, 1, 0x1, 0x0, 0x1),
    (Source::PageRequests, 1, 0x1_0001, 0x100, 0x1),
    (Source::Events, 0x7FFF, 0x7FFF, 0x7F, 0xFF),
    (Source::PageRequests, 0x7FFF, 0x1_7FFF, 0x17F, 0xFF),
    (Source::PageRequests, 0xFFFF, 0x1_FFFF, 0x1FF, 0xFF),
];

#[test]
fn w116_to_w120_indices() {
    for (source, gid, id, first, second) in WORKED {
        let external = ExternalId::new(source, gid);
        assert_eq!(external.id(), id);
        assert_eq!(external.table(), first);
        assert_eq!(external.first_offset(), first * 8);
        assert_eq!(external.second_offset(), second * 16);
    }
}

#[test]
fn w121_first_level_entry() {
    let entry = FirstEntry::naming(0x3_0002_0000).unwrap();
    assert_eq!(entry.0, 0x0000_0003_0002_0021);
    assert!(entry.valid());
}

#[test]
fn w122_addresses() {
    let external = ExternalId::new(Source::PageRequests, 0x7FFF);
    assert_eq!(0x3_0001_0000 + external.first_offset(), 0x3_0001_0BF8);
    assert_eq!(0x3_0002_0000 + external.second_offset(), 0x3_0002_0FF0);
}

/// Hardware reference 6.4: 8 KiB, and 4 KiB for 256 guests.
#[test]
fn tables_have_these_sizes_and_hold_every_interrupt() {
    assert_eq!((FIRST_BYTES, SECOND_BYTES), (8 << 10, 4 << 10));
    for source in [Source::Events, Source::PageRequests] {
        for gid in 0..=u16::MAX {
            let external = ExternalId::new(source, gid);
            assert!(external.first_offset() + 8 <= FIRST_BYTES);
            assert!(external.second_offset() + 16 <= SECOND_BYTES);
        }
    }
}

#[test]
fn fields_are_where_the_reference_says() {
    let covered = check_fields! { FirstEntry(u64):
        0:0 valid with_valid;
        5:2 length with_length;
        51:6 table with_table;
    };
    assert_eq!(covered, [0x000F_FFFF_FFFF_FFFD]);
}

#[test]
fn addresses_that_an_entry_cannot_hold_are_refused() {
    for phys in [1 << 52, 0x20, 0x1_0000_003F] {
        assert_eq!(FirstEntry::naming(phys), None, "{phys:#x}");
    }
    assert!(FirstEntry::naming(0x000F_FFFF_FFFF_FFC0).is_some());
}

#[test]
fn no_interrupt_is_pending_but_for_these_reasons() {
    for bit in 0..64 {
        let reasons = Reasons::of(Status(1 << bit));
        assert_eq!(reasons.is_some(), bit <= 2, "{bit}");
    }
    assert_eq!(Reasons::of(Status(0)), None);
}

#[test]
fn no_reason_counts_that_the_guest_has_not_enabled() {
    let all = |on| {
        let commands = CmdControl(!0).with_com_wait_int_en(on);
        (commands, EvtControl(!0).with_event_int_en(!on))
    };
    let ((waits, no_events), (no_waits, events)) = (all(true), all(false));

    for status in 1..8 {
        let reasons = Reasons::of(Status(status)).unwrap();
        assert!(reasons.are_enabled(waits, events));
        assert!(!reasons.are_enabled(no_waits, no_events));
        // EventOverflow, EventLogInt; ComWaitInt.
        assert_eq!(reasons.are_enabled(no_waits, events), status & 3 != 0);
        assert_eq!(reasons.are_enabled(waits, no_events), status & 4 != 0);
    }
}

/// A thousand guests are spread evenly, and every one has a vector.
#[test]
fn vectors_are_shared_evenly() {
    for vectors in [1, 2, 16, 64] {
        let mut guests = vec![0; vectors];
        for gid in 1..=1000 {
            guests[vector_of(gid, vectors)] += 1;
        }
        let (least, most) = (guests.iter().min(), guests.iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "{guests:?}");
    }
    assert_eq!(vector_of(7, 0), 0);
}
