// SPDX-License-Identifier: GPL-2.0

use hw::command::{Command, CompletionWait, Range, Store};
use proptest::prelude::*;

fn pages(first: u64, last: u64, pde: bool) -> Command {
    Command::invalidate_iommu_pages(5, Range::new(first, last), pde)
}

#[test]
fn w33_w34_completion_wait() {
    let store = Some(Store {
        address: 0x1_2345_6788,
        data: 0xDEAD_BEEF_0000_0001,
    });
    let wait = CompletionWait {
        store,
        ..Default::default()
    };
    let with_interrupt = CompletionWait {
        interrupt: true,
        ..wait
    };

    let expected = [0x2345_6789, 0x1000_0001, 0x0000_0001, 0xDEAD_BEEF];
    assert_eq!(Command::completion_wait(wait).0, expected);
    let expected = [0x2345_678B, 0x1000_0001, 0x0000_0001, 0xDEAD_BEEF];
    assert_eq!(Command::completion_wait(with_interrupt).0, expected);
}

/// What takes the place of an illegal command (OQ-33).
#[test]
fn a_wait_for_nothing_has_no_effect() {
    let barrier = Command::completion_wait(CompletionWait::default());
    assert_eq!(barrier.0, [0, 0x1000_0000, 0, 0]);

    let flush = CompletionWait {
        flush: true,
        ..Default::default()
    };
    assert_eq!(Command::completion_wait(flush).0, [4, 0x1000_0000, 0, 0]);
}

/// Bits of a store address that a command does not have never reach another field.
#[test]
fn a_store_address_cannot_spill_over() {
    let store = Some(Store {
        address: u64::MAX,
        data: 0,
    });
    let wait = CompletionWait {
        store,
        ..Default::default()
    };

    let expected = [0xFFFF_FFF9, 0x100F_FFFF, 0, 0];
    assert_eq!(Command::completion_wait(wait).0, expected);
}

#[test]
fn w35_w50_w56_devices_and_everything() {
    assert_eq!(
        Command::invalidate_devtab_entry(0x108).0,
        [0x108, 0x2000_0000, 0, 0]
    );
    assert_eq!(
        Command::invalidate_interrupt_table(0x108).0,
        [0x108, 0x5000_0000, 0, 0]
    );
    assert_eq!(Command::invalidate_iommu_all().0, [0, 0x8000_0000, 0, 0]);
}

#[test]
fn w36_to_w44_pages() {
    for (command, dw2, dw3) in [
        (pages(0x1234_5000, 0x1234_5FFF, false), 0x1234_5000, 0),
        (pages(0x1234_4000, 0x1234_5FFF, true), 0x1234_4003, 0),
        (pages(0x1234_5000, 0x1234_6FFF, true), 0x1234_5003, 0),
        (pages(0x1234_0000, 0x1234_FFFF, false), 0x1234_7001, 0),
        (pages(0x4020_0000, 0x403F_FFFF, true), 0x402F_F003, 0),
        (pages(0x1_4000_0000, 0x1_7FFF_FFFF, true), 0x5FFF_F003, 1),
        (pages(0, 0xFFFF_FFFF, true), 0x7FFF_F003, 0),
        (pages(0, 0xF_FFFF_FFFF_FFFF, true), 0xFFFF_F003, 0x0007_FFFF),
        (pages(0, u64::MAX, true), 0xFFFF_F003, 0x7FFF_FFFF),
    ] {
        assert_eq!(command.0, [0, 0x3000_0005, dw2, dw3]);
    }
    assert_eq!(
        Command::invalidate_iommu_pages(5, Range::ALL, true),
        pages(0, u64::MAX, true)
    );
}

/// Sizes above 2^52 have no encoding of their own (hardware reference 10.4).
#[test]
fn more_than_the_largest_size_is_everything() {
    for bits in 53..64 {
        assert_eq!(Range::new(0, (1 << bits) - 1), Range::ALL, "{bits}");
    }
    assert_ne!(Range::new(0, (1 << 52) - 1), Range::ALL);
}

#[test]
fn w60_to_w67_ranges() {
    for (address, first, last) in [
        (0x1234_5000, 0x1234_4000, 0x1234_7FFF),
        (0x1234_4000, 0x1234_4000, 0x1234_5FFF),
        (0x1234_F000, 0x1234_0000, 0x1235_FFFF),
        (0x402F_F000, 0x4020_0000, 0x403F_FFFF),
        (0x7FFF_F000, 0, 0xFFFF_FFFF),
        (0x0007_FFFF_FFFF_F000, 0, u64::MAX),
        (0x7FFF_FFFF_FFFF_F000, 0, u64::MAX),
        (0xFFFF_FFFF_FFFF_F000, 0, u64::MAX),
    ] {
        assert_eq!(
            Range::from_fields(address, true).bounds(),
            (first, last),
            "{address:#x}"
        );
    }
    assert_eq!(
        Range::from_fields(0x1234_5000, false).bounds(),
        (0x1234_5000, 0x1234_5FFF)
    );
}

/// What the hardware reads out of a command: the lowest zero bit at or above bit 12 gives the size
/// (hardware reference 10.5). Written anew, bit by bit.
fn hardware_range(command: Command) -> (u128, u128) {
    let [_, _, dw2, dw3] = command.0;
    let address = (u128::from(dw3) << 32) | u128::from(dw2 & 0xFFFF_F000);
    if dw2 & 1 == 0 {
        return (address, address + 0x1000);
    }
    let Some(zero) = (12..51).find(|bit| (address >> bit) & 1 == 0) else {
        return (0, 1 << 64);
    };
    let size = 1u128 << (zero + 1);
    let start = address / size * size;

    (start, start + size)
}

