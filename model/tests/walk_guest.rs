// SPDX-License-Identifier: GPL-2.0

//! Walks of guest (v2) tables and GCR3 tables against hardware.md 4.2 to 4.4.

use amd_iommu_model::config::Features;
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config};

use crate::support::stage::*;
use crate::support::{Bench, Dte, HostTables, Rights, GUEST_OFFSET};

#[test]
fn pages_of_all_sizes_translate_with_and_without_a_host_table() {
    for nested in [false, true] {
        for levels in [4, 5] {
            for shift in [12, 21, 30] {
                let mut stage = Stage::new(nested, levels, 1, 0x345);
                let size = 1u64 << shift;
                let va = 0x5a_c0de_0000_u64 & !(size - 1);
                // The memory that the host table maps reaches 1 GiB from 8000_0000h.
                let to = 0x8000_0000;
                stage.map(va, to, size, Rights::ALL);
                let inside = va + size - 0x10;
                let moved = if nested { to + GUEST_OFFSET } else { to };
                for _ in 0..2 {
                    let Answer::Forward(page) =
                        stage.ask(inside, Access::ReadWrite, Some(0x345), false)
                    else {
                        panic!("{nested} {levels} {shift}: {:?}", stage.bench.events());
                    };
                    assert_eq!(page.address, moved + size - 0x10);
                    assert_eq!(page.size, size);
                }
            }
        }
    }
}

#[test]
fn rights_of_guest_pages_hold_with_the_flags_of_the_worked_examples() {
    let read_only = Rights {
        write: false,
        ..Rights::ALL
    };
    let supervisor = Rights {
        user: false,
        ..Rights::ALL
    };
    let data = Rights {
        execute: false,
        ..Rights::ALL
    };
    // Rights, access, privileged, flags (None: allowed). W70 is the first.
    let cases = [
        (supervisor, Access::Read, false, Some(PR | PE | US)),
        (supervisor, Access::Read, true, None),
        (supervisor, Access::Execute, true, None),
        (read_only, Access::Write, false, Some(PR | PE | US | RW)),
        (read_only, Access::Write, true, Some(PR | PE | RW)),
        (read_only, Access::ReadWrite, true, Some(PR | PE | RW)),
        (read_only, Access::Execute, false, None),
        (data, Access::Execute, false, Some(PR | PE | US | NX)),
        (data, Access::Read, false, None),
        (Rights::ALL, Access::Execute, false, None),
    ];
    for (rights, access, privileged, flags) in cases {
        let mut stage = Stage::new(false, 4, 1, 0x345);
        stage.map(0x7fff_1234_5000, 0x55aa000, 0x1000, rights);
        for _ in 0..2 {
            let answer = stage.ask(0x7fff_1234_5000, access, Some(0x345), privileged);
            assert_eq!(
                answer == Answer::Abort,
                flags.is_some(),
                "{rights:?} {access:?}"
            );
            if let Some(flags) = flags {
                assert_eq!(stage.fault(0x7fff_1234_5000, Some(0x345)), flags);
            }
            // Once more, with the page in the cache.
            stage.ask(0x7fff_1234_5000, Access::Read, Some(0x345), true);
        }
    }
}

#[test]
fn a_right_that_an_upper_entry_withholds_is_missing() {
    for level in 2..=4 {
        for (clear, set, access, flags) in [
            (2, 0, Access::Write, RW | US),
            (4, 0, Access::Read, US),
            (0, 1 << 63, Access::Execute, NX | US),
        ] {
            let mut stage = Stage::new(true, 4, 0, 0x12);
            stage.map(0x1234_5000, 0x8000_5000, 0x1000, Rights::ALL);
            let at = stage
                .tables
                .entry(&mut stage.bench.machine, 0x1234_5000, level);
            let entry = stage.bench.machine.peek(at);
            stage.bench.machine.poke(at, entry & !clear | set);
            assert_eq!(
                stage.target(0x1234_5000, access, Some(0x12)),
                None,
                "{level}"
            );
            assert_eq!(stage.fault(0x1234_5000, Some(0x12)), PR | PE | flags);
        }
    }
}

