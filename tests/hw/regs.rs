// SPDX-License-Identifier: GPL-2.0

use hw::regs::{self, Control, DevTabBase, Efr, RingBase, Status};

/// Hardware reference 2.3.
#[test]
fn control_fields_are_where_the_reference_says() {
    let covered = check_fields! { Control(u64):
        0:0 iommu_en with_iommu_en;
        1:1 ht_tun_en with_ht_tun_en;
        2:2 event_log_en with_event_log_en;
        3:3 event_int_en with_event_int_en;
        4:4 com_wait_int_en with_com_wait_int_en;
        7:5 inv_timeout with_inv_timeout;
        8:8 pass_pw with_pass_pw;
        9:9 res_pass_pw with_res_pass_pw;
        10:10 coherent with_coherent;
        11:11 isoc with_isoc;
        12:12 cmd_buf_en with_cmd_buf_en;
        13:13 ppr_log_en with_ppr_log_en;
        14:14 ppr_int_en with_ppr_int_en;
        15:15 ppr_en with_ppr_en;
        16:16 gt_en with_gt_en;
        17:17 ga_en with_ga_en;
        21:18 crw with_crw;
        22:22 smif_en with_smif_en;
        23:23 slf_wb_dis with_slf_wb_dis;
        24:24 smif_log_en with_smif_log_en;
        27:25 gam_en with_gam_en;
        28:28 ga_log_en with_ga_log_en;
        29:29 ga_int_en with_ga_int_en;
        31:30 dual_ppr_log_en with_dual_ppr_log_en;
        33:32 dual_event_log_en with_dual_event_log_en;
        36:34 dev_tbl_seg_en with_dev_tbl_seg_en;
        38:37 priv_abrt_en with_priv_abrt_en;
        39:39 ppr_auto_rsp_en with_ppr_auto_rsp_en;
        40:40 marc_en with_marc_en;
        41:41 blk_stop_mrk_en with_blk_stop_mrk_en;
        42:42 ppr_auto_rsp_aon with_ppr_auto_rsp_aon;
        44:43 num_int_remap_mode with_num_int_remap_mode;
        45:45 eph_en with_eph_en;
        47:46 had_update with_had_update;
        48:48 gd_update_dis with_gd_update_dis;
        50:50 xt_en with_xt_en;
        51:51 int_cap_xt_en with_int_cap_xt_en;
        52:52 v_cmd_en with_v_cmd_en;
        53:53 v_iommu_en with_v_iommu_en;
        54:54 ga_update_dis with_ga_update_dis;
        55:55 gappi_en with_gappi_en;
        56:56 tmpm_en with_tmpm_en;
        58:58 gcr3_trp_mode with_gcr3_trp_mode;
        59:59 irt_cache_dis with_irt_cache_dis;
        60:60 gst_buffer_trp_mode with_gst_buffer_trp_mode;
        63:61 snp_avic_en with_snp_avic_en;
    };
    // Bits 49 and 57 have no name.
    assert_eq!(covered, [0xFDFD_FFFF_FFFF_FFFF]);
}

#[test]
fn w20_w21_device_table_base() {
    assert_eq!(
        DevTabBase::new(0x1_0000_0000, 2 << 20).unwrap().0,
        0x0000_0001_0000_01FF
    );
    assert_eq!(
        DevTabBase::new(0x1_0000_0000, 8 << 10).unwrap().0,
        0x0000_0001_0000_0001
    );
}

#[test]
fn w22_to_w24_ring_base() {
    for (bytes, expected) in [
        (4 << 10, 0x0800_0001_0400_0000),
        (8 << 10, 0x0900_0001_0400_0000),
        (512 << 10, 0x0F00_0001_0400_0000),
    ] {
        let base = RingBase::new(0x1_0400_0000, bytes).unwrap();
        assert_eq!(base.0, expected);
        assert_eq!((base.address(), base.bytes()), (0x1_0400_0000, bytes));
    }
}

#[test]
fn bases_refuse_what_they_cannot_hold() {
    for phys in [1, 0x800, 1 << 52, u64::MAX] {
        assert_eq!(DevTabBase::new(phys, 4096), None, "{phys:#x}");
        assert_eq!(RingBase::new(phys, 4096), None, "{phys:#x}");
    }
    for bytes in [0, 1, 4095, 4097, (2 << 20) + 4096, usize::MAX] {
        assert_eq!(DevTabBase::new(0, bytes), None, "{bytes:#x}");
    }
    for bytes in [0, 16, 2048, 4097, 12 << 10, 1 << 20, usize::MAX] {
        assert_eq!(RingBase::new(0, bytes), None, "{bytes:#x}");
    }
}

#[test]
fn bases_hold_the_encryption_bit() {
    for c_bit in [1 << 47, 1 << 51] {
        let phys = 0x1234_5000 | c_bit;
        assert_eq!(DevTabBase::new(phys, 4096).unwrap().address(), phys);
        assert_eq!(RingBase::new(phys, 4096).unwrap().address(), phys);
    }
}

