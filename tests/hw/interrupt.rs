// SPDX-License-Identifier: GPL-2.0

use hw::dte::{Dte, GuestEntry, GuestIds, HostPolicy, HostRoot, Translation};
use hw::interrupt::{
    Entry, Format, Interrupts, Irte128, Irte32, Length, Message, Places, Route, Table,
};
use hw::sequence::{plan, Half, Step};
use proptest::prelude::*;

use crate::dte::WORKED;

const LONG: Format = Format::Long { wide: true };
const NARROW: Format = Format::Long { wide: false };

fn route(vector: u8, destination: u32) -> Route {
    Route {
        vector,
        destination,
        logical: false,
    }
}

fn words(entry: Entry) -> (u64, u64) {
    match entry {
        Entry::Short(word) => (word.into(), 0),
        Entry::Long(word) => (word as u64, (word >> 64) as u64),
    }
}

#[test]
fn w111_w112_short() {
    let entry = Format::Short.remapped(route(0x41, 5));
    assert_eq!(entry, Some(Entry::Short(0x0041_0501)));

    let logical = Route {
        logical: true,
        ..route(0x41, 5)
    };
    let entry = Format::Short.remapped(logical).unwrap();
    let lowest_priority = Irte32(words(entry).0 as u32).with_int_type(1);
    assert_eq!(lowest_priority.0, 0x0041_0545);
}

#[test]
fn w113_long() {
    let entry = LONG.remapped(route(0x41, 0x0100_0005)).unwrap();
    assert_eq!(words(entry), (0x501, 0x0100_0000_0000_0041));

    let logical = Route {
        logical: true,
        ..route(0x41, 5)
    };
    let entry = LONG.remapped(logical).unwrap();
    assert_eq!(words(entry), (0x541, 0x41));
}

/// Hardware reference 3.6.
#[test]
fn fields_are_where_the_reference_says() {
    check_fields! { Irte32(u32):
        0:0 remap_en with_remap_en;
        1:1 sup_io_pf with_sup_io_pf;
        4:2 int_type with_int_type;
        5:5 rq_eoi with_rq_eoi;
        6:6 dm with_dm;
        15:8 destination with_destination;
        23:16 vector with_vector;
    };
    check_fields! { Irte128([u64; 2]):
        0 0:0 valid with_valid;
        0 1:1 no_fault with_no_fault;
        0 4:2 int_type with_int_type;
        0 5:5 rq_eoi with_rq_eoi;
        0 6:6 dest_mode with_dest_mode;
        0 7:7 guest_mode with_guest_mode;
        0 31:8 destination_23_0 with_destination_23_0;
        1 7:0 vector with_vector;
        1 63:56 destination_31_24 with_destination_31_24;
    };
}

#[test]
fn w115_where_an_entry_lies() {
    let table = Table::new(0x3000, Length::MAX).unwrap();
    let at = |format| {
        table
            .offset(format, 0x25)
            .map(|at| table.phys() + at as u64)
    };

    assert_eq!(at(Format::Short), Some(0x3094));
    assert_eq!(at(LONG), Some(0x3250));
    assert_eq!(Message::naming(0x25).address, 0xFEE0_0000);
    assert_eq!(Message::naming(0x25).data, 0x25);
}

/// Every format, and whether it can name an APIC.
#[test]
fn an_apic_that_cannot_be_named_is_refused() {
    for (format, destination, fits) in [
        (Format::Short, 0xFF, true),
        (Format::Short, 0x100, false),
        (Format::Short, u32::MAX, false),
        (NARROW, 0xFF, true),
        (NARROW, 0x100, false),
        (LONG, 0x100, true),
        (LONG, u32::MAX, true),
    ] {
        let entry = format.remapped(route(0x20, destination));
        assert_eq!(entry.is_some(), fits, "{format:?} {destination:#x}");
        assert_eq!(
            format.names(destination),
            fits,
            "{format:?} {destination:#x}"
        );
    }
}

#[test]
fn an_absent_entry_is_not_valid() {
    assert_eq!(Format::Short.absent(), Entry::Short(0));
    assert_eq!(LONG.absent(), Entry::Long(0));
}