proptest! {
    /// A flush covers all of what was asked for, is a power of two, and is the smallest one that
    /// can.
    #[test]
    fn a_range_covers_what_was_asked_for(a: u64, length in 0u64..=u64::MAX, shift in 0u32..64) {
        let first = a >> (shift / 2);
        let last = first.saturating_add(length >> shift);
        let (start, end) = hardware_range(pages(first, last, false));

        prop_assert!(start <= first.into() && u128::from(last) < end);
        let size = end - start;
        prop_assert!(size.is_power_of_two() && start % size == 0);
        if size > 0x1000 && size < 1 << 52 {
            let half = size / 2;
            prop_assert_ne!(u128::from(first) / half, u128::from(last) / half, "half would do");
        }
    }

    /// The crate reads a range as the hardware does.
    #[test]
    fn bounds_are_what_the_hardware_reads(address: u64, sized: bool, ones in 0u32..64) {
        let address = address | ((1u64 << ones) - 1);
        let range = Range::from_fields(address, sized);
        let command = Command::invalidate_iommu_pages(1, range, false);
        let (start, end) = hardware_range(command);

        prop_assert_eq!(range.bounds(), (start as u64, (end - 1) as u64));
        prop_assert_eq!(command.range(), range);
    }

    /// The order of the ends does not matter, so a caller cannot flush too little by mixing them
    /// up.
    #[test]
    fn ends_may_be_swapped(a: u64, difference: u64, shift in 0u32..64) {
        let b = a ^ (difference >> shift);

        prop_assert_eq!(Range::new(a, b), Range::new(b, a));
    }

    /// No field reaches a reserved bit (hardware reference 3.4, legal masks).
    #[test]
    fn reserved_bits_stay_zero(
        id: u16, first: u64, last: u64, pde: bool, address: u64, data: u64, bits in 0u8..8,
    ) {
        let quads = |command: Command| {
            let [dw0, dw1, dw2, dw3] = command.0.map(u64::from);
            ((dw1 << 32) | dw0, (dw3 << 32) | dw2)
        };
        let wait = CompletionWait {
            store: (bits & 1 != 0).then_some(Store { address, data }),
            interrupt: bits & 2 != 0,
            flush: bits & 4 != 0,
        };

        let (q0, _) = quads(Command::completion_wait(wait));
        prop_assert_eq!(q0 & !0xF00F_FFFF_FFFF_FFFF, 0);
        for command in [
            Command::invalidate_devtab_entry(id),
            Command::invalidate_interrupt_table(id),
        ] {
            let (q0, q1) = quads(command);
            prop_assert_eq!((q0 & !0xF000_0000_0000_FFFF, q1), (0, 0));
        }
        let (q0, q1) = quads(Command::invalidate_iommu_pages(id, Range::new(first, last), pde));
        prop_assert_eq!((q0 & !0xF000_FFFF_000F_FFFF, q1 & !0xFFFF_FFFF_FFFF_F007), (0, 0));
    }
}

#[test]
fn commands_have_names() {
    let range = Range::ALL;
    let named = [
        (
            Command::completion_wait(CompletionWait::default()),
            "COMPLETION_WAIT",
        ),
        (
            Command::invalidate_devtab_entry(0),
            "INVALIDATE_DEVTAB_ENTRY",
        ),
        (
            Command::invalidate_iommu_pages(0, range, true),
            "INVALIDATE_IOMMU_PAGES",
        ),
        (
            Command::invalidate_interrupt_table(0),
            "INVALIDATE_INTERRUPT_TABLE",
        ),
        (Command::invalidate_iommu_all(), "INVALIDATE_IOMMU_ALL"),
        (Command([0; 4]), "UNKNOWN"),
    ];

    for (command, name) in named {
        assert_eq!(command.name(), name);
    }
}

#[test]
fn w45_w46_guest_translations() {
    let all = Command::invalidate_guest_pages(0x11, 0x1_2345, Range::ALL);
    assert_eq!(all.0, [0x0001_2345, 0x3000_0011, 0xFFFF_F007, 0x7FFF_FFFF]);

    // The example without PDE has directory entries stay, which is never asked for here.
    let page = Range::new(0x7FFF_1234_5000, 0x7FFF_1234_5FFF);
    let one = Command::invalidate_guest_pages(0x11, 0, page);
    assert_eq!(one.0, [0, 0x3000_0011, 0x1234_5006, 0x0000_7FFF]);
}

/// Hardware reference 3.4: 20 bits.
#[test]
fn a_pasid_that_is_too_wide_is_cut_off() {
    let command = Command::invalidate_guest_pages(0, u32::MAX, Range::ALL);
    assert_eq!(command.0[0], 0x000F_FFFF);
}

#[test]
fn w58_w59_reset_of_a_guest() {
    assert_eq!(Command::reset_vmmio(1).0, [0x9000_0001, 0xA000_0000, 0, 0]);
    assert_eq!(
        Command::reset_vmmio(0x7FFF).0,
        [0x9000_7FFF, 0xA000_0000, 0, 0]
    );
    assert_eq!(Command::reset_vmmio(1).name(), "RESET_VMMIO");
}
