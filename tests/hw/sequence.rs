// SPDX-License-Identifier: GPL-2.0

//! The proof that the hardware never sees a mixture of two device table entries.
//!
//! The hardware of this proof may read the entry after every store, and may keep every value that
//! it could have read since the last flush. What a value means is written down here from the
//! hardware reference 3.3 and 4.4, not taken from the crate.

use hw::dte::{Dte, GuestEntry, GuestTable, HostPolicy, HostRoot, Translation};
use hw::sequence::{plan, Half, Plan, Step};
use proptest::prelude::*;

use crate::dte::{guest, WORKED};
use crate::random::Random;

/// What the hardware does with a memory request.
#[derive(Clone, Debug, PartialEq)]
enum Memory {
    Forward,
    Block,
    /// All bits that may matter, by quadword.
    Translate([u64; 4]),
}

/// What the hardware does with an interrupt.
#[derive(Clone, Debug, PartialEq)]
enum Interrupt {
    Forward,
    Block,
    /// All bits that may matter.
    Remap(u64),
}

/// The bits `high:low`.
fn bits(high: u32, low: u32) -> u64 {
    (low..=high).fold(0, |bits, bit| bits | (1 << bit))
}

fn bit(word: u64, bit: u32) -> bool {
    (word >> bit) & 1 != 0
}

fn memory(dte: &Dte) -> Memory {
    let [q0, q1, q2, q3] = dte.0;
    let (v, tv, gv, v_imu_en) = (bit(q0, 0), bit(q0, 1), bit(q0, 55), bit(q3, 15));
    let mode = (q0 >> 9) & 7;
    if !v {
        return Memory::Forward;
    }
    if !tv {
        return Memory::Block;
    }

    // GIOV, GLX and the three parts of the guest table pointer belong to GV.
    let q0_guest = bits(54, 54) | bits(60, 56);
    let q1_guest = bits(31, 16) | bits(63, 43);
    let mut q0 = q0;
    let mut q1 = q1;
    // GuestPagingMode (with GV) and HPTMode.
    let mut q2 = q2 & (bits(55, 54) | bits(59, 59));
    // Everything but reserved bits and the one of software; the two IDs belong to vImuEn.
    let mut q3 = q3 & !(bits(14, 0) | bits(52, 48) | bits(53, 53));
    if !gv {
        q0 &= !q0_guest;
        q1 &= !q1_guest;
        q2 &= !bits(55, 54);
    }
    if mode == 0 {
        q0 &= !bits(51, 12);
    }
    if !v_imu_en {
        q3 &= !bits(47, 16);
    }

    Memory::Translate([q0, q1, q2, q3])
}

fn interrupt(dte: &Dte) -> Interrupt {
    let q2 = dte.0[2];
    match (bit(q2, 0), (q2 >> 60) & 3) {
        (false, _) => Interrupt::Forward,
        (true, 0) => Interrupt::Block,
        (true, _) => Interrupt::Remap(q2 & !(bits(55, 52) | bits(59, 59))),
    }
}

/// Whether `seen` is no mixture of `old` and `new`.
fn is_clean(old: &Dte, seen: &Dte, new: &Dte) -> bool {
    let memory_is_clean = {
        let seen = memory(seen);
        seen == memory(old) || seen == memory(new) || seen == Memory::Block
    };
    let interrupt_is_clean = {
        let seen = interrupt(seen);
        seen == interrupt(old) || seen == interrupt(new) || seen == Interrupt::Block
    };

    memory_is_clean && interrupt_is_clean
}

/// Executes steps, and returns everything that the hardware may have used, and what it uses in the
/// end.
fn run(old: Dte, steps: &[Step]) -> (Vec<Dte>, Vec<Dte>) {
    let mut table = old;
    let mut seen = vec![old];
    let mut cached = vec![old];

    for step in steps {
        match *step {
            Step::Store(Half::Low, value) => table = Dte::from_halves(value, table.high()),
            Step::Store(Half::High, value) => table = Dte::from_halves(table.low(), value),
            Step::Flush => cached.clear(),
        }
        cached.push(table);
        seen.push(table);
    }

    (seen, cached)
}

