// SPDX-License-Identifier: GPL-2.0

//! The device table entry, and the one function that composes it (hardware reference 3.3).
//!
//! What a device may do has several sources: firmware's flags, the domain it is attached to, the
//! guest that has it, and its interrupt table. [`Dte::compose`] merges all but the last, which has a
//! life of its own and is put in by [`Dte::with_interrupts`]. Nothing else makes an entry for a
//! device, and [`crate::sequence`] is the only way to bring one into the table.

mod guest;
mod interrupts;
mod policy;

pub use guest::{GuestEntry, GuestIds, GuestTable};
pub use policy::HostPolicy;

/// Bits 51:12 of an address. The memory encryption bit (47 or 51) lies inside.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

bitfield! {
    /// A device table entry, `q0` to `q3`.
    pub struct Dte([u64; 4]) {
        /// V: the entry is valid. While 0, requests are forwarded untranslated.
        0 0:0 v, with_v: bool;
        /// TV: the translation fields are valid. V without TV blocks every request.
        0 1:1 tv, with_tv: bool;
        /// HAD: update of accessed and dirty bits in the host table.
        0 8:7 had, with_had: u8;
        /// Mode: levels of the host table, 0 for none.
        0 11:9 mode, with_mode: u8;
        /// HostTRP: root of the host table, address bits 51:12.
        0 51:12 host_trp, with_host_trp: u64;
        /// PPR: the device may send page requests.
        0 52:52 ppr, with_ppr: bool;
        /// GIOV: requests without PASID use the guest table of PASID 0.
        0 54:54 giov, with_giov: bool;
        /// GV: guest translation is valid.
        0 55:55 gv, with_gv: bool;
        /// GLX: levels of the GCR3 table, minus one.
        0 57:56 glx, with_glx: u8;
        /// GCR3 TRP, address bits 14:12.
        0 60:58 gcr3_14_12, with_gcr3_14_12: u8;
        /// IR: the device may read.
        0 61:61 ir, with_ir: bool;
        /// IW: the device may write.
        0 62:62 iw, with_iw: bool;
        /// DomainID: the tag of cached translations.
        1 15:0 domain_id, with_domain_id: u16;
        /// GCR3 TRP, address bits 30:15.
        1 31:16 gcr3_30_15, with_gcr3_30_15: u16;
        /// I: the device may cache translations (ATS).
        1 32:32 iotlb, with_iotlb: bool;
        /// SA: faults of memory requests are not reported.
        1 34:34 sa, with_sa: bool;
        /// SysMgt: what happens to system management requests.
        1 41:40 sys_mgt, with_sys_mgt: u8;
        /// GCR3 TRP, address bits 51:31.
        1 63:43 gcr3_51_31, with_gcr3_51_31: u32;
        /// IV: the interrupt fields are valid. While 0, interrupts are forwarded.
        2 0:0 iv, with_iv: bool;
        /// IntTabLen: the interrupt table has 2 to this power entries.
        2 4:1 int_tab_len, with_int_tab_len: u8;
        /// IG: faults of interrupts are not reported.
        2 5:5 ig, with_ig: bool;
        /// IntTRP: the interrupt table, address bits 51:6.
        2 51:6 int_trp, with_int_trp: u64;
        /// GuestPagingMode: 1 for guest tables of five levels.
        2 55:54 guest_paging_mode, with_guest_paging_mode: u8;
        /// INITPass: forward INIT.
        2 56:56 init_pass, with_init_pass: bool;
        /// EIntPass: forward external interrupts.
        2 57:57 eint_pass, with_eint_pass: bool;
        /// NMIPass: forward NMI.
        2 58:58 nmi_pass, with_nmi_pass: bool;
        /// IntCtl: what happens to ordinary interrupts.
        2 61:60 int_ctl, with_int_ctl: u8;
        /// Lint0Pass: forward LINT0.
        2 62:62 lint0_pass, with_lint0_pass: bool;
        /// Lint1Pass: forward LINT1.
        2 63:63 lint1_pass, with_lint1_pass: bool;
        /// vImuEn: the device belongs to a guest's vIOMMU.
        3 15:15 v_imu_en, with_v_imu_en: bool;
        /// GDeviceID: the device ID that the guest knows.
        3 31:16 g_device_id, with_g_device_id: u16;
        /// GuestID: the guest.
        3 47:32 guest_id, with_guest_id: u16;
    }
}

