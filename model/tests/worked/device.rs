// SPDX-License-Identifier: GPL-2.0

//! Device-table entries and the GCR3 pointer in them (10.1, 10.2).

use amd_iommu_model::device_table::{DeviceEntry, IntCtl};

use crate::support::Dte;

/// Pass rights and validity of nearly every example.
fn open(domain: u16) -> Dte {
    Dte::pass(domain)
}

fn nested() -> Dte {
    Dte {
        ppr: true,
        ..Dte::guest(0x11, 0x1234_5000, 1).nested_on(0x2_0000_0000, 4)
    }
}

/// Number, fields, bits.
fn examples() -> Vec<(&'static str, Dte, [u64; 4])> {
    let interrupts = Dte {
        iv: true,
        int_ctl: 2,
        ..Dte::default()
    };
    vec![
        ("W1", Dte::blocked(), [1, 0, 0, 0]),
        (
            "W2",
            Dte {
                iv: true,
                ..Dte::blocked()
            },
            [1, 0, 1, 0],
        ),
        ("W3", open(1), [0x6000_0000_0000_0003, 1, 0, 0]),
        (
            "W4",
            Dte {
                iotlb: true,
                ..Dte::host(5, 0x1_2345_6000, 4)
            },
            [0x6000_0001_2345_6803, 0x0000_0001_0000_0005, 0, 0],
        ),
        (
            "W5",
            Dte {
                had: 3,
                ..Dte::host(0x2a, 0xf_edcb_a987_6000, 3)
            },
            [0x600f_edcb_a987_6783, 0x2a, 0, 0],
        ),
        (
            "W6",
            Dte {
                paging_mode: 1,
                ..Dte::guest(7, 0xf_edcb_a987_6000, 1)
            },
            [
                0x79c0_0000_0000_0003,
                0xfedc_b800_530e_0007,
                0x0040_0000_0000_0000,
                0,
            ],
        ),
        (
            "W7",
            nested(),
            [0x75d0_0002_0000_0803, 0x0000_0000_2468_0011, 0, 0],
        ),
        (
            "W8",
            nested().of_guest(1, 0x0108),
            [
                0x75d0_0002_0000_0803,
                0x0000_0000_2468_0011,
                0,
                0x0000_0001_0108_8000,
            ],
        ),
        (
            "W9",
            Dte::default().of_guest(0x7fff, 0xffff),
            [0, 0, 0, 0x0000_7fff_ffff_8000],
        ),
        (
            "W10",
            Dte::host(0x10, 0x2_0000_0000, 4),
            [0x6000_0002_0000_0803, 0x10, 0, 0],
        ),
        (
            "W11",
            Dte {
                iv: true,
                int_ctl: 2,
                int_tab_len: 10,
                int_table: 0x3_0001_0000,
                ..Dte::host(0x20, 0x3_0000_0000, 3)
            },
            [0x6000_0003_0000_0603, 0x20, 0x2000_0003_0001_0015, 0],
        ),
        (
            "W12",
            Dte {
                int_tab_len: 9,
                int_table: 0x3000,
                ..interrupts
            },
            [0, 0, 0x2000_0000_0000_3013, 0],
        ),
        (
            "W13",
            Dte {
                int_tab_len: 11,
                int_table: 0x4000_8000,
                pass: 5,
                ..interrupts
            },
            [0, 0, 0x2500_0000_4000_8017, 0],
        ),
    ]
}

#[test]
fn entries_have_the_bits_of_their_fields() {
    for (number, fields, words) in examples() {
        assert_eq!(fields.words(), words, "{number}");
    }
}

/// The fields that the model sees in an entry, in the form of the builder.
fn as_seen(entry: &DeviceEntry, unseen: &Dte) -> Dte {
    let passes = entry.passes();
    Dte {
        v: entry.valid(),
        tv: entry.translation_valid(),
        had: entry.had().into(),
        mode: entry.mode().into(),
        root: entry.host_root(),
        giov: entry.giov(),
        gv: entry.guest_valid(),
        glx: entry.glx().into(),
        gcr3: entry.gcr3_pointer(),
        ir: entry.read_allowed(),
        iw: entry.write_allowed(),
        domain: entry.domain(),
        iotlb: entry.iotlb(),
        se: entry.suppress_after_first(),
        sa: entry.suppress_all(),
        iv: entry.interrupts_valid(),
        int_tab_len: entry.interrupt_table_length().into(),
        ig: entry.ignore_interrupt_faults(),
        paging_mode: entry.guest_paging_mode().into(),
        pass: (0..3).filter(|&bit| passes[bit]).map(|bit| 1 << bit).sum(),
        int_ctl: match entry.int_ctl() {
            IntCtl::Abort => 0,
            IntCtl::Forward => 1,
            IntCtl::Remap => 2,
            IntCtl::Reserved => 3,
        },
        vimu: entry.viommu_enabled(),
        guest_device: entry.guest_device(),
        gid: entry.guest(),
        // The model does without the interrupt table and without PPR.
        ..*unseen
    }
}

#[test]
fn entries_are_understood() {
    for (number, fields, words) in examples() {
        assert_eq!(as_seen(&DeviceEntry(words), &fields), fields, "{number}");
    }
}

#[test]
fn the_gcr3_pointer_is_put_together_from_three_pieces() {
    // Number, pointer, what it adds to q0 and q1.
    let examples = [
        ("W14", 0x1000, 0x0400_0000_0000_0000, 0),
        ("W15", 0x7000, 0x1c00_0000_0000_0000, 0),
        ("W16", 0x8000, 0, 0x0001_0000),
        ("W17", 0x7fff_8000, 0, 0xffff_0000),
        ("W18", 0x8000_0000, 0, 0x0000_0800_0000_0000),
        (
            "W19",
            0xf_ffff_ffff_f000,
            0x1c00_0000_0000_0000,
            0xffff_f800_ffff_0000,
        ),
    ];
    for (number, pointer, q0, q1) in examples {
        assert_eq!(
            DeviceEntry([q0, q1, 0, 0]).gcr3_pointer(),
            pointer,
            "{number}"
        );
        let fields = Dte {
            gcr3: pointer,
            ..Dte::default()
        };
        assert_eq!(fields.words(), [q0, q1, 0, 0], "{number}");
        // The other bits of the entry do not leak into the pointer.
        let rest = [!0x1c00_0000_0000_0000, !0xffff_f800_ffff_0000, !0, !0];
        assert_eq!(DeviceEntry(rest).gcr3_pointer(), 0);
    }
}