#[test]
fn a_table_is_as_long_as_it_has_to_be() {
    for (wanted, entries) in [
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 4),
        (33, 64),
        (64, 64),
        (65, 128),
        (512, 512),
    ] {
        let length = Length::holding(wanted).unwrap();
        assert_eq!(length.entries(), entries, "{wanted}");
        assert_eq!(1 << length.field(), entries, "{wanted}");
        assert_eq!(length.bytes(Format::Short), entries * 4);
        assert_eq!(length.bytes(LONG), entries * 16);
    }
    for wanted in [513, 1024, 2048, usize::MAX] {
        assert_eq!(Length::holding(wanted), None, "{wanted}");
    }
    assert_eq!((Length::EXTERNAL.field(), Length::MAX.field()), (10, 9));
}

#[test]
fn a_table_that_an_entry_cannot_name_is_refused() {
    for phys in [1, 0x40, 0x7F, 1 << 52, u64::MAX] {
        assert_eq!(Table::new(phys, Length::MAX), None, "{phys:#x}");
    }
    for phys in [0x80, 0xF_FFFF_FFFF_FF80, 0x8000_1234_5000] {
        assert!(Table::new(phys, Length::MAX).is_some(), "{phys:#x}");
    }
}

#[test]
fn an_index_beyond_the_end_has_no_place() {
    let table = Table::new(0x1000, Length::holding(4).unwrap()).unwrap();
    let offsets = |format| [0, 3, 4, u16::MAX].map(|index| table.offset(format, index));

    assert_eq!(offsets(Format::Short), [Some(0), Some(12), None, None]);
    assert_eq!(offsets(LONG), [Some(0), Some(48), None, None]);
}

fn remapped(phys: u64, length: Length) -> Interrupts {
    Interrupts::Remapped(Table::new(phys, length).unwrap())
}

#[test]
fn w11_w12_are_composed() {
    let own = Dte([WORKED[10].0[0], WORKED[10].0[1], 0, 0]);
    let external = remapped(0x3_0001_0000, Length::EXTERNAL);
    assert_eq!(own.with_interrupts(external), WORKED[10]);

    let table = remapped(0x3000, Length::MAX);
    assert_eq!(Dte::default().with_interrupts(table), WORKED[11]);
}

#[test]
fn w2_denies_interrupts_as_well() {
    let blocked = Dte::compose(HostPolicy(0), Translation::Blocked);
    assert_eq!(blocked.with_interrupts(Interrupts::Blocked), WORKED[1]);
}

/// What is composed anew keeps its table, and a table that goes leaves nothing behind.
#[test]
fn both_parts_of_an_entry_are_independent() {
    let table = remapped(0xF_FFFF_FFFF_FF80, Length::MAX);
    for translation in [
        Translation::Blocked,
        Translation::PassThrough { domain_id: 3 },
    ] {
        let plain = Dte::compose(HostPolicy(0xFF), translation);
        let both = plain.with_interrupts(table);

        assert_eq!(both.with_interrupts(Interrupts::Forwarded), plain);
        // Hardware reference 3.3: IV = 1 and IntCtl = 0 abort.
        let blocked = both.with_interrupts(Interrupts::Blocked);
        assert_eq!(blocked, plain.with_iv(true));
        assert_eq!(plain.with_interrupts_of(both), both);
        assert_eq!(both.with_interrupts_of(plain), plain);
        assert_eq!(both.low(), plain.low());
        assert!(both.nmi_pass(), "firmware's settings stay");
    }
}

const IDS: GuestIds = GuestIds {
    guest_id: 5,
    device_id: 0x28,
};

/// The entry of a guest's device.
fn lent(ids: GuestIds) -> Dte {
    let translation = Translation::Guest {
        ids,
        domain_id: 3,
        root: HostRoot::new(0x1000, 4).unwrap(),
        entry: GuestEntry::Stage2,
    };
    Dte::compose(HostPolicy(0xFF), translation)
}

/// A new owner hears of everything, requests and interrupts; a new table keeps quiet about nothing, or both.
#[test]
fn quiet_ends_with_the_owner_and_not_with_the_table() {
    let table = remapped(0x3000, Length::MAX);
    let plain = lent(IDS);
    let quiet = plain.with_interrupts(table).with_hush(IDS, true);
    assert!(quiet.sa() && quiet.ig() && quiet.is_hushed(IDS));

    let next = Dte::compose(HostPolicy(0xFF), Translation::Blocked).with_interrupts_of(quiet);
    assert!(!next.sa() && !next.ig());
    assert!(next.iv());

    for other in [
        Interrupts::Forwarded,
        Interrupts::Blocked,
        remapped(0x4000, Length::MAX),
    ] {
        let moved = quiet.with_interrupts(other);
        assert!(moved.sa() && moved.ig());
        assert_eq!(moved.with_hush(IDS, false), plain.with_interrupts(other));
    }
}