#[test]
fn reserved_bits_and_absent_pages_are_told_apart() {
    // Level, entry, flags. PS where there is no such page; address bits inside a large page.
    let cases = [
        (4, 0xa7, PR | RZ),
        (3, 0xe7 | 1 << 29, PR | RZ),
        (3, 0xe7 | 1 << 13, PR | RZ),
        (2, 0xe7 | 1 << 20, PR | RZ),
        (2, 0xe7 | 1 << 13, PR | RZ),
        (1, 0xe6, 0),
        (2, 0xa6 | 1 << 20, 0),
        (4, 0, 0),
    ];
    for (level, value, flags) in cases {
        let mut stage = Stage::new(false, 4, 0, 1);
        let at = stage
            .tables
            .entry(&mut stage.bench.machine, 0x1234_5000, level);
        stage.bench.machine.poke(at, value);
        assert_eq!(stage.target(0x1234_5000, Access::Read, Some(1)), None);
        assert_eq!(
            stage.fault(0x1234_5000, Some(1)),
            flags | US,
            "{level} {value:x}"
        );
    }
    // PAT of a large page, G and the bits that are free for software mean nothing.
    for (level, value) in [
        (2, 0xe7 | 1 << 12),
        (1, 0xe7 | 0xf << 8),
        (3, 0xe7 | 0x7ff << 52),
    ] {
        let mut stage = Stage::new(false, 4, 0, 1);
        let at = stage
            .tables
            .entry(&mut stage.bench.machine, 0x1234_5000, level);
        stage.bench.machine.poke(at, value);
        let offset = 0x1234_5000 & ((1u64 << (12 + 9 * (level - 1))) - 1);
        assert_eq!(
            stage.target(0x1234_5000, Access::Read, Some(1)),
            Some(offset)
        );
    }
}

#[test]
fn addresses_that_are_not_canonical_are_not_present() {
    for (levels, top) in [(4, 47), (5, 56)] {
        let high = !0u64 << top;
        let mut stage = Stage::new(false, levels, 0, 1);
        stage.map(high | 0x1000, 0x7000, 0x1000, Rights::ALL);
        stage.map(0x1000, 0x9000, 0x1000, Rights::ALL);
        assert_eq!(
            stage.target(high | 0x1000, Access::Read, Some(1)),
            Some(0x7000)
        );
        assert_eq!(stage.target(0x1000, Access::Read, Some(1)), Some(0x9000));
        for wrong in [1 << 63 | 0x1000, 1 << (top + 1) | 0x1000, 1 << top | 0x1000] {
            assert_eq!(
                stage.target(wrong, Access::Read, Some(1)),
                None,
                "{wrong:x}"
            );
            assert_eq!(stage.fault(wrong, Some(1)), US);
        }
    }
}

/// A part with GCR3 tables of three levels, and PASmax.
fn deep(pasid_max: u64) -> Bench {
    let mut features = Features::genoa();
    features.efr = features.efr & !(3 << 14 | 0x1f << 32) | 2 << 14 | pasid_max << 32;
    Bench::on(Config::new(features))
}

#[test]
fn gcr3_tables_of_all_depths_serve_what_they_reach() {
    // GLX, PASID, whether it is reached (W108 to W110; the part has 16 PASID bits).
    for (glx, pasid, reached) in [
        (0, 0, true),
        (0, 0x1ff, true),
        (0, 0x200, false),
        (1, 0x200, true),
        (1, 0xffff, true),
        (2, 0xffff, true),
        (2, 0x1_0000, false),
        (2, 0xf_ffff, false),
    ] {
        for nested in [false, true] {
            let mut stage = Stage::on(deep(15), nested, 4, glx, pasid & 0x1ff);
            stage.map(0x1000, 0x8000_7000, 0x1000, Rights::ALL);
            let gcr3 = stage.gcr3;
            if pasid >> (9 * (glx + 1)) == 0 {
                gcr3.set(&mut stage.bench.machine, pasid, &stage.tables);
            }
            let found = stage.target(0x1000, Access::Read, Some(pasid)).is_some();
            assert_eq!(found, reached, "{glx} {pasid:x}");
            if !reached {
                assert_eq!(stage.fault(0x1000, Some(pasid)), US);
            }
        }
    }
    let mut stage = Stage::on(deep(19), false, 4, 2, 0xa_bcde);
    stage.map(0x1000, 0x7000, 0x1000, Rights::ALL);
    assert_eq!(
        stage.target(0x1000, Access::Read, Some(0xa_bcde)),
        Some(0x7000)
    );
    assert_eq!(stage.target(0x1000, Access::Read, Some(0xa_bcdf)), None);
    assert_eq!(stage.fault(0x1000, Some(0xa_bcdf)), US);
}