/// The root of a host (v1) page table.
///
/// # Invariants
///
/// `levels` is 1 to 6, and `phys` has no bit outside 51:12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRoot {
    phys: u64,
    levels: u8,
}

impl HostRoot {
    /// Describes a table of `levels` levels whose top is at `phys`, which includes the encryption
    /// bit if there is one.
    ///
    /// Returns `None` if the entry cannot hold the values.
    pub fn new(phys: u64, levels: u8) -> Option<Self> {
        // INVARIANT: Just checked.
        (phys & !ADDRESS == 0 && (1..=6).contains(&levels)).then_some(Self { phys, levels })
    }
}

/// What happens to the memory requests of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation {
    /// Every request is aborted, and reported as a fault (V = 1, TV = 0).
    Blocked,
    /// Addresses are physical addresses.
    ///
    /// This is an explicit identity (V = 1, TV = 1, Mode = 0), for domains of that kind and for
    /// devices that had a driver before this one came. V = 0 would forward as well, but what the
    /// hardware caches under such an entry has no domain ID that software knows, so no invalidation
    /// could name it.
    PassThrough {
        /// The tag of cached translations.
        domain_id: u16,
    },
    /// Addresses go through a host (v1) page table.
    V1 {
        /// The tag of cached translations.
        domain_id: u16,
        /// The page table.
        root: HostRoot,
    },
    /// The device belongs to a guest, whose addresses are those of a host (v1) page table.
    Guest {
        /// How the hardware knows the device.
        ids: GuestIds,
        /// The tag of translations that only the host table has made.
        domain_id: u16,
        /// The host's page table.
        root: HostRoot,
        /// What the guest wants.
        entry: GuestEntry,
    },
}

impl Dte {
    /// The size of an entry in memory.
    pub const BYTES: usize = 32;

    /// Composes the entry of a device. What `policy` says holds whatever the translation is.
    ///
    /// Interrupts are forwarded: IV is 0.
    pub fn compose(policy: HostPolicy, translation: Translation) -> Self {
        policy.apply(match translation {
            Translation::Blocked => Self::default().with_v(true),
            Translation::PassThrough { domain_id } => Self::open(domain_id),
            Translation::V1 { domain_id, root } => Self::open(domain_id).with_root(root),
            Translation::Guest {
                ids,
                domain_id,
                root,
                entry,
            } => entry.compose(ids, domain_id, root),
        })
    }

    /// An entry that lets every address through, for reads and writes.
    fn open(domain_id: u16) -> Self {
        Self::default()
            .with_v(true)
            .with_tv(true)
            .with_ir(true)
            .with_iw(true)
            .with_domain_id(domain_id)
    }

    fn with_root(self, root: HostRoot) -> Self {
        self.with_mode(root.levels).with_host_trp(root.phys >> 12)
    }

    /// Whether the entry aborts every memory request.
    pub fn blocks(self) -> bool {
        self.v() && !self.tv()
    }

    /// The half that the hardware uses to translate memory requests, `q1` and `q0`.
    pub fn low(self) -> u128 {
        (u128::from(self.0[1]) << 64) | u128::from(self.0[0])
    }

    /// The half that the hardware uses to remap interrupts and to recognise guests, `q3` and `q2`.
    pub fn high(self) -> u128 {
        (u128::from(self.0[3]) << 64) | u128::from(self.0[2])
    }

    /// Puts an entry together from its halves.
    pub fn from_halves(low: u128, high: u128) -> Self {
        Self([
            low as u64,
            (low >> 64) as u64,
            high as u64,
            (high >> 64) as u64,
        ])
    }
}
