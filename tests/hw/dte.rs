// SPDX-License-Identifier: GPL-2.0

use hw::dte::{Dte, GuestEntry, GuestIds, GuestTable, HostPolicy, HostRoot, Translation};

/// The entries W1 to W13.
pub const WORKED: [Dte; 13] = [
    Dte([0x1, 0, 0, 0]),
    Dte([0x1, 0, 0x1, 0]),
    Dte([0x6000_0000_0000_0003, 0x1, 0, 0]),
    Dte([0x6000_0001_2345_6803, 0x0000_0001_0000_0005, 0, 0]),
    Dte([0x600F_EDCB_A987_6783, 0x2A, 0, 0]),
    Dte([
        0x79C0_0000_0000_0003,
        0xFEDC_B800_530E_0007,
        0x0040_0000_0000_0000,
        0,
    ]),
    Dte([0x75D0_0002_0000_0803, 0x0000_0000_2468_0011, 0, 0]),
    Dte([
        0x75D0_0002_0000_0803,
        0x0000_0000_2468_0011,
        0,
        0x0000_0001_0108_8000,
    ]),
    Dte([0, 0, 0, 0x0000_7FFF_FFFF_8000]),
    Dte([0x6000_0002_0000_0803, 0x10, 0, 0]),
    Dte([0x6000_0003_0000_0603, 0x20, 0x2000_0003_0001_0015, 0]),
    Dte([0, 0, 0x2000_0000_0000_3013, 0]),
    Dte([0x0, 0, 0x2500_0000_4000_8017, 0]),
];

const NO_POLICY: HostPolicy = HostPolicy(0);

fn v1(phys: u64, levels: u8, domain_id: u16) -> Dte {
    let root = HostRoot::new(phys, levels).unwrap();

    Dte::compose(NO_POLICY, Translation::V1 { domain_id, root })
}

const ROOT: u64 = 0x2_0000_0000;

/// A device of guest 1, which knows it as 01:01.0, over the domain 10h.
pub fn guest(setting: u8, entry: GuestEntry) -> Dte {
    let translation = Translation::Guest {
        ids: GuestIds {
            guest_id: 1,
            device_id: 0x108,
        },
        domain_id: 0x10,
        root: HostRoot::new(ROOT, 4).unwrap(),
        entry,
    };
    Dte::compose(HostPolicy(setting), translation)
}

/// A guest's entry over the GCR3 table at `gcr3`.
fn nested(gcr3: u64, glx: u8, giov: bool, five_levels: bool) -> GuestEntry {
    GuestEntry::Nested {
        domain_id: 0x11,
        ir: true,
        iw: true,
        table: GuestTable::new(gcr3, glx, giov, five_levels).unwrap(),
    }
}

/// Splits a guest table pointer over its three fields (W14 to W19).
fn with_gcr3(dte: Dte, phys: u64) -> Dte {
    dte.with_gcr3_14_12((phys >> 12) as u8)
        .with_gcr3_30_15((phys >> 15) as u16)
        .with_gcr3_51_31((phys >> 31) as u32)
}

#[test]
fn w1_w3_w10_are_composed() {
    assert_eq!(Dte::compose(NO_POLICY, Translation::Blocked), WORKED[0]);
    assert_eq!(
        Dte::compose(NO_POLICY, Translation::PassThrough { domain_id: 1 }),
        WORKED[2]
    );
    assert_eq!(v1(0x2_0000_0000, 4, 0x10), WORKED[9]);
}

#[test]
fn w4_w5_host_tables() {
    assert_eq!(v1(0x1_2345_6000, 4, 5).with_iotlb(true), WORKED[3]);
    assert_eq!(v1(0xF_EDCB_A987_6000, 3, 0x2A).with_had(3), WORKED[4]);
}

