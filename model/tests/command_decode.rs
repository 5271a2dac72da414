// SPDX-License-Identifier: GPL-2.0

//! Which commands are legal, and what they say (hardware.md 3.4, 10.5).

use amd_iommu_model::command::{Command, Illegal, Pages, Source};
use amd_iommu_model::config::{Features, GuestInvalidateAll, Readings, ResetAllBit};
use proptest::prelude::*;

/// Opcode, and the bits of q0 and q1 that software may set, as hardware.md 3.4 has them.
const LEGAL: [(u8, u64, u64); 8] = [
    (1, 0xf00f_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff),
    (2, 0xf000_0000_0000_ffff, 0),
    (3, 0xf000_ffff_000f_ffff, 0xffff_ffff_ffff_f007),
    (4, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_f035),
    (5, 0xf000_0000_0000_ffff, 0),
    (8, 0xf000_0000_0000_0000, 0),
    (9, 0xf000_ffff_0000_0000, 0),
    (0xa, 0xf000_0000_9000_ffff, 0),
];

fn everything() -> Features {
    Features {
        iotlb: true,
        ..Features::genoa()
    }
}

fn words(q0: u64, q1: u64) -> [u32; 4] {
    [q0 as u32, (q0 >> 32) as u32, q1 as u32, (q1 >> 32) as u32]
}

fn host(q0: u64, q1: u64) -> Result<Command, Illegal> {
    let readings = Readings::default();
    Command::decode(words(q0, q1), &everything(), &readings, Source::Host)
}

#[test]
fn a_command_is_refused_exactly_for_its_reserved_bits() {
    for (opcode, legal0, legal1) in LEGAL {
        let base = u64::from(opcode) << 60;
        for bit in 0..60 {
            let refused = host(base | 1 << bit, 0) == Err(Illegal::Reserved);
            assert_eq!(refused, legal0 >> bit & 1 == 0, "{opcode:x} q0 bit {bit}");
        }
        for bit in 0..64 {
            let refused = host(base, 1 << bit) == Err(Illegal::Reserved);
            assert_eq!(refused, legal1 >> bit & 1 == 0, "{opcode:x} q1 bit {bit}");
        }
        assert_eq!(
            host(base | legal0 & !(0xf << 60), legal1).map(|command| command.opcode()),
            Ok(opcode)
        );
    }
}

#[test]
fn an_opcode_needs_its_feature_and_its_source() {
    let without = |clear: fn(&mut Features)| {
        let mut features = everything();
        clear(&mut features);
        features
    };
    let no_iotlb = without(|f| f.iotlb = false);
    let no_all = without(|f| f.efr &= !(1 << 6));
    let no_viommu = without(|f| f.efr &= !(1 << 55));
    // PREFETCH and COMPLETE_PPR belong to features that the model does not have, and stay
    // illegal whatever EFR says.
    let more = without(|f| f.efr |= 3);
    let own = Readings {
        guest_invalidate_all: GuestInvalidateAll::OwnOnly,
        ..Readings::default()
    };
    let default = Readings::default();
    let cases: [(&str, Features, Readings, Source, &[u8]); 7] = [
        (
            "all",
            everything(),
            default,
            Source::Host,
            &[1, 2, 3, 4, 5, 8, 9, 0xa],
        ),
        (
            "6 and 7",
            more,
            default,
            Source::Host,
            &[1, 2, 3, 4, 5, 8, 9, 0xa],
        ),
        (
            "IotlbSup",
            no_iotlb,
            default,
            Source::Host,
            &[1, 2, 3, 5, 8, 9, 0xa],
        ),
        (
            "IASup",
            no_all,
            default,
            Source::Host,
            &[1, 2, 3, 4, 5, 9, 0xa],
        ),
        (
            "vIommuSup",
            no_viommu,
            default,
            Source::Host,
            &[1, 2, 3, 4, 5, 8],
        ),
        (
            "guest",
            everything(),
            default,
            Source::Guest,
            &[1, 2, 3, 4, 5],
        ),
        (
            "guest, OQ-11",
            everything(),
            own,
            Source::Guest,
            &[1, 2, 3, 4, 5, 8],
        ),
    ];
    for (name, features, readings, source, legal) in cases {
        for opcode in 0..16u8 {
            let raw = [0, u32::from(opcode) << 28, 0, 0];
            let decoded = Command::decode(raw, &features, &readings, source);
            if legal.contains(&opcode) {
                assert_eq!(decoded.map(|c| c.opcode()), Ok(opcode), "{name}");
            } else {
                assert_eq!(decoded, Err(Illegal::Opcode(opcode)), "{name}");
            }
        }
    }
    let own_without = Command::decode([0, 8 << 28, 0, 0], &no_all, &own, Source::Guest);
    assert_eq!(own_without, Err(Illegal::Opcode(8)));
}

