// SPDX-License-Identifier: GPL-2.0

use hw::dte::{Dte, HostPolicy, HostRoot, Translation};

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
        1 41:40 sys_mgt with_sys_mgt;
        1 63:43 gcr3_51_31 with_gcr3_51_31;
        2 0:0 iv with_iv;
        2 4:1 int_tab_len with_int_tab_len;
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

#[test]
fn interrupts_are_never_remapped() {
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