#[test]
fn requests_without_pasid_use_the_guest_table_only_with_giov() {
    for nested in [false, true] {
        let mut stage = Stage::new(nested, 4, 0, 0);
        stage.map(0x1000, 0x8000_7000, 0x1000, Rights::ALL);
        let behind = if nested { GUEST_OFFSET } else { 0 };
        assert_eq!(
            stage.target(0x1000, Access::Read, None),
            Some(0x8000_7000 + behind)
        );
        let entry = Dte {
            giov: false,
            ..stage.entry
        };
        stage.bench.install(DEVICE, &entry);
        if nested {
            assert_eq!(
                stage.target(0x8000_1000, Access::Read, None),
                Some(0x8000_1000 + GUEST_OFFSET)
            );
            assert_eq!(stage.target(0x1000, Access::Read, None), None);
            assert_eq!(stage.fault(0x1000, None), 0);
        } else {
            assert_eq!(
                stage.target(0x1000, Access::Read, None),
                Some(0x1000),
                "pass-through"
            );
        }
        assert_eq!(
            stage.target(0x1000, Access::Read, Some(0)),
            Some(0x8000_7000 + behind)
        );
    }
}

#[test]
fn a_request_without_pasid_is_a_user_access_whose_event_shows_the_domain() {
    let mut stage = Stage::new(false, 4, 0, 0);
    stage.map(
        0x1000,
        0x7000,
        0x1000,
        Rights {
            user: false,
            ..Rights::ALL
        },
    );
    assert_eq!(stage.ask(0x1000, Access::Read, None, true), Answer::Abort);
    assert_eq!(stage.fault(0x1000, None), PR | PE);
}

#[test]
fn a_pasid_without_a_guest_table_faults() {
    let mut bench = Bench::genoa();
    let table = HostTables::new(&mut bench.machine, 3);
    table.map(&mut bench.machine, 0x1000, 0x7000, 0x1000, Rights::ALL);
    for entry in [Dte::pass(DOMAIN), Dte::host(DOMAIN, table.root, 3)] {
        bench.install(DEVICE, &entry);
        assert_eq!(
            bench.dma(DEVICE, 0x1000, Access::Read, Some(3)),
            Answer::Abort
        );
        let events = bench.events();
        assert_eq!(events[0].pasid(), Some(3));
        assert_eq!(events[0].0[1] & 0x01fe_0000, 0);
    }
}

#[test]
fn a_and_d_are_set_and_gdupdatedis_forbids_d() {
    // Updates forbidden, access, bits that appear in upper entries and in the leaf.
    let cases = [
        (0, Access::Read, A, A),
        (0, Access::Write, A, A | D),
        (1 << 48, Access::Write, A, A),
    ];
    for (forbidden, access, upper, leaf) in cases {
        for nested in [false, true] {
            let mut stage = Stage::new(nested, 4, 0, 1);
            stage.bench.set_control(forbidden);
            stage.map(0x1000, 0x8000_7000, 0x1000, Rights::ALL);
            let path = stage.tables.path(&stage.bench.machine, 0x1000);
            for at in &path {
                let entry = stage.bench.machine.peek(*at);
                stage.bench.machine.poke(*at, entry & !(A | D));
            }
            assert!(stage.target(0x1000, access, Some(1)).is_some());
            let bits: Vec<u64> = path
                .iter()
                .map(|at| stage.bench.machine.peek(*at) & (A | D))
                .collect();
            assert_eq!(
                bits,
                [upper, upper, upper, leaf],
                "{forbidden:x} {access:?} {nested}"
            );
        }
    }
}

#[test]
fn the_first_write_through_a_cached_clean_page_sets_d() {
    let mut stage = Stage::new(false, 4, 0, 1);
    stage.map(0x1000, 0x7000, 0x1000, Rights::ALL);
    let leaf = stage.walked()[3];
    let clean = stage.bench.machine.peek(leaf) & !(A | D);
    stage.bench.machine.poke(leaf, clean);
    stage.target(0x1000, Access::Read, Some(1));
    assert_eq!(stage.bench.machine.peek(leaf), clean | A);
    stage.target(0x1000, Access::Write, Some(1));
    assert_eq!(stage.bench.machine.peek(leaf), clean | A | D);
    // From here on the cache has it dirty: D that software clears stays clear.
    stage.bench.machine.poke(leaf, clean | A);
    stage.target(0x1000, Access::Write, Some(1));
    assert_eq!(stage.bench.machine.peek(leaf), clean | A);
}
