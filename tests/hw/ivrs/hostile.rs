// SPDX-License-Identifier: GPL-2.0

//! Tables that are wrong, by accident or on purpose.

use hw::ivrs::{Error, Fault, Ivrs};
use proptest::prelude::*;

use super::build::{acpi, alias, ivhd, ivmd, rich, seal, set_len, short, table};

fn fault(table: &[u8]) -> Fault {
    error(table).fault
}

fn error(table: &[u8]) -> Error {
    Ivrs::parse(table).map(|_| ()).unwrap_err()
}

/// The fault of a table whose only block is an IVHD with these entries.
fn entry_fault(kind: u8, entries: &[&[u8]]) -> Fault {
    fault(&table(&[ivhd(kind, 2, entries)]))
}

/// A correct IVHD with some bytes replaced.
fn patched_ivhd(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut block = ivhd(0x11, 2, &[&short(0x02, 8, 0)]);
    block[at..at + bytes.len()].copy_from_slice(bytes);
    block
}

#[test]
fn a_bad_header_is_refused() {
    let good = rich();

    assert_eq!(fault(&[]), Fault::Truncated);
    assert_eq!(fault(&good[..good.len() - 1]), Fault::Truncated);

    let mut other = good.clone();
    other[..4].copy_from_slice(b"DMAR");
    seal(&mut other);
    assert_eq!(fault(&other), Fault::Signature);

    let mut wrong = good.clone();
    wrong[9] = wrong[9].wrapping_add(3);
    assert_eq!(fault(&wrong), Fault::Checksum(3));

    let mut short = good[..47].to_vec();
    seal(&mut short);
    assert_eq!(fault(&short), Fault::HeaderTooShort(47));
}

#[test]
fn every_single_bit_error_is_noticed() {
    let good = rich();

    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Ivrs::parse(&bad).is_err(), "bit {bit}");
    }
}

#[test]
fn bad_block_lengths_are_refused() {
    for len in 0u16..4 {
        let table = table(&[patched_ivhd(2, &len.to_le_bytes())]);
        assert_eq!(fault(&table), Fault::BlockTooShort(len.into()));
    }
    for len in 0u8..4 {
        let unknown = vec![0x41, 0, len, 0];
        let table = table(&[ivhd(0x11, 2, &[]), unknown]);
        assert_eq!(fault(&table), Fault::BlockTooShort(len.into()));
    }
    for len in 4u16..40 {
        let table = table(&[patched_ivhd(2, &len.to_le_bytes())]);
        assert_eq!(fault(&table), Fault::BlockTooShort(len.into()));
    }
    for len in [45, 1000, u16::MAX] {
        let table = table(&[patched_ivhd(2, &len.to_le_bytes())]);
        assert_eq!(fault(&table), Fault::BlockPastEnd(len.into()));
    }
    for rest in 1..4 {
        let table = table(&[ivhd(0x11, 2, &[]), vec![0x11; rest]]);
        assert_eq!(fault(&table), Fault::BlockHeaderPastEnd);
    }
    let mut small = ivhd(0x10, 2, &[]);
    small.truncate(23);
    set_len(&mut small);
    assert_eq!(fault(&table(&[small])), Fault::BlockTooShort(23));
    let mut small = ivmd(0x21, 1, 8, 0, 0x1000, 0x1000);
    small.truncate(31);
    set_len(&mut small);
    assert_eq!(
        fault(&table(&[ivhd(0x11, 2, &[]), small])),
        Fault::BlockTooShort(31)
    );
}

#[test]
fn an_error_tells_the_place() {
    let table = table(&[
        ivhd(0x11, 2, &[]),
        ivhd(0x11, 3, &[&short(0x02, 8, 0), &[0x42]]),
    ]);
    let error = error(&table);

    assert_eq!(error.offset, 48 + 40 + 40 + 4);
    let text = "the device entry of type 0x42 ends past its block (at offset 132)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn entries_past_their_block_are_refused() {
    for (kind, len) in [(0x02, 4), (0x42, 8), (0x48, 8), (0x80, 16), (0xC0, 32)] {
        for cut in 1..len {
            let mut entry = vec![0; cut];
            entry[0] = kind;
            assert_eq!(entry_fault(0x40, &[&entry]), Fault::EntryPastEnd(kind));
        }
    }
    let device = acpi(0x98, b"AMDI0020", 2, b"UID");
    for cut in 1..device.len() {
        assert_eq!(
            entry_fault(0x40, &[&device[..cut]]),
            Fault::EntryPastEnd(0xF0)
        );
    }
}

