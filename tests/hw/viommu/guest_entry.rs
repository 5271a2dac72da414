// SPDX-License-Identifier: GPL-2.0

use hw::dte::{Dte, GuestEntry, GuestTable};
use hw::regs::Efr;
use hw::viommu::guest_entry::{Access, Refused, Request};
use proptest::prelude::*;

/// GTSup, GATS 1, GLXSup 1, PASmax Fh, GIoSup.
const SHOWN: Efr = Efr(0x0001_000F_0000_5010);

/// W6, the way a guest writes it: v2, GCR3 table FEDCB_A987_6000h, GLX 1, GIOV, 5 levels, DomainID 7.
const W6: [u64; 4] = [
    0x79C0_0000_0000_0003,
    0xFEDC_B800_530E_0007,
    0x0040_0000_0000_0000,
    0,
];

/// W3: pass-through, DomainID 1.
const W3: [u64; 4] = [0x6000_0000_0000_0003, 1, 0, 0];

fn decode(words: [u64; 4]) -> Result<Request, Refused> {
    Request::decode(Dte(words), SHOWN)
}

fn access(g_domain_id: u16, ir: bool, iw: bool) -> Access {
    Access {
        g_domain_id,
        ir,
        iw,
    }
}

/// `words` with bits of one word flipped.
fn flip(words: [u64; 4], word: usize, bits: u64) -> [u64; 4] {
    let mut flipped = words;
    flipped[word] ^= bits;
    flipped
}

#[test]
fn w6_v2_tables() {
    let table = GuestTable::new(0xF_EDCB_A987_6000, 1, true, true).unwrap();
    let request = Request::Nested(access(7, true, true), table);

    assert_eq!(decode(W6), Ok(request));
    assert_eq!(request.g_domain_id(), Some(7));
    assert_eq!(
        request.entry(0x11),
        GuestEntry::Nested {
            domain_id: 0x11,
            ir: true,
            iw: true,
            table,
        }
    );
}

/// W14 to W19: the parts of the pointer, each alone.
#[test]
fn w14_to_w19_the_gcr3_pointer_is_joined() {
    for (pointer, q0, q1) in [
        (0x1000, 0x0400_0000_0000_0000, 0),
        (0x7000, 0x1C00_0000_0000_0000, 0),
        (0x8000, 0, 0x0001_0000),
        (0x7FFF_8000, 0, 0xFFFF_0000),
        (0x8000_0000, 0, 0x0800_0000_0000),
        (
            0xF_FFFF_FFFF_F000,
            0x1C00_0000_0000_0000,
            0xFFFF_F800_FFFF_0000,
        ),
    ] {
        let words = [(1 << 55) | 3 | q0, q1, 0, 0];
        let table = GuestTable::new(pointer, 0, false, false).unwrap();

        assert_eq!(
            decode(words),
            Ok(Request::Nested(access(0, false, false), table))
        );
    }
}

#[test]
fn w3_identity() {
    let request = Request::Identity(access(1, true, true));

    assert_eq!(decode(W3), Ok(request));
    assert_eq!(request.g_domain_id(), Some(1));
    assert_eq!(
        request.entry(0x11),
        GuestEntry::Identity {
            domain_id: 0x11,
            ir: true,
            iw: true,
        }
    );
}

#[test]
fn permissions_are_the_guests() {
    for (bits, ir, iw) in [
        (0, true, true),
        (1 << 61, false, true),
        (1 << 62, true, false),
        (3 << 61, false, false),
    ] {
        assert_eq!(
            decode(flip(W3, 0, bits)),
            Ok(Request::Identity(access(1, ir, iw)))
        );
        assert!(matches!(
            decode(flip(W6, 0, bits)),
            Ok(Request::Nested(found, _)) if found == access(7, ir, iw)
        ));
    }
}

/// Nothing but V is looked at.
#[test]
fn an_entry_that_is_not_valid_is_blocked_and_never_an_error() {
    for words in [[0; 4], [!1, u64::MAX, u64::MAX, u64::MAX], flip(W6, 0, 1)] {
        assert_eq!(decode(words), Ok(Request::Blocked));
    }
    assert_eq!(Request::Blocked.g_domain_id(), None);
    assert_eq!(Request::Blocked.entry(5), GuestEntry::Blocked);
}

#[test]
fn an_entry_without_translation_is_blocked() {
    // W1 and W2.
    assert_eq!(decode([1, 0, 0, 0]), Ok(Request::Blocked));
    assert_eq!(decode([1, 0, 1, 0]), Ok(Request::Blocked));
    // The same entries with TV off, and a host table that TV does not show.
    assert_eq!(decode(flip(W6, 0, 2)), Ok(Request::Blocked));
    assert_eq!(decode(flip(W3, 0, 2 | (3 << 9))), Ok(Request::Blocked));
}