#[test]
fn w6_to_w9_guest_tables() {
    let v2 = with_gcr3(
        Dte::compose(NO_POLICY, Translation::PassThrough { domain_id: 7 }),
        0xF_EDCB_A987_6000,
    )
    .with_gv(true)
    .with_glx(1)
    .with_giov(true)
    .with_guest_paging_mode(1);
    assert_eq!(v2, WORKED[5]);

    let nested = with_gcr3(v1(0x2_0000_0000, 4, 0x11), 0x1234_5000)
        .with_gv(true)
        .with_glx(1)
        .with_giov(true)
        .with_ppr(true);
    assert_eq!(nested, WORKED[6]);

    let guest = nested
        .with_v_imu_en(true)
        .with_g_device_id(0x108)
        .with_guest_id(1);
    assert_eq!(guest, WORKED[7]);

    let q3 = Dte::default()
        .with_v_imu_en(true)
        .with_g_device_id(0xFFFF)
        .with_guest_id(0x7FFF);
    assert_eq!(q3, WORKED[8]);
}

/// W8, but for page requests, which no guest may make.
#[test]
fn w8_is_composed() {
    assert_eq!(
        guest(0, nested(0x1234_5000, 1, true, false)),
        WORKED[7].with_ppr(false)
    );
}

#[test]
fn w14_to_w19_the_pointer_is_split() {
    let entry = |gcr3| guest(0, nested(gcr3, 0, false, false));
    let none = entry(0);

    for (gcr3, q0, q1) in [
        (0x1000, 0x0400_0000_0000_0000, 0),
        (0x7000, 0x1C00_0000_0000_0000, 0),
        (0x8000, 0, 0x1_0000),
        (0x7FFF_8000, 0, 0xFFFF_0000),
        (0x8000_0000, 0, 0x0800_0000_0000),
        (
            0xF_FFFF_FFFF_F000,
            0x1C00_0000_0000_0000,
            0xFFFF_F800_FFFF_0000,
        ),
    ] {
        let mut expected = none;
        expected.0[0] |= q0;
        expected.0[1] |= q1;
        assert_eq!(entry(gcr3), expected, "{gcr3:#x}");
    }
}

#[test]
fn each_part_of_a_guest_table_has_its_field() {
    let plain = guest(0, nested(0x1000, 0, false, false));

    assert!(plain.gv());
    assert_eq!(
        guest(0, nested(0x1000, 0, true, false)),
        plain.with_giov(true)
    );
    for glx in 0..=2 {
        let entry = guest(0, nested(0x1000, glx, false, false));
        assert_eq!(entry, plain.with_glx(glx));
    }
    assert_eq!(
        guest(0, nested(0x1000, 0, false, true)),
        plain.with_guest_paging_mode(1)
    );
}

#[test]
fn a_guest_table_that_does_not_fit_is_refused() {
    for gcr3 in [1, 0x800, 1 << 52, u64::MAX] {
        assert_eq!(GuestTable::new(gcr3, 0, true, false), None, "{gcr3:#x}");
    }
    for glx in [3, 4, 255] {
        assert_eq!(GuestTable::new(0x1000, glx, true, false), None, "{glx}");
    }
}

/// The device of a guest is marked, whatever its entry does.
#[test]
fn what_is_not_nested_is_the_hosts_entry_with_a_mark() {
    let mark = |dte: Dte| {
        dte.with_v_imu_en(true)
            .with_g_device_id(0x108)
            .with_guest_id(1)
    };
    assert_eq!(guest(0, GuestEntry::Stage2), mark(v1(ROOT, 4, 0x10)));
    assert_eq!(guest(0, GuestEntry::Blocked), mark(WORKED[0]));

    for (ir, iw) in [(true, true), (true, false), (false, true), (false, false)] {
        let identity = GuestEntry::Identity {
            domain_id: 0x11,
            ir,
            iw,
        };
        let expected = v1(ROOT, 4, 0x11).with_ir(ir).with_iw(iw);
        assert_eq!(guest(0, identity), mark(expected));
    }
}