/// A device may have another owner by the time that somebody has it kept quiet for what it did, or heard again.
#[test]
fn nobody_but_the_owner_is_kept_quiet() {
    let others = [
        GuestIds { guest_id: 6, ..IDS },
        GuestIds {
            device_id: 0x29,
            ..IDS
        },
    ];
    for owner in others.map(lent).into_iter().chain([
        Dte::compose(HostPolicy(0), Translation::Blocked),
        Dte::compose(HostPolicy(0), Translation::PassThrough { domain_id: 1 })
            .with_guest_id(5)
            .with_g_device_id(0x28),
    ]) {
        assert_eq!(owner.with_hush(IDS, true), owner);
        let quiet = owner.with_sa(true).with_ig(true);
        assert_eq!(quiet.with_hush(IDS, false), quiet);
        assert!(!quiet.is_hushed(IDS));
    }
    assert!(!lent(IDS).is_hushed(IDS));
}

/// The hardware never sees the root of one table with the length of another.
#[test]
fn a_table_changes_in_one_store() {
    let plain = Dte::compose(HostPolicy(0), Translation::PassThrough { domain_id: 1 });
    let short = plain.with_interrupts(remapped(0x1000, Length::holding(1).unwrap()));
    let long = plain.with_interrupts(remapped(0x2000, Length::MAX));

    for (old, new) in [(plain, short), (short, long), (long, plain)] {
        let steps = [Step::Store(Half::High, new.high()), Step::Flush];
        assert_eq!(plan(old, new).steps(), steps);
    }
}

#[test]
fn places_in_a_row_begin_where_a_message_can_count_from() {
    let mut places = Places::new(Length::holding(16).unwrap());
    let taken = [1, 2, 4, 3, 1].map(|count| places.take(count));
    assert_eq!(taken, [Some(0), Some(2), Some(4), Some(8), Some(1)]);

    // Free are 11 and what comes after it.
    let taken = [1, 4, 1].map(|count| places.take(count));
    assert_eq!(taken, [Some(11), Some(12), None]);
    places.put(5);
    let taken = [2, 1, 1].map(|count| places.take(count));
    assert_eq!(taken, [None, Some(5), None]);
    for place in 4..8 {
        places.put(place);
    }
    assert_eq!(places.take(4), Some(4));
}

#[test]
fn there_are_as_many_places_as_entries() {
    for entries in [1, 2, 64, 128, 512] {
        let mut places = Places::new(Length::holding(entries).unwrap());
        let all: Vec<_> = std::iter::from_fn(|| places.take(1)).collect();
        assert_eq!(all, (0..entries as u16).collect::<Vec<_>>());
    }
    let mut places = Places::new(Length::EXTERNAL);
    assert_eq!(places.take(512), Some(0));
    assert_eq!(places.take(1), None);
    assert_eq!(places.take(usize::MAX), None);
}

proptest! {
    /// No place is given to two, and a row is never broken.
    #[test]
    fn places_are_given_once(wishes: Vec<(u8, bool)>) {
        let mut places = Places::new(Length::holding(128).unwrap());
        let mut given = std::collections::BTreeSet::new();
        for (count, back) in wishes {
            let count = usize::from(count % 33) + 1;
            if let Some(first) = places.take(count) {
                prop_assert_eq!(usize::from(first) % count.next_power_of_two(), 0);
                for place in first..first + count as u16 {
                    prop_assert!(place < 128 && given.insert(place));
                }
            }
            if let Some(place) = given.pop_first().filter(|_| back) {
                places.put(place);
            }
        }
    }

    /// Nothing of a route gets lost or comes where it does not belong.
    #[test]
    fn a_route_can_be_read_back(vector: u8, destination: u32, logical: bool) {
        let route = Route { vector, destination, logical };
        let (q0, q1) = words(LONG.remapped(route).unwrap());
        prop_assert_eq!(q0, 1 | (u64::from(logical) << 6) | (u64::from(destination & 0xFF_FFFF) << 8));
        prop_assert_eq!(q1, u64::from(vector) | (u64::from(destination >> 24) << 56));

        let near = Route { destination: destination & 0xFF, ..route };
        let (word, _) = words(Format::Short.remapped(near).unwrap());
        let expected = 1 | (u64::from(logical) << 6)
            | (u64::from(near.destination) << 8)
            | (u64::from(vector) << 16);
        prop_assert_eq!(word, expected);
    }
}