/// Everything that must hold for a change.
fn check(old: Dte, new: Dte) {
    let plan = plan(old, new);
    let steps = plan.steps();
    let (seen, last) = run(old, steps);

    for seen in seen {
        assert!(
            is_clean(&old, &seen, &new),
            "{old:x?} to {new:x?} shows {seen:x?}: {steps:x?}"
        );
    }
    assert!(
        last.iter().all(|dte| *dte == new),
        "{old:x?} to {new:x?} ends with {last:x?}"
    );
    assert_eq!(steps.is_empty(), old == new);
    assert!(steps.is_empty() || steps.last() == Some(&Step::Flush));
    assert!(steps.len() <= Plan::MAX);
}

/// A legal entry. Fields that decide what others mean are often set.
fn legal(random: &mut Random) -> Dte {
    let mut dte = Dte([
        random.next() & 0x7FFF_FFFF_FFFF_FF83,
        random.next(),
        random.next() & 0xFFCF_FFFF_FFFF_FFFF,
        random.next() & 0xFFE0_FFFF_FFFF_8000,
    ]);
    if random.one_in(2) {
        dte.0[3] &= 0x0000_FFFF_FFFF_8000;
    }

    dte.with_v(!random.one_in(4))
        .with_tv(!random.one_in(4))
        .with_gv(random.one_in(2))
        .with_v_imu_en(random.one_in(2))
        .with_iv(random.one_in(2))
}

/// The same entry with one to three legal bits different.
fn neighbour(random: &mut Random, dte: Dte) -> Dte {
    let other = legal(random);
    let mut dte = dte;

    for _ in 0..=random.below(3) {
        let (word, bit) = (random.below(4), random.below(64));
        dte.0[word] = dte.0[word] & !(1 << bit) | other.0[word] & (1 << bit);
    }
    dte
}

#[test]
fn worked_examples_change_into_each_other_cleanly() {
    let mut all = WORKED.to_vec();
    all.push(Dte::default());

    for old in &all {
        for new in &all {
            check(*old, *new);
        }
    }
}

#[test]
fn legal_entries_change_into_each_other_cleanly() {
    let random = &mut Random::new(1);
    let mut all = WORKED.to_vec();
    all.push(Dte::default());
    all.extend((0..300).map(|_| legal(random)));

    for old in &all {
        for new in &all {
            check(*old, *new);
        }
    }
}

#[test]
fn small_changes_are_clean() {
    let random = &mut Random::new(2);

    for _ in 0..200_000 {
        let old = legal(random);
        let new = neighbour(random, old);
        check(old, new);
        check(new, old);
    }
}

proptest! {
    /// Reserved bits do not break the rules either.
    #[test]
    fn any_bits_change_cleanly(old: [u64; 4], new: [u64; 4], keep_low: bool, keep_high: bool) {
        let low = if keep_low { [old[0], old[1]] } else { [new[0], new[1]] };
        let high = if keep_high { [old[2], old[3]] } else { [new[2], new[3]] };

        check(Dte(old), Dte([low[0], low[1], high[0], high[1]]));
    }
}

#[test]
fn a_change_in_one_half_is_one_store() {
    for old in WORKED {
        let low = Dte::from_halves(old.low() ^ 1, old.high());
        let high = Dte::from_halves(old.low(), old.high() ^ 1);

        let expected = [Step::Store(Half::Low, low.low()), Step::Flush];
        assert_eq!(plan(old, low).steps(), expected);
        let expected = [Step::Store(Half::High, high.high()), Step::Flush];
        assert_eq!(plan(old, high).steps(), expected);
    }
}

/// What the driver does all the time never blocks the device on the way.
#[test]
fn composed_entries_never_need_more_than_one_flush() {
    let root = |phys| HostRoot::new(phys, 4).unwrap();
    let translations = [
        Translation::Blocked,
        Translation::PassThrough { domain_id: 1 },
        Translation::V1 {
            domain_id: 2,
            root: root(0x1000),
        },
        Translation::V1 {
            domain_id: 3,
            root: root(0x8000_0000_5000),
        },
    ];

    for setting in 0..=255 {
        for old in translations {
            for new in translations {
                let old = Dte::compose(HostPolicy(setting), old);
                let new = Dte::compose(HostPolicy(setting), new);
                assert!(plan(old, new).steps().len() <= 2);
                assert!(plan(Dte::default(), new).steps().len() <= 3);
            }
        }
    }
}