#[test]
fn broken_ranges_are_refused() {
    let start = short(0x03, 0x100, 0);
    let end = |devid| short(0x04, devid, 0);

    assert_eq!(entry_fault(0x11, &[&start]), Fault::RangeWithoutEnd);
    assert_eq!(entry_fault(0x11, &[&start, &start]), Fault::RangeWithoutEnd);
    assert_eq!(
        entry_fault(0x11, &[&start, &short(0x02, 8, 0), &end(0x200)]),
        Fault::RangeWithoutEnd
    );
    assert_eq!(
        entry_fault(0x11, &[&start, &[0x04, 0]]),
        Fault::RangeWithoutEnd
    );
    assert_eq!(entry_fault(0x11, &[&end(0x200)]), Fault::RangeWithoutStart);
    assert_eq!(
        entry_fault(0x11, &[&start, &end(0x200), &end(0x300)]),
        Fault::RangeWithoutStart
    );
    assert_eq!(
        entry_fault(0x11, &[&start, &end(0xFF)]),
        Fault::RangeReversed
    );
    let aliased = alias(0x43, 0x100, 0, 0x80);
    assert_eq!(
        entry_fault(0x11, &[&aliased, &end(0xFF)]),
        Fault::RangeReversed
    );
}

#[test]
fn a_number_of_another_size_is_no_unique_id() {
    for len in [0, 1, 7, 9, 255] {
        let device = acpi(0x98, b"AMDI0020", 1, &vec![0; len]);
        assert_eq!(entry_fault(0x40, &[&device]), Fault::UniqueId);
    }
}

#[test]
fn impossible_registers_are_refused() {
    for base in [0, 0x1000, 0xFED8_2000, u64::MAX] {
        let table = table(&[patched_ivhd(8, &base.to_le_bytes())]);
        assert_eq!(fault(&table), Fault::MmioBase(base));
    }
    for offset in [0, 0x3C, 0x42, 0xEC, 0x100, 0xFFFC] {
        let table = table(&[patched_ivhd(6, &u16::to_le_bytes(offset))]);
        assert_eq!(fault(&table), Fault::CapOffset(offset));
    }
}

#[test]
fn an_iommu_is_described_once() {
    let twice = [ivhd(0x11, 2, &[]), ivhd(0x11, 3, &[]), ivhd(0x11, 2, &[])];
    assert_eq!(fault(&table(&twice)), Fault::DuplicateIommu);

    let same_registers = [patched_ivhd(4, &[9, 0]), patched_ivhd(4, &[10, 0])];
    assert_eq!(fault(&table(&same_registers)), Fault::DuplicateIommu);

    let mut elsewhere = ivhd(0x11, 2, &[]);
    elsewhere[16] = 1;
    elsewhere[8..16].copy_from_slice(&0xFE00_0000u64.to_le_bytes());
    let segments = table(&[ivhd(0x11, 2, &[]), elsewhere]);
    assert_eq!(Ivrs::parse(&segments).unwrap().iommus().count(), 2);
}

#[test]
fn a_table_without_iommu_is_refused() {
    assert_eq!(fault(&table(&[])), Fault::NoIommu);
    let memory = ivmd(0x20, 1, 0, 0, 0x1000, 0x1000);
    assert_eq!(fault(&table(&[memory])), Fault::NoIommu);
    let mut future = ivhd(0x11, 2, &[]);
    future[0] = 0x41;
    assert_eq!(fault(&table(&[future])), Fault::NoIommu);
}

#[test]
fn very_many_iommus_are_refused_quickly() {
    let blocks: Vec<_> = (0..20_000).map(|devid| ivhd(0x10, devid, &[])).collect();
    assert_eq!(fault(&table(&blocks)), Fault::TooManyIommus);

    let fit: Vec<_> = (0..256).map(|devid| ivhd(0x10, devid, &[])).collect();
    assert_eq!(Ivrs::parse(&table(&fit)).unwrap().iommus().count(), 256);
}