#[test]
fn the_all_bit_of_reset_vmmio_is_a_reading() {
    let reset = |bit: u32, all_bit| {
        let readings = Readings {
            reset_all_bit: all_bit,
            ..Readings::default()
        };
        let raw = [1 << bit | 7, 0xa000_0000, 0, 0];
        Command::decode(raw, &everything(), &readings, Source::Host)
    };
    let all = Ok(Command::ResetVmmio {
        gid: 7,
        all: true,
        command: false,
    });
    assert_eq!(reset(28, ResetAllBit::Bit28), all);
    assert_eq!(reset(27, ResetAllBit::Bit28), Err(Illegal::Reserved));
    assert_eq!(reset(27, ResetAllBit::Bit27), all);
    assert_eq!(reset(28, ResetAllBit::Bit27), Err(Illegal::Reserved));
    assert_eq!(
        reset(31, ResetAllBit::Bit28),
        Ok(Command::ResetVmmio {
            gid: 7,
            all: false,
            command: true,
        })
    );
}

/// Every field by bits that only it has; worked by hand from the field table of hardware.md 3.4.
#[test]
fn fields_are_where_the_specification_has_them() {
    let page = Pages {
        start: 0xfedc_ba98_7654_3000,
        last: 0xfedc_ba98_7654_3fff,
    };
    let cases: [([u32; 4], Command); 9] = [
        (
            [0xfedc_ba99, 0x100f_edcb, 0x1111_2222, 0x3333_4444],
            Command::CompletionWait {
                store: Some((0x000f_edcb_fedc_ba98, 0x3333_4444_1111_2222)),
                interrupt: false,
            },
        ),
        (
            // s = 0: neither address nor data means anything; f does not either.
            [0xfedc_babe, 0x100f_edcb, 0x1111_2222, 0x3333_4444],
            Command::CompletionWait {
                store: None,
                interrupt: true,
            },
        ),
        (
            [0xabcd, 0x2000_0000, 0, 0],
            Command::InvalidateDevtabEntry { device: 0xabcd },
        ),
        (
            [0x000a_bcde, 0x3000_9876, 0x7654_3006, 0xfedc_ba98],
            Command::InvalidateIommuPages {
                domain: 0x9876,
                pasid: Some(0xa_bcde),
                pages: page,
                directories: true,
            },
        ),
        (
            [0x000a_bcde, 0x3000_9876, 0x7654_3000, 0xfedc_ba98],
            Command::InvalidateIommuPages {
                domain: 0x9876,
                pasid: None,
                pages: page,
                directories: false,
            },
        ),
        (
            [0xffbc_0300, 0x4ade_ffff, 0x7654_3034, 0xfedc_ba98],
            Command::InvalidateIotlbPages {
                device: 0x300,
                pasid: Some(0xa_bcde),
                pages: page,
            },
        ),
        (
            [0xabcd, 0x5000_0000, 0, 0],
            Command::InvalidateInterruptTable { device: 0xabcd },
        ),
        (
            [0, 0x9000_fedc, 0, 0],
            Command::InsertGuestEvent { gid: 0xfedc },
        ),
        (
            [0x9000_fedc, 0xa000_0000, 0, 0],
            Command::ResetVmmio {
                gid: 0xfedc,
                all: true,
                command: true,
            },
        ),
    ];
    for (raw, command) in cases {
        let decoded = Command::decode(raw, &everything(), &Readings::default(), Source::Host);
        assert_eq!(decoded, Ok(command), "{raw:08x?}");
    }
}

#[test]
fn worked_ranges() {
    let cases = [
        (0x1234_5000, 0x1234_4000, 0x1234_7fff),
        (0x1234_4000, 0x1234_4000, 0x1234_5fff),
        (0x1234_f000, 0x1234_0000, 0x1235_ffff),
        (0x402f_f000, 0x4020_0000, 0x403f_ffff),
        (0x7fff_f000, 0, 0xffff_ffff),
        (0x0003_ffff_ffff_f000, 0, (1 << 51) - 1),
        (0x0007_ffff_ffff_f000, 0, u64::MAX),
        (0x7fff_ffff_ffff_f000, 0, u64::MAX),
        (0xffff_ffff_ffff_f000, 0, u64::MAX),
    ];
    for (address, start, last) in cases {
        assert_eq!(
            Pages::decode(address, true),
            Pages { start, last },
            "{address:x}"
        );
    }
}

proptest! {
    /// The rule of hardware.md 3.4, bit by bit.
    #[test]
    fn a_range_follows_its_lowest_zero_bit(random in any::<u64>(), ones in 12u32..=64) {
        // Random addresses hardly ever have many ones above bit 12.
        let low = if ones == 64 { u64::MAX } else { (1 << ones) - 1 };
        let address = (random | low) & !0xfff;
        let pages = Pages::decode(address, true);
        match (12..64).find(|n| address >> n & 1 == 0) {
            Some(n) if n < 51 => {
                let size = 1u64 << (n + 1);
                prop_assert_eq!(pages.start, address / size * size);
                prop_assert_eq!(pages.last, pages.start + (size - 1));
            }
            _ => prop_assert_eq!(pages, Pages::ALL),
        }
        let one = Pages::decode(address, false);
        prop_assert_eq!((one.start, one.last), (address, address | 0xfff));
    }

    #[test]
    fn any_words_decode_to_their_opcode_or_are_refused(raw in any::<[u32; 4]>()) {
        for source in [Source::Host, Source::Guest] {
            let decoded = Command::decode(raw, &everything(), &Readings::default(), source);
            if let Ok(command) = decoded {
                prop_assert_eq!(u32::from(command.opcode()), raw[1] >> 28);
            }
        }
    }
}