#[test]
fn a_guest_gives_and_takes_permissions() {
    for (ir, iw) in [(true, false), (false, true), (false, false)] {
        let table = GuestTable::new(0x1000, 0, true, false).unwrap();
        let entry = GuestEntry::Nested {
            domain_id: 0x11,
            ir,
            iw,
            table,
        };
        let dte = guest(0, entry);
        assert_eq!((dte.ir(), dte.iw(), dte.domain_id()), (ir, iw, 0x11));
    }
}

/// Nothing that a guest can ask for is an address of the host: but for a blocked device there is the
/// host's table.
#[test]
fn a_guest_never_gets_past_the_hosts_table() {
    let table = GuestTable::new(0xF_FFFF_FFFF_F000, 2, true, true).unwrap();
    for entry in [
        GuestEntry::Stage2,
        GuestEntry::Identity {
            domain_id: 0,
            ir: true,
            iw: true,
        },
        GuestEntry::Nested {
            domain_id: 0xFFFF,
            ir: true,
            iw: true,
            table,
        },
    ] {
        let dte = guest(0xFF, entry);
        assert!(dte.v() && dte.tv());
        assert_eq!((dte.mode(), dte.host_trp()), (4, ROOT >> 12));
        assert!(!dte.ppr() && !dte.iotlb() && !dte.iv());
    }
    assert!(guest(0xFF, GuestEntry::Blocked).blocks());
}

#[test]
fn w2_w11_to_w13_interrupt_half() {
    let interrupts = |dte: Dte, table: u64, len: u8| {
        dte.with_iv(true)
            .with_int_ctl(2)
            .with_int_trp(table >> 6)
            .with_int_tab_len(len)
    };

    assert_eq!(WORKED[0].with_iv(true), WORKED[1]);
    assert_eq!(
        interrupts(v1(0x3_0000_0000, 3, 0x20), 0x3_0001_0000, 10),
        WORKED[10]
    );
    assert_eq!(interrupts(Dte::default(), 0x3000, 9), WORKED[11]);
    let pass = interrupts(Dte::default(), 0x4000_8000, 11)
        .with_nmi_pass(true)
        .with_init_pass(true);
    assert_eq!(pass, WORKED[12]);
}

/// Hardware reference 3.3.
#[test]
fn fields_are_where_the_reference_says() {
    let covered = check_fields! { Dte([u64; 4]):
        0 0:0 v with_v;
        0 1:1 tv with_tv;
        0 8:7 had with_had;
        0 11:9 mode with_mode;
        0 51:12 host_trp with_host_trp;
        0 52:52 ppr with_ppr;
        0 54:54 giov with_giov;
        0 55:55 gv with_gv;
        0 57:56 glx with_glx;
        0 60:58 gcr3_14_12 with_gcr3_14_12;
        0 61:61 ir with_ir;
        0 62:62 iw with_iw;
        1 15:0 domain_id with_domain_id;
        1 31:16 gcr3_30_15 with_gcr3_30_15;
        1 32:32 iotlb with_iotlb;
        1 34:34 sa with_sa;
        1 41:40 sys_mgt with_sys_mgt;
        1 63:43 gcr3_51_31 with_gcr3_51_31;
        2 0:0 iv with_iv;
        2 4:1 int_tab_len with_int_tab_len;
        2 5:5 ig with_ig;
        2 51:6 int_trp with_int_trp;
        2 55:54 guest_paging_mode with_guest_paging_mode;
        2 56:56 init_pass with_init_pass;
        2 57:57 eint_pass with_eint_pass;
        2 58:58 nmi_pass with_nmi_pass;
        2 61:60 int_ctl with_int_ctl;
        2 62:62 lint0_pass with_lint0_pass;
        2 63:63 lint1_pass with_lint1_pass;
        3 15:15 v_imu_en with_v_imu_en;
        3 31:16 g_device_id with_g_device_id;
        3 47:32 guest_id with_guest_id;
    };
    // None is reserved (hardware reference 3.3, masks of legal bits).
    let reserved = [
        !0x7FFF_FFFF_FFFF_FF83,
        0,
        !0xFFCF_FFFF_FFFF_FFFF,
        !0xFFE0_FFFF_FFFF_8000,
    ];
    for (word, mask) in reserved.into_iter().enumerate() {
        assert_eq!(covered[word] & mask, 0, "q{word}");
    }
}

