// SPDX-License-Identifier: GPL-2.0

//! The entry of a device that a guest has (hardware reference 3.3 and 4.4).
//!
//! Whatever the guest asks for, its addresses end in the host table that VFIO made for it.

use super::{Dte, HostRoot, ADDRESS};

/// How the hardware knows the device of a guest (hardware reference 3.3, vImuEn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestIds {
    /// GuestID: the guest.
    pub guest_id: u16,
    /// GDeviceID: the device ID that the guest knows.
    pub device_id: u16,
}

/// The first table of a guest's own translation, a GCR3 table (hardware reference 4.3).
///
/// # Invariants
///
/// `gcr3` has no bit outside 51:12, `glx` is 0 to 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GuestTable {
    gcr3: u64,
    glx: u8,
    giov: bool,
    five_levels: bool,
}

impl GuestTable {
    /// Describes a GCR3 table at guest physical address `gcr3` with `glx + 1` levels. With `giov`
    /// requests without PASID use it as PASID 0. The tables that it points to have four levels, or
    /// five.
    ///
    /// Returns `None` if an entry cannot hold the values.
    pub fn new(gcr3: u64, glx: u8, giov: bool, five_levels: bool) -> Option<Self> {
        // INVARIANT: Just checked.
        (gcr3 & !ADDRESS == 0 && glx <= 2).then_some(Self {
            gcr3,
            glx,
            giov,
            five_levels,
        })
    }
}

/// What a guest has made of the entry of its device, in terms of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GuestEntry {
    /// Addresses are guest physical, as behind an IOMMU that is off. They go through the host table
    /// under its own domain ID.
    Stage2,
    /// Every request is aborted.
    Blocked,
    /// Addresses are guest physical, with the permissions and in a domain of the guest.
    Identity {
        /// The host's domain ID for the guest's domain.
        domain_id: u16,
        /// IR: the device may read.
        ir: bool,
        /// IW: the device may write.
        iw: bool,
    },
    /// Addresses go through the guest's table, and what comes out through the host table.
    Nested {
        /// The host's domain ID for the guest's domain.
        domain_id: u16,
        /// IR: the device may read.
        ir: bool,
        /// IW: the device may write.
        iw: bool,
        /// The guest's table.
        table: GuestTable,
    },
}

impl GuestEntry {
    /// The domain ID of the guest's domain, which the host took for it.
    pub fn domain_id(self) -> Option<u16> {
        match self {
            Self::Stage2 | Self::Blocked => None,
            Self::Identity { domain_id, .. } | Self::Nested { domain_id, .. } => Some(domain_id),
        }
    }

    /// Composes the entry over the host table `root` of the domain `host_domain`.
    pub(super) fn compose(self, ids: GuestIds, host_domain: u16, root: HostRoot) -> Dte {
        let host = |domain_id| Dte::open(domain_id).with_root(root);
        let dte = match self {
            Self::Stage2 => host(host_domain),
            Self::Blocked => Dte::default().with_v(true),
            Self::Identity { domain_id, ir, iw } => host(domain_id).with_ir(ir).with_iw(iw),
            Self::Nested {
                domain_id,
                ir,
                iw,
                table,
            } => host(domain_id)
                .with_ir(ir)
                .with_iw(iw)
                .with_guest_table(table),
        };

        dte.with_v_imu_en(true)
            .with_g_device_id(ids.device_id)
            .with_guest_id(ids.guest_id)
    }
}

impl Dte {
    /// The same entry with faults of requests and of interrupts reported, or not; nothing changes unless it is the
    /// entry of the guest's device.
    #[must_use]
    pub fn with_hush(self, ids: GuestIds, yes: bool) -> Self {
        match self.guest_ids() {
            Some(owner) if owner == ids => self.with_sa(yes).with_ig(yes),
            _ => self,
        }
    }

    /// Whether the hardware keeps quiet about faults of the guest's device.
    pub fn is_hushed(self, ids: GuestIds) -> bool {
        self.sa() && self.guest_ids() == Some(ids)
    }

    /// The guest that has the device.
    pub fn guest_ids(self) -> Option<GuestIds> {
        self.v_imu_en().then(|| GuestIds {
            guest_id: self.guest_id(),
            device_id: self.g_device_id(),
        })
    }

    fn with_guest_table(self, table: GuestTable) -> Self {
        self.with_gv(true)
            .with_glx(table.glx)
            .with_giov(table.giov)
            .with_gcr3_14_12((table.gcr3 >> 12) as u8)
            .with_gcr3_30_15((table.gcr3 >> 15) as u16)
            .with_gcr3_51_31((table.gcr3 >> 31) as u32)
            .with_guest_paging_mode(table.five_levels.into())
    }
}