fn guest_entries() -> Vec<GuestEntry> {
    let mut entries = vec![GuestEntry::Stage2, GuestEntry::Blocked];
    for (ir, iw) in [(true, true), (true, false), (false, false)] {
        for domain_id in [5, 6] {
            entries.push(GuestEntry::Identity { domain_id, ir, iw });
            for (gcr3, glx, giov, five) in [
                (0x1000, 0, true, false),
                (0xF_EDCB_A987_6000, 2, false, false),
                (0x1000, 0, true, true),
            ] {
                entries.push(GuestEntry::Nested {
                    domain_id,
                    ir,
                    iw,
                    table: GuestTable::new(gcr3, glx, giov, five).unwrap(),
                });
            }
        }
    }
    entries
}

/// Everything that a device can be, before, while and after a guest has it, with the settings of
/// firmware that matter.
#[test]
fn guests_entries_change_cleanly_from_and_to_anything() {
    let root = HostRoot::new(0x2_0000_0000, 4).unwrap();
    for setting in [0, 0x10, 0xD7] {
        let mut all: Vec<Dte> = guest_entries()
            .into_iter()
            .map(|entry| guest(setting, entry))
            .collect();
        all.push(Dte::default());
        for plain in [
            Translation::Blocked,
            Translation::PassThrough { domain_id: 1 },
            Translation::V1 {
                domain_id: 0x10,
                root,
            },
        ] {
            all.push(Dte::compose(HostPolicy(setting), plain));
        }
        for old in &all {
            for new in &all {
                check(*old, *new);
            }
        }
    }
}

/// A guest's changes of its own entry, a reset included, are one store, unless the number of levels of
/// its tables, which the other half of the entry holds, changes too.
#[test]
fn a_guest_changes_its_entry_in_one_store() {
    let levels = |entry: GuestEntry| guest(0, entry).guest_paging_mode();
    for old in guest_entries() {
        for new in guest_entries() {
            let plan = plan(guest(0, old), guest(0, new));
            if levels(old) == levels(new) {
                assert!(plan.steps().len() <= 2, "{old:?} to {new:?}");
            }
        }
    }
}

/// The device is marked as the guest's in one store, since its translation is the same.
#[test]
fn lending_is_one_store() {
    let root = HostRoot::new(0x2_0000_0000, 4).unwrap();
    let host = Translation::V1 {
        domain_id: 0x10,
        root,
    };
    let (host, lent) = (
        Dte::compose(HostPolicy(0), host),
        guest(0, GuestEntry::Stage2),
    );

    let high = Step::Store(Half::High, lent.high());
    assert_eq!(plan(host, lent).steps(), [high, Step::Flush]);
    let high = Step::Store(Half::High, host.high());
    assert_eq!(plan(lent, host).steps(), [high, Step::Flush]);
}

/// Guest tables of four and of five levels under one guest: neither order is safe.
#[test]
fn a_change_of_guest_levels_blocks_in_between() {
    let old = WORKED[5];
    let new = WORKED[6];
    let plan = plan(old, new);

    assert_eq!(plan.steps().len(), 5);
    assert_eq!(plan.steps()[1], Step::Flush);
}

/// The rules above are strict enough to tell a wrong order.
#[test]
fn the_proof_refuses_a_wrong_order() {
    let naive = |old: Dte, new: Dte| {
        let steps = [
            Step::Store(Half::Low, new.low()),
            Step::Store(Half::High, new.high()),
            Step::Flush,
        ];
        run(old, &steps)
            .0
            .iter()
            .all(|seen| is_clean(&old, seen, &new))
    };

    assert!(
        !naive(Dte::default(), WORKED[5]),
        "five levels come too late"
    );
    assert!(
        !naive(Dte::default(), WORKED[7]),
        "the guest comes too late"
    );
    let table = GuestTable::new(0x1000, 0, true, false).unwrap();
    let nested = GuestEntry::Nested {
        domain_id: 5,
        ir: true,
        iw: true,
        table,
    };
    assert!(
        !naive(guest(0, nested), WORKED[9]),
        "a guest's mark on the host's entry"
    );
    assert!(naive(WORKED[5], Dte::default()));
}
