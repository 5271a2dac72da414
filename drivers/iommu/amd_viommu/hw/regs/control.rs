// SPDX-License-Identifier: GPL-2.0

//! The control register (hardware reference 2.3).

use super::Efr;

bitfield! {
    /// Control, MMIO 0018h. A bit whose feature is absent reads back 0.
    pub struct Control(u64) {
        /// IommuEn: translate; while 0 everything is forwarded untouched.
        0:0 iommu_en, with_iommu_en: bool;
        /// HtTunEn: translate HyperTransport tunnel traffic.
        1:1 ht_tun_en, with_ht_tun_en: bool;
        /// EventLogEn: log events.
        2:2 event_log_en, with_event_log_en: bool;
        /// EventIntEn: interrupt when an event has been logged or lost.
        3:3 event_int_en, with_event_int_en: bool;
        /// ComWaitIntEn: interrupt when a COMPLETION_WAIT asks for it.
        4:4 com_wait_int_en, with_com_wait_int_en: bool;
        /// InvTimeOut: how long a device may take to answer an invalidation, see
        /// [`Control::INV_TIMEOUT_1S`].
        7:5 inv_timeout, with_inv_timeout: u8;
        /// PassPW: pass posted writes.
        8:8 pass_pw, with_pass_pw: bool;
        /// ResPassPW: let responses pass posted writes.
        9:9 res_pass_pw, with_res_pass_pw: bool;
        /// Coherent: the hardware's own table reads snoop the caches.
        10:10 coherent, with_coherent: bool;
        /// Isoc: the hardware's own table reads are isochronous.
        11:11 isoc, with_isoc: bool;
        /// CmdBufEn: fetch commands.
        12:12 cmd_buf_en, with_cmd_buf_en: bool;
        /// PPRLogEn: log peripheral page requests.
        13:13 ppr_log_en, with_ppr_log_en: bool;
        /// PprIntEn: interrupt when a page request has been logged.
        14:14 ppr_int_en, with_ppr_int_en: bool;
        /// PPREn: accept peripheral page requests.
        15:15 ppr_en, with_ppr_en: bool;
        /// GTEn: guest (v2) translation.
        16:16 gt_en, with_gt_en: bool;
        /// GAEn: guest virtual APIC, with 128-bit interrupt entries.
        17:17 ga_en, with_ga_en: bool;
        /// CRW: cache attributes of guest table reads.
        21:18 crw, with_crw: u8;
        /// SmiFEn: filter system management interrupts.
        22:22 smif_en, with_smif_en: bool;
        /// SlfWBdis: no self write-back.
        23:23 slf_wb_dis, with_slf_wb_dis: bool;
        /// SmiFLogEn: log filtered system management interrupts.
        24:24 smif_log_en, with_smif_log_en: bool;
        /// GAMEn: guest APIC mode.
        27:25 gam_en, with_gam_en: u8;
        /// GALogEn: log guest APIC events.
        28:28 ga_log_en, with_ga_log_en: bool;
        /// GAIntEn: interrupt when a guest APIC event has been logged.
        29:29 ga_int_en, with_ga_int_en: bool;
        /// DualPprLogEn: use of the second page request log.
        31:30 dual_ppr_log_en, with_dual_ppr_log_en: u8;
        /// DualEventLogEn: use of the second event log.
        33:32 dual_event_log_en, with_dual_event_log_en: u8;
        /// DevTblSegEn: number of device table segments, as a power of two.
        36:34 dev_tbl_seg_en, with_dev_tbl_seg_en: u8;
        /// PrivAbrtEn: abort privileged requests.
        38:37 priv_abrt_en, with_priv_abrt_en: u8;
        /// PprAutoRspEn: answer page requests automatically on overflow.
        39:39 ppr_auto_rsp_en, with_ppr_auto_rsp_en: bool;
        /// MarcEn: memory access routing and control.
        40:40 marc_en, with_marc_en: bool;
        /// BlkStopMrkEn: block stop marks.
        41:41 blk_stop_mrk_en, with_blk_stop_mrk_en: bool;
        /// PprAutoRspAon: answer page requests automatically always (OQ-4).
        42:42 ppr_auto_rsp_aon, with_ppr_auto_rsp_aon: bool;
        /// NumIntRemapMode: 1 for tables of 2048 interrupts.
        44:43 num_int_remap_mode, with_num_int_remap_mode: u8;
        /// EPHEn: enhanced page request handling.
        45:45 eph_en, with_eph_en: bool;
        /// HADUpdate: accessed and dirty bits in host tables.
        47:46 had_update, with_had_update: u8;
        /// GDUpdateDis: no dirty bits in guest tables.
        48:48 gd_update_dis, with_gd_update_dis: bool;
        /// XTEn: x2APIC destinations.
        50:50 xt_en, with_xt_en: bool;
        /// IntCapXTEn: the IOMMU's own interrupts come from registers, not from MSI.
        51:51 int_cap_xt_en, with_int_cap_xt_en: bool;
        /// vCmdEn: process the command buffers of guests.
        52:52 v_cmd_en, with_v_cmd_en: bool;
        /// vIommuEn: HW-vIOMMU.
        53:53 v_iommu_en, with_v_iommu_en: bool;
        /// GAUpdateDis: no accessed bits in guest tables.
        54:54 ga_update_dis, with_ga_update_dis: bool;
        /// GAPPIEn: guest APIC physical processor interrupt.
        55:55 gappi_en, with_gappi_en: bool;
        /// TMPMEn: tiered memory page migration.
        56:56 tmpm_en, with_tmpm_en: bool;
        /// GCR3TRPMode: the guest table pointer of a DTE is a guest physical address.
        58:58 gcr3_trp_mode, with_gcr3_trp_mode: bool;
        /// IRTCacheDis: interrupt entries are not cached.
        59:59 irt_cache_dis, with_irt_cache_dis: bool;
        /// GstBufferTRPMode: guest buffers are found by guest physical address.
        60:60 gst_buffer_trp_mode, with_gst_buffer_trp_mode: bool;
        /// SNPAVICEn: guest APIC under SNP.
        63:61 snp_avic_en, with_snp_avic_en: u8;
    }
}

impl Control {
    /// The [`Control::inv_timeout`] of one second.
    pub const INV_TIMEOUT_1S: u8 = 4;

    /// Bits 12:0: engines, logs and their interrupts, without those of optional features.
    const BASIC: u64 = 0x1FFF;

    /// What remains of the register if a guest writes it that is shown the features `shown`. Bits of
    /// what a guest does not have read back as 0, as those of absent features do.
    #[must_use]
    pub fn kept_for_guest(self, shown: Efr) -> Self {
        Self(self.0 & Self::BASIC).with_gt_en(self.gt_en() && shown.gt_sup())
    }

    /// The same register with every engine, log and interrupt off, the way it must be before a base
    /// register changes and before the hardware is given up (hardware reference 3.8, step 1).
    #[must_use]
    pub fn quiesced(self) -> Self {
        self.with_iommu_en(false)
            .with_event_log_en(false)
            .with_event_int_en(false)
            .with_com_wait_int_en(false)
            .with_cmd_buf_en(false)
            .with_ppr_log_en(false)
            .with_ppr_int_en(false)
            .with_ppr_en(false)
            .with_ga_log_en(false)
            .with_ga_int_en(false)
            .with_v_cmd_en(false)
            .with_v_iommu_en(false)
            .with_irt_cache_dis(false)
    }
}