#[test]
fn a_host_table_has_an_answer_of_its_own() {
    for mode in 1..=6 {
        assert_eq!(decode(flip(W3, 0, mode << 9)), Err(Refused::HostTable));
        assert_eq!(decode(flip(W6, 0, mode << 9)), Err(Refused::HostTable));
    }
    // W4 without ATS.
    let w4 = [0x6000_0001_2345_6803, 5, 0, 0];
    assert_eq!(decode(w4), Err(Refused::HostTable));
    assert_eq!(decode(flip(W3, 0, 7 << 9)), Err(Refused::Illegal));
}

/// Hardware reference 3.3: q0 63 and 6:2. HAD, PPR, GPRP and SATS are not shown.
#[test]
fn reserved_bits_are_illegal_with_and_without_translation() {
    let q0 = [2, 3, 4, 5, 6, 7, 8, 52, 53, 63].map(|bit| (0, bit));

    for (word, bit) in q0.into_iter().chain([(1, 42)]) {
        for words in [W3, W6, [1, 0, 0, 0]] {
            let words = flip(words, word, 1 << bit);
            assert_eq!(decode(words), Err(Refused::Illegal), "q{word} bit {bit}");
        }
    }
}

/// The host decides about them, whatever the guest writes.
#[test]
fn fields_of_the_host_are_ignored() {
    let q0 = (12..52).map(|bit| (0, bit));
    let q1 = (32..42).map(|bit| (1, bit));
    let q2 = (0..54).chain(56..64).map(|bit| (2, bit));
    let q3 = (0..64).map(|bit| (3, bit));

    for (word, bit) in q0.chain(q1).chain(q2).chain(q3) {
        for words in [W3, W6] {
            let flipped = flip(words, word, 1 << bit);
            assert_eq!(decode(flipped), decode(words), "q{word} bit {bit}");
        }
    }
}

#[test]
fn tables_that_the_guest_is_not_shown_are_illegal() {
    // GLX 2 and the reserved 3; GuestPagingMode 2 and 3.
    assert_eq!(decode(flip(W6, 0, 3 << 56)), Err(Refused::Illegal));
    assert_eq!(decode(flip(W6, 0, 2 << 56)), Err(Refused::Illegal));
    assert_eq!(decode(flip(W6, 2, 3 << 54)), Err(Refused::Illegal));
    assert_eq!(decode(flip(W6, 2, 2 << 54)), Err(Refused::Illegal));

    // Not even if everything is shown.
    for (word, bits) in [(0, 2 << 56), (2, 3 << 54), (2, 2 << 54)] {
        let dte = Dte(flip(W6, word, bits));
        assert_eq!(Request::decode(dte, Efr(u64::MAX)), Err(Refused::Illegal));
    }

    // Five levels without GATS, two GCR3 levels without GLXSup, GIOV without GIoSup, GV without
    // GTSup.
    for bits in [1 << 12, 1 << 14, 1 << 48, 1 << 4] {
        let shown = Efr(SHOWN.0 & !bits);
        assert_eq!(Request::decode(Dte(W6), shown), Err(Refused::Illegal));
    }
    assert!(Request::decode(Dte(W3), Efr(0)).is_ok());
}

#[test]
fn no_table_at_0() {
    let words = [W6[0] & !(7 << 58), W6[1] & 0xFFFF, W6[2], 0];

    assert_eq!(decode(words), Err(Refused::Illegal));
}

proptest! {
    /// What comes out is composed from nothing but the decoded fields; and hardware that has what is
    /// shown would accept them.
    #[test]
    fn any_entry_is_decoded(mut words in any::<[u64; 4]>(), clean in any::<bool>()) {
        if clean {
            words[0] = (words[0] & 0x7FCF_FFFF_FFFF_F003) | 3;
            words[1] &= !(1 << 42);
        }
        match decode(words) {
            Ok(Request::Blocked) => prop_assert_ne!(words[0] & 3, 3),
            Ok(Request::Identity(access)) => {
                prop_assert_eq!(words[0] & ((1 << 55) | (7 << 9) | 3), 3);
                prop_assert_eq!(access.g_domain_id, words[1] as u16);
            }
            Ok(Request::Nested(access, _)) => {
                prop_assert_eq!(words[0] & ((1 << 55) | (7 << 9) | 3), (1 << 55) | 3);
                prop_assert_eq!(access.g_domain_id, words[1] as u16);
                prop_assert!((words[0] >> 56) & 3 <= 1 && (words[2] >> 54) & 3 <= 1);
            }
            Err(_) => prop_assert_eq!(words[0] & 1, 1),
        }
    }
}
