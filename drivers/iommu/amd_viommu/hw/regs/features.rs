// SPDX-License-Identifier: GPL-2.0

//! The two feature registers (hardware reference 2.1 and 2.2).

bitfield! {
    /// Extended features, MMIO 0030h, also in an IVHD of type 11h or 40h.
    pub struct Efr(u64) {
        /// PreFSup: PREFETCH_IOMMU_PAGES.
        0:0 pref_sup: bool;
        /// PPRSup: peripheral page requests.
        1:1 ppr_sup: bool;
        /// XTSup: x2APIC.
        2:2 xt_sup: bool;
        /// NXSup: no-execute and privilege bits.
        3:3 nx_sup: bool;
        /// GTSup: guest (v2) translation.
        4:4 gt_sup, with_gt_sup: bool;
        /// IASup: INVALIDATE_IOMMU_ALL.
        6:6 ia_sup: bool;
        /// GASup: guest virtual APIC.
        7:7 ga_sup, with_ga_sup: bool;
        /// HESup: hardware error registers.
        8:8 he_sup: bool;
        /// PCSup: performance counters.
        9:9 pc_sup: bool;
        /// HATS: how many levels a host table may have, see [`host_levels`].
        11:10 hats, with_hats: u8;
        /// GATS: 0 for guest tables of up to four levels, 1 for five.
        13:12 gats, with_gats: u8;
        /// GLXSup: how many levels a GCR3 table may have, minus one.
        15:14 glx_sup, with_glx_sup: u8;
        /// PASmax: width of PASIDs, minus one.
        36:32 pas_max, with_pas_max: u8;
        /// DevTblSegSup: number of device table segments, as a power of two.
        39:38 dev_tbl_seg_sup: u8;
        /// GIoSup: requests without PASID may use a guest table.
        48:48 gio_sup, with_gio_sup: bool;
        /// EPHSup: enhanced page request handling.
        50:50 eph_sup: bool;
        /// vIommuSup: HW-vIOMMU.
        55:55 v_iommu_sup: bool;
        /// SNPSup: secure nested paging.
        63:63 snp_sup: bool;
    }
}

bitfield! {
    /// Second register of extended features, MMIO 01A0h, also in an IVHD of type 11h or 40h.
    pub struct Efr2(u64) {
        /// GCR3TRPMode: the guest table pointer of a DTE may be a guest physical address.
        3:3 gcr3_trp_mode: bool;
        /// HTRangeIgnore: the HyperTransport range is ordinary address space.
        11:11 ht_range_ignore: bool;
    }
}

/// The most levels a host (v1) table may have, 4 to 6, or `None` for the reserved value: such
/// hardware does not translate with host tables at all.
pub fn host_levels(efr: Efr) -> Option<u8> {
    match efr.hats() {
        levels @ 0..=2 => Some(levels + 4),
        _ => None,
    }
}