#[test]
fn impossible_memory_is_refused() {
    let memory = |kind, first, last, start, len| {
        fault(&table(&[
            ivhd(0x11, 2, &[]),
            ivmd(kind, 7, first, last, start, len),
        ]))
    };

    assert_eq!(memory(0x21, 8, 0, 0x1000, 0), Fault::MemoryEmpty);
    assert_eq!(memory(0x21, 8, 0, 0x1800, 0), Fault::MemoryEmpty);
    assert_eq!(memory(0x21, 8, 0, !0xFFF, 0x1000), Fault::MemoryPastEnd);
    assert_eq!(memory(0x21, 8, 0, !0xFFF, 0x2000), Fault::MemoryPastEnd);
    assert_eq!(memory(0x21, 8, 0, 0x1000, !0xFFF), Fault::MemoryPastEnd);
    assert_eq!(memory(0x21, 8, 0, 1 << 52, 0x1000), Fault::MemoryPastEnd);
    assert_eq!(memory(0x21, 8, 0, (1 << 52) - 1, 2), Fault::MemoryPastEnd);
    assert_eq!(memory(0x21, 8, 0, u64::MAX, 1), Fault::MemoryPastEnd);
    assert_eq!(memory(0x21, 8, 0, u64::MAX, 2), Fault::MemoryPastEnd);
    assert_eq!(memory(0x22, 8, 7, 0x1000, 0x1000), Fault::RangeReversed);

    let last_page = ivmd(0x21, 7, 8, 0, (1 << 52) - 0x1000, 0x1000);
    assert!(Ivrs::parse(&table(&[ivhd(0x11, 2, &[]), last_page])).is_ok());
}

#[test]
fn every_fault_has_one_clear_sentence() {
    for fault in [
        Fault::Truncated,
        Fault::Signature,
        Fault::HeaderTooShort(1),
        Fault::Checksum(1),
        Fault::BlockHeaderPastEnd,
        Fault::BlockTooShort(1),
        Fault::BlockPastEnd(1),
        Fault::EntryPastEnd(1),
        Fault::RangeWithoutEnd,
        Fault::RangeWithoutStart,
        Fault::RangeReversed,
        Fault::UniqueId,
        Fault::MmioBase(1),
        Fault::CapOffset(1),
        Fault::DuplicateIommu,
        Fault::TooManyIommus,
        Fault::NoIommu,
        Fault::MemoryEmpty,
        Fault::MemoryPastEnd,
    ] {
        let text = fault.to_string();
        assert!(
            text.len() > 15 && text.len() < 80 && !text.ends_with('.'),
            "{text}"
        );
    }
}

/// Uses everything that a table offers, and returns the blocks that were seen, as a check against
/// [`well_formed`].
fn use_all(ivrs: &Ivrs<'_>) -> usize {
    for ivhd in ivrs.iommus() {
        assert!(ivhd.max_devid() >= ivhd.devid);
        for devid in [0, 1, 0x108, 0x3FF, 0x6F8, 0x8000, 0xFFFF] {
            if let Some(info) = ivhd.lookup(devid) {
                assert!(devid <= ivhd.max_devid() && info.alias <= ivhd.max_devid());
            }
        }
        assert!(ivhd
            .specials()
            .all(|special| ivhd.lookup(special.devid).is_some()));
        assert!(ivhd.acpi_hids().all(|hid| ivhd.lookup(hid.devid).is_some()));
        assert!(ivhd.mmio_base % 0x4000 == 0 && ivhd.mmio_base != 0);
    }
    for devid in [0, 0x108, 0x3FF, 0xFFFF] {
        for region in ivrs.memory(0, devid) {
            assert!(region.start < region.end && region.end < 1 << 52);
            assert!(region.start % 0x1000 == 0 && region.end % 0x1000 == 0xFFF);
        }
    }

    ivrs.iommus().count()
}

/// Asks for everything that a table offers, and expects no sense in the answers.
fn walk(ivrs: &Ivrs<'_>) {
    for ivhd in ivrs.iommus() {
        let entries = ivhd.specials().count() + ivhd.acpi_hids().count();
        assert!(entries < 0x10000 / 4, "more than fit into a block");
        for devid in [0, 0x108, ivhd.max_devid(), 0xFFFF] {
            let _ = ivhd.lookup(devid);
        }
    }
    for devid in [0, 0x108, 0xFFFF] {
        let _ = ivrs.memory(0, devid).count();
    }
}

/// Whether the lengths of all blocks, and of all entries in known blocks, add up. Written anew,
/// forwards.
fn well_formed(table: &[u8]) -> bool {
    let mut at = 48;
    while at < table.len() {
        let Some(block) = table.get(at..at + 4) else {
            return false;
        };
        let len = usize::from(block[2]) | (usize::from(block[3]) << 8);
        let header = match block[0] {
            0x10 => 24,
            0x11 | 0x40 => 40,
            0x20..=0x22 => 32,
            _ => 4,
        };
        if len < header || at + len > table.len() {
            return false;
        }
        if matches!(block[0], 0x10 | 0x11 | 0x40) && !entries_fit(&table[at + header..at + len]) {
            return false;
        }
        at += len;
    }
    true
}

