// SPDX-License-Identifier: GPL-2.0

//! A device table entry that a guest wrote, and what it asks for (hardware reference 3.3 and 4.4).
//!
//! A guest's entry is a wish. Of its fields only those in [`Request`] ever reach the hardware; the
//! others belong to the host or are not offered to guests.

use crate::dte::{Dte, GuestEntry, GuestTable};
use crate::regs::Efr;

bitfield! {
    /// Bits that no guest may set, of features that none is shown or without a meaning.
    struct Unoffered([u64; 4]) {
        /// Reserved.
        0 6:2 reserved_low: u8;
        /// HAD: update of accessed and dirty bits in the host table.
        0 8:7 had: u8;
        /// PPR: the device may send page requests.
        0 52:52 ppr: bool;
        /// GPRP: answers to page requests have a PASID.
        0 53:53 gprp: bool;
        /// Reserved.
        0 63:63 reserved_high: bool;
        /// SATS: secure translation requests.
        1 42:42 sats: bool;
    }
}

impl Unoffered {
    /// Whether any of the bits is set.
    fn any(self) -> bool {
        let numbers = self.reserved_low() | self.had();

        numbers != 0 || self.ppr() || self.gprp() || self.reserved_high() || self.sats()
    }
}

/// The Mode that is reserved.
const MODE_RESERVED: u8 = 7;

/// What the device of a guest shall do with memory requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Abort them. An entry that is not valid is taken for this as well, although hardware would
    /// forward requests: while a guest replaces an entry in pieces, nothing may pass.
    Blocked,
    /// Take the guest's addresses for guest physical ones.
    Identity(Access),
    /// Translate by the guest's tables.
    Nested(Access, GuestTable),
}

/// What identity and nested translation have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The guest's domain ID.
    pub g_domain_id: u16,
    /// IR: the device may read.
    pub ir: bool,
    /// IW: the device may write.
    pub iw: bool,
}

/// Why an entry cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It asks for host (v1) tables, which no guest has.
    HostTable,
    /// Hardware that the guest knows would call it illegal.
    Illegal,
}

impl Request {
    /// Decodes the entry of a guest that is shown the features `shown`.
    ///
    /// The order of checks is that of the hardware (hardware reference 3.9). HostTRP has no meaning
    /// while Mode is 0, and q2 and q3 have none for memory requests, GuestPagingMode aside.
    ///
    /// # Errors
    ///
    /// [`Refused`]. The device has to be blocked then.
    pub fn decode(dte: Dte, shown: Efr) -> Result<Self, Refused> {
        if !dte.v() {
            return Ok(Self::Blocked);
        }
        if Unoffered(dte.0).any() || needs_more(dte, shown) {
            return Err(Refused::Illegal);
        }
        match (dte.tv(), dte.mode()) {
            (false, _) => Ok(Self::Blocked),
            (true, 0) if dte.gv() => Ok(Self::Nested(access(dte), table(dte)?)),
            (true, 0) => Ok(Self::Identity(access(dte))),
            (true, MODE_RESERVED) => Err(Refused::Illegal),
            (true, _) => Err(Refused::HostTable),
        }
    }

    /// The guest's domain ID, if the request has one.
    pub fn g_domain_id(self) -> Option<u16> {
        match self {
            Self::Blocked => None,
            Self::Identity(access) | Self::Nested(access, _) => Some(access.g_domain_id),
        }
    }

    /// The same in terms of the host, which has taken `domain_id` for the guest's domain.
    pub fn entry(self, domain_id: u16) -> GuestEntry {
        match self {
            Self::Blocked => GuestEntry::Blocked,
            Self::Identity(Access { ir, iw, .. }) => GuestEntry::Identity { domain_id, ir, iw },
            Self::Nested(Access { ir, iw, .. }, table) => GuestEntry::Nested {
                domain_id,
                ir,
                iw,
                table,
            },
        }
    }
}

/// Whether the entry uses guest translation in a way that the guest is not shown. Fields of a
/// feature that is absent are reserved, whether they are looked at or not.
fn needs_more(dte: Dte, shown: Efr) -> bool {
    let any_table = dte.gv() || dte.glx() != 0;

    (any_table && !shown.gt_sup())
        || dte.glx() > shown.glx_sup()
        || (dte.giov() && !shown.gio_sup())
        || (dte.gv() && dte.guest_paging_mode() > shown.gats())
}

/// The part that every open entry has.
fn access(dte: Dte) -> Access {
    Access {
        g_domain_id: dte.domain_id(),
        ir: dte.ir(),
        iw: dte.iw(),
    }
}

/// The guest's tables. No guest has its GCR3 table at address 0, but an entry that is being written
/// in pieces may say so for a moment.
fn table(dte: Dte) -> Result<GuestTable, Refused> {
    let five_levels = match dte.guest_paging_mode() {
        0 => false,
        1 => true,
        _ => return Err(Refused::Illegal),
    };

    Some(gcr3(dte))
        .filter(|&gcr3| gcr3 != 0)
        .and_then(|gcr3| GuestTable::new(gcr3, dte.glx(), dte.giov(), five_levels))
        .ok_or(Refused::Illegal)
}

/// Joins the three parts of the GCR3 pointer (hardware reference 10.2).
fn gcr3(dte: Dte) -> u64 {
    (u64::from(dte.gcr3_14_12()) << 12)
        | (u64::from(dte.gcr3_30_15()) << 15)
        | (u64::from(dte.gcr3_51_31()) << 31)
}
