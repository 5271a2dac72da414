// SPDX-License-Identifier: GPL-2.0

//! Commands (10.4) and the ranges of invalidations (10.5).

use amd_iommu_model::command::{Command, Illegal, Pages, Source};
use amd_iommu_model::config::{Features, Readings};

use crate::support::command;

type Example = (&'static str, [u32; 4], Result<Command, Illegal>);

fn decode(words: [u32; 4]) -> Result<Command, Illegal> {
    let features = Features {
        iotlb: true,
        ..Features::genoa()
    };
    Command::decode(words, &features, &Readings::default(), Source::Host)
}

/// INVALIDATE_IOMMU_PAGES of domain 5 for `start` to `last`.
fn pages(start: u64, last: u64, directories: bool) -> Result<Command, Illegal> {
    Ok(Command::InvalidateIommuPages {
        domain: 5,
        pasid: None,
        pages: Pages { start, last },
        directories,
    })
}

fn iotlb(pasid: Option<u32>, pages: Pages) -> Result<Command, Illegal> {
    Ok(Command::InvalidateIotlbPages {
        device: 0x0300,
        pasid,
        pages,
    })
}

fn page(start: u64, size: u64) -> Pages {
    Pages {
        start,
        last: start + (size - 1),
    }
}

fn wait(interrupt: bool) -> Result<Command, Illegal> {
    Ok(Command::CompletionWait {
        store: Some((0x1_2345_6788, 0xdead_beef_0000_0001)),
        interrupt,
    })
}

fn reset(gid: u16) -> Result<Command, Illegal> {
    Ok(Command::ResetVmmio {
        gid,
        all: true,
        command: true,
    })
}

fn examples() -> Vec<Example> {
    let mut examples = of_pages();
    examples.extend([
        (
            "W33",
            [0x2345_6789, 0x1000_0001, 0x0000_0001, 0xdead_beef],
            wait(false),
        ),
        (
            "W34",
            [0x2345_678b, 0x1000_0001, 0x0000_0001, 0xdead_beef],
            wait(true),
        ),
        (
            "W35",
            [0x0108, 0x2000_0000, 0, 0],
            Ok(Command::InvalidateDevtabEntry { device: 0x0108 }),
        ),
        (
            "W47",
            [0x2000_0300, 0x4000_0300, 0x1234_5000, 0],
            iotlb(None, page(0x1234_5000, 0x1000)),
        ),
        (
            "W48",
            [0x2012_0300, 0x4034_0300, 0x402f_f005, 0],
            iotlb(Some(0x1234), page(0x4020_0000, 0x20_0000)),
        ),
        (
            "W49",
            [0x20bc_0300, 0x4ade_0300, 0xffff_f005, 0x7fff_ffff],
            iotlb(Some(0xa_bcde), Pages::ALL),
        ),
        (
            "W50",
            [0x0108, 0x5000_0000, 0, 0],
            Ok(Command::InvalidateInterruptTable { device: 0x0108 }),
        ),
        (
            "W56",
            [0, 0x8000_0000, 0, 0],
            Ok(Command::InvalidateIommuAll),
        ),
        (
            "W57",
            [0, 0x9000_0001, 0, 0],
            Ok(Command::InsertGuestEvent { gid: 1 }),
        ),
        ("W58", [0x9000_0001, 0xa000_0000, 0, 0], reset(1)),
        ("W59", [0x9000_7fff, 0xa000_0000, 0, 0], reset(0x7fff)),
    ]);
    examples
}

fn of_pages() -> Vec<Example> {
    let of_pasid = |pasid, pages, directories| {
        Ok(Command::InvalidateIommuPages {
            domain: 0x11,
            pasid: Some(pasid),
            pages,
            directories,
        })
    };
    vec![
        (
            "W36",
            [0, 0x3000_0005, 0x1234_5000, 0],
            pages(0x1234_5000, 0x1234_5fff, false),
        ),
        (
            "W37",
            [0, 0x3000_0005, 0x1234_4003, 0],
            pages(0x1234_4000, 0x1234_5fff, true),
        ),
        (
            "W38",
            [0, 0x3000_0005, 0x1234_5003, 0],
            pages(0x1234_4000, 0x1234_7fff, true),
        ),
        (
            "W39",
            [0, 0x3000_0005, 0x1234_7001, 0],
            pages(0x1234_0000, 0x1234_ffff, false),
        ),
        (
            "W40",
            [0, 0x3000_0005, 0x402f_f003, 0],
            pages(0x4020_0000, 0x403f_ffff, true),
        ),
        (
            "W41",
            [0, 0x3000_0005, 0x5fff_f003, 1],
            pages(0x1_4000_0000, 0x1_7fff_ffff, true),
        ),
        (
            "W42",
            [0, 0x3000_0005, 0x7fff_f003, 0],
            pages(0, 0xffff_ffff, true),
        ),
        // The largest explicit encoding is 2^52 bytes, but its first zero is bit 51 (W65).
        (
            "W43",
            [0, 0x3000_0005, 0xffff_f003, 0x0007_ffff],
            pages(0, u64::MAX, true),
        ),
        (
            "W44",
            [0, 0x3000_0005, 0xffff_f003, 0x7fff_ffff],
            pages(0, u64::MAX, true),
        ),
        (
            "W45",
            [0x0001_2345, 0x3000_0011, 0xffff_f007, 0x7fff_ffff],
            of_pasid(0x1_2345, Pages::ALL, true),
        ),
        (
            "W46",
            [0, 0x3000_0011, 0x1234_5004, 0x7fff],
            of_pasid(0, page(0x7fff_1234_5000, 0x1000), false),
        ),
    ]
}

#[test]
fn commands_are_understood() {
    for (number, words, meaning) in examples() {
        assert_eq!(decode(words), meaning, "{number}");
    }
}

/// The part announces neither PREFETCH nor PPR.
#[test]
fn commands_of_absent_features_are_refused() {
    let examples = [
        ("W51", [0x0400_0300, 0x6001_2345, 0x1234_5004, 0]),
        ("W52", [0x0300, 0x7001_2345, 4, 0x00a5]),
        ("W53", [0x0300, 0x7001_2345, 4, 0x10a5]),
        ("W54", [0x0300, 0x7001_2345, 4, 0x20a5]),
        ("W55", [0x0300, 0x7001_2345, 4, 0xf0a5]),
    ];
    for (number, words) in examples {
        let opcode = (words[1] >> 28) as u8;
        assert_eq!(decode(words), Err(Illegal::Opcode(opcode)), "{number}");
    }
}

/// What the tests themselves send is what Linux would send.
#[test]
fn the_encoder_of_the_tests_reproduces_the_examples() {
    let store = Some((0x1_2345_6788, 0xdead_beef_0000_0001));
    let p = command::invalidate_pages;
    let built = [
        ("W33", command::completion_wait(store, false)),
        ("W34", command::completion_wait(store, true)),
        ("W35", command::invalidate_entry(0x0108)),
        ("W36", p(5, None, 0x1234_5000, 0x1234_5fff, false)),
        ("W37", p(5, None, 0x1234_4000, 0x1234_5fff, true)),
        ("W38", p(5, None, 0x1234_5000, 0x1234_6fff, true)),
        ("W39", p(5, None, 0x1234_0000, 0x1234_ffff, false)),
        ("W40", p(5, None, 0x4020_0000, 0x403f_ffff, true)),
        ("W41", p(5, None, 0x1_4000_0000, 0x1_7fff_ffff, true)),
        ("W42", p(5, None, 0, 0xffff_ffff, true)),
        ("W43", p(5, None, 0, 0xf_ffff_ffff_ffff, true)),
        ("W44", p(5, None, 0, u64::MAX, true)),
        ("W45", command::invalidate_domain(0x11, Some(0x1_2345))),
        (
            "W46",
            p(0x11, Some(0), 0x7fff_1234_5000, 0x7fff_1234_5fff, false),
        ),
        ("W50", command::invalidate_interrupts(0x0108)),
        ("W56", command::invalidate_all()),
        ("W57", command::insert_guest_event(1)),
        ("W58", command::reset_vmmio(1)),
        ("W59", command::reset_vmmio(0x7fff)),
    ];
    let known = examples();
    for (number, words) in built {
        let example = known.iter().find(|(name, ..)| *name == number);
        assert_eq!(example.map(|(_, words, _)| *words), Some(words), "{number}");
    }
}

#[test]
fn an_invalidation_address_gives_its_range() {
    let examples = [
        ("W60", 0x1234_5000u64, page(0x1234_4000, 1 << 14)),
        ("W61", 0x1234_4000, page(0x1234_4000, 1 << 13)),
        ("W62", 0x1234_f000, page(0x1234_0000, 1 << 17)),
        ("W63", 0x402f_f000, page(0x4020_0000, 1 << 21)),
        ("W64", 0x7fff_f000, page(0, 1 << 32)),
        ("W65", 0x0007_ffff_ffff_f000, Pages::ALL),
        ("W66", 0x7fff_ffff_ffff_f000, Pages::ALL),
        ("W67", 0xffff_ffff_ffff_f000, Pages::ALL),
    ];
    for (number, address, range) in examples {
        let words = [0, 0x3000_0005, address as u32 | 1, (address >> 32) as u32];
        assert_eq!(
            decode(words),
            pages(range.start, range.last, false),
            "{number}"
        );
    }
}