fn entries_fit(entries: &[u8]) -> bool {
    let mut at = 0;
    while at < entries.len() {
        at += match entries[at] {
            0xF0 => match entries.get(at + 21) {
                Some(len) => 22 + usize::from(*len),
                None => return false,
            },
            kind => [4, 8, 16, 32][usize::from(kind >> 6)],
        };
    }
    at == entries.len()
}

/// A table that was accepted is well formed and serves every question.
fn check(table: &[u8]) {
    if let Ok(ivrs) = Ivrs::parse(table) {
        assert!(well_formed(table), "{table:02x?}");
        assert!(use_all(&ivrs) > 0);
    }
}

/// The table cut at every byte, with length and checksum made right again.
#[test]
fn every_truncation_is_refused_or_harmless() {
    let good = rich();
    let mut accepted = 0;

    for len in 0..good.len() {
        assert_eq!(fault(&good[..len]), Fault::Truncated, "length {len}");
        let mut cut = good[..len].to_vec();
        seal(&mut cut);
        check(&cut);
        accepted += usize::from(Ivrs::parse(&cut).is_ok());
    }
    // Only a cut right behind a block that has an IOMMU before it leaves a table.
    assert_eq!(accepted, 6);
}

/// Bytes that mean something at many places of a table.
const BLOCK_TYPES: &[u8] = &[
    0, 1, 3, 4, 0x10, 0x11, 0x20, 0x22, 0x40, 0x42, 0x43, 0x47, 0x48, 0xF0, 0xFF,
];

/// Types of entries; ends of ranges are frequent, so that whole ranges come about.
const ENTRY_TYPES: &[u8] = &[
    0, 1, 2, 3, 4, 4, 4, 0x42, 0x43, 0x46, 0x47, 0x48, 0x80, 0xC0, 0xF0,
];

fn one_of(bytes: &'static [u8]) -> impl Strategy<Value = u8> {
    prop::sample::select(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Some bytes are wrong.
    #[test]
    fn mutated_tables_are_refused_or_harmless(
        changes in prop::collection::vec((48usize..600, any::<u8>()), 1..6),
        interesting in prop::collection::vec((48usize..600, one_of(BLOCK_TYPES)), 0..4),
    ) {
        let mut bad = rich();
        for (at, byte) in changes.into_iter().chain(interesting) {
            let at = at % bad.len();
            bad[at] = byte;
        }
        seal(&mut bad);
        check(&bad);
    }

    /// Nothing is right but the header.
    #[test]
    fn random_tables_are_refused_or_harmless(blocks in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&table(&[blocks]));
    }

    /// One block has random entries.
    #[test]
    fn random_entries_are_refused_or_harmless(
        entries in prop::collection::vec((one_of(ENTRY_TYPES), any::<[u8; 31]>()), 0..8),
        cut in 0usize..4,
    ) {
        let mut bytes = Vec::new();
        for (kind, rest) in entries {
            let len = [4, 8, 16, 32][usize::from(kind >> 6)];
            bytes.push(kind);
            bytes.extend(&rest[..len - 1]);
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        check(&table(&[ivhd(0x40, 2, &[&bytes])]));
    }

    /// Without any check the answers may be wrong, but there is an end to them.
    #[test]
    fn trusting_random_blocks_does_no_harm(
        blocks in prop::collection::vec(prop_oneof![any::<u8>(), one_of(BLOCK_TYPES)], 0..400),
    ) {
        walk(&Ivrs::trusted(&table(&[blocks])));
    }

    /// The same for a table that was correct once.
    #[test]
    fn trusting_a_mutated_table_does_no_harm(
        changes in prop::collection::vec((0usize..600, any::<u8>()), 1..6),
        len in 0usize..600,
    ) {
        let mut bad = rich();
        for (at, byte) in changes {
            let at = at % bad.len();
            bad[at] = byte;
        }
        walk(&Ivrs::trusted(&bad));
        bad.truncate(len);
        walk(&Ivrs::trusted(&bad));
    }

    /// Not even the header is right.
    #[test]
    fn trusting_random_bytes_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        walk(&Ivrs::trusted(&bytes));
    }

    /// Not even the header is right.
    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Ivrs::parse(&bytes).is_err());
    }
}