#[test]
fn a_root_holds_the_encryption_bit() {
    for c_bit in [1 << 47, 1 << 51] {
        let dte = v1(0x1234_5000 | c_bit, 4, 1);
        assert_eq!(dte.host_trp() << 12, 0x1234_5000 | c_bit);
        assert!(!dte.ppr() && !dte.gv() && !dte.giov());
    }
}

#[test]
fn a_root_that_does_not_fit_is_refused() {
    for phys in [1, 0x800, 1 << 52, u64::MAX] {
        assert_eq!(HostRoot::new(phys, 4), None, "{phys:#x}");
    }
    for levels in [0, 7, 8, 255] {
        assert_eq!(HostRoot::new(0x1000, levels), None, "{levels}");
    }
    assert!((1..=6).all(|levels| HostRoot::new(0x1000, levels).is_some()));
}

/// Each bit of the setting byte, and the bit of the entry that it becomes.
#[test]
fn every_setting_reaches_the_entry() {
    let root = HostRoot::new(0x1000, 4).unwrap();
    let translations = [
        Translation::Blocked,
        Translation::PassThrough { domain_id: 3 },
        Translation::V1 { domain_id: 3, root },
        Translation::Guest {
            ids: GuestIds {
                guest_id: 1,
                device_id: 2,
            },
            domain_id: 3,
            root,
            entry: nested(0x1000, 0, true, false),
        },
    ];

    for translation in translations {
        let plain = Dte::compose(NO_POLICY, translation);
        for (bit, word, to) in [
            (0, 2, 56),
            (1, 2, 57),
            (2, 2, 58),
            (5, 1, 41),
            (6, 2, 62),
            (7, 2, 63),
        ] {
            let mut expected = plain;
            expected.0[word] |= 1 << to;
            assert_eq!(
                Dte::compose(HostPolicy(1 << bit), translation),
                expected,
                "bit {bit}"
            );
        }
        assert_eq!(Dte::compose(HostPolicy(1 << 3), translation), plain);
    }
}

/// Forwarding of system management requests needs IW, and only that value of SysMgt does (erratum
/// 63).
#[test]
fn erratum_63_sets_iw() {
    for (sys_mgt, iw) in [(0, false), (1, true), (2, false), (3, false)] {
        let dte = Dte::compose(HostPolicy(sys_mgt << 4), Translation::Blocked);

        assert_eq!(dte.sys_mgt(), sys_mgt);
        assert_eq!(dte.iw(), iw);
        assert!(dte.blocks(), "the erratum opens nothing");
    }
}

/// W175: the setting D7h.
#[test]
fn w175_setting() {
    let dte = Dte::compose(HostPolicy(0xD7), Translation::Blocked);

    assert!(dte.init_pass() && dte.eint_pass() && dte.nmi_pass());
    assert!(dte.lint0_pass() && dte.lint1_pass());
    assert_eq!(dte.sys_mgt(), 1);
}

/// A table belongs to the device, not to what it is attached to.
#[test]
fn composing_forwards_interrupts() {
    for setting in 0..=255 {
        assert!(!Dte::compose(HostPolicy(setting), Translation::Blocked).iv());
    }
}

#[test]
fn halves_make_the_entry_again() {
    for dte in WORKED {
        assert_eq!(Dte::from_halves(dte.low(), dte.high()), dte);
        assert_eq!(dte.low() as u64, dte.0[0]);
        assert_eq!((dte.high() >> 64) as u64, dte.0[3]);
    }
}

#[test]
fn only_valid_entries_without_translation_block() {
    let blocking: Vec<bool> = WORKED.iter().map(|dte| dte.blocks()).collect();

    assert_eq!(blocking.iter().filter(|blocks| **blocks).count(), 2);
    assert!(blocking[0] && blocking[1]);
}