#[test]
fn a_table_has_an_entry_for_every_device_id() {
    assert_eq!(DevTabBase::bytes_for(0), 4096);
    assert_eq!(DevTabBase::bytes_for(127), 4096);
    assert_eq!(DevTabBase::bytes_for(128), 8192);
    assert_eq!(DevTabBase::bytes_for(u16::MAX), DevTabBase::MAX_BYTES);

    for max_devid in 0..=u16::MAX {
        let base = DevTabBase::new(0, DevTabBase::bytes_for(max_devid)).unwrap();
        assert!(base.bytes() >= (usize::from(max_devid) + 1) * 32);
    }
}

#[test]
fn w25_w26_control() {
    let base = Control::default()
        .with_iommu_en(true)
        .with_event_log_en(true)
        .with_event_int_en(true)
        .with_inv_timeout(Control::INV_TIMEOUT_1S)
        .with_coherent(true)
        .with_cmd_buf_en(true)
        .with_ppr_log_en(true)
        .with_ppr_int_en(true)
        .with_ppr_en(true)
        .with_gt_en(true)
        .with_ga_en(true);
    assert_eq!(base.0, 0x0000_0000_0003_F48D);

    let guests = base
        .with_gcr3_trp_mode(true)
        .with_gst_buffer_trp_mode(true)
        .with_v_cmd_en(true)
        .with_v_iommu_en(true);
    assert_eq!(guests.0, 0x1430_0000_0003_F48D);
}

#[test]
fn quiesced_stops_every_engine_and_keeps_the_rest() {
    // Bits 0, 2, 3, 4, 12, 13, 14, 15, 28, 29, 52, 53, 59.
    let engines = 0x0830_0000_3000_F01D;

    assert_eq!(Control(u64::MAX).quiesced().0, !engines);
    assert_eq!(Control(0).quiesced().0, 0);
}

#[test]
fn w27_features() {
    let efr = Efr(0x0005_000F_0000_5096);

    assert!(efr.ppr_sup() && efr.xt_sup() && efr.gt_sup() && efr.ga_sup() && efr.eph_sup());
    assert!(!efr.pref_sup() && !efr.ia_sup() && !efr.he_sup() && !efr.pc_sup());
    assert!(!efr.v_iommu_sup() && !efr.snp_sup());
    assert_eq!(regs::host_levels(efr), Some(4));
}

#[test]
fn host_levels_follow_hats() {
    let levels = [0, 1, 2, 3].map(|hats| regs::host_levels(Efr(0).with_hats(hats)));

    assert_eq!(levels, [Some(4), Some(5), Some(6), None]);
    assert_eq!(regs::host_levels(Efr(0x800)), Some(6));
}

/// W27 and what only guests need.
#[test]
fn w27_guest_features() {
    let efr = Efr(0x0005_000F_0000_5096);
    assert_eq!((efr.gats(), efr.glx_sup(), efr.pas_max()), (1, 1, 0xF));
    assert!(efr.gio_sup());

    let covered = check_fields! { Efr(u64):
        4:4 gt_sup with_gt_sup;
        11:10 hats with_hats;
        13:12 gats with_gats;
        15:14 glx_sup with_glx_sup;
        36:32 pas_max with_pas_max;
        48:48 gio_sup with_gio_sup;
    };
    assert_eq!(covered, [0x0001_001F_0000_FC10]);
}

/// Hardware reference 3.1: address 51:12; Size 8:0; length code 59:56.
#[test]
fn bases_drop_the_bits_that_they_do_not_have() {
    let all = u64::MAX;
    assert_eq!(DevTabBase(all).legal().0, 0x000F_FFFF_FFFF_F1FF);
    assert_eq!(RingBase(all).legal().0, 0x0F0F_FFFF_FFFF_F000);

    for code in 0..16 {
        let base = RingBase(0).with_len_code(code);
        assert_eq!(base.has_length(), code >= 8);
        assert_eq!(base.legal(), base);
    }
}

/// What hardware does with a write (hardware reference 3.1).
fn write_status(value: u64, write: u64) -> u64 {
    value & !(write & Status::W1C)
}

#[test]
fn w28_w29_status() {
    let status = Status(0x1A);
    assert!(status.event_log_int() && status.event_log_run() && status.cmd_buf_run());
    assert_eq!(write_status(status.0, Status::EVENT_LOG_INT), 0x18);

    let status = Status(0x13);
    assert!(status.event_overflow() && status.event_log_int() && !status.event_log_run());
    let both = Status::EVENT_OVERFLOW | Status::EVENT_LOG_INT;
    assert_eq!(write_status(status.0, both), 0x10);
    assert_eq!(both | Status::COM_WAIT_INT, 7);
    assert_eq!(Status::EVENT_LOG_RUN | Status::CMD_BUF_RUN, 0x18);
}

#[test]
fn running_sees_each_run_bit() {
    let run = 0b1_1001_1000u64;

    for bit in 0..64 {
        assert_eq!(
            Status(1 << bit).running(),
            (run >> bit) & 1 != 0,
            "bit {bit}"
        );
    }
}

#[test]
fn named_registers_are_aligned_sorted_and_inside_the_window() {
    assert!(regs::NAMED.iter().all(|(_, offset)| offset % 8 == 0));
    assert!(regs::NAMED
        .iter()
        .all(|(_, offset)| offset + 8 <= regs::MMIO_LEN));
    assert!(regs::NAMED.windows(2).all(|pair| pair[0].1 < pair[1].1));
}
