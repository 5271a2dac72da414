// SPDX-License-Identifier: GPL-2.0

//! The control register, MMIO 18h: its bits, and which of them a part has.

use crate::bits::{bit, field, mask};
use crate::config::Features;

/// Value of the control register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control(pub u64);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal),+ $(,)?) => {
        impl Control {
            $($(#[$doc])* pub const fn $name(self) -> bool { bit(self.0, $bit) })+
        }
    };
}

flags! {
    /// IommuEn.
    iommu = 0,
    /// EventLogEn.
    event_log = 2,
    /// EventIntEn.
    event_interrupt = 3,
    /// ComWaitIntEn.
    completion_interrupt = 4,
    /// CmdBufEn.
    command_buffer = 12,
    /// GTEn.
    guest_translation = 16,
    /// GAEn.
    guest_apic = 17,
    /// GAUpdateDis: the hardware does not set A in guest tables.
    no_guest_access_update = 54,
    /// GDUpdateDis: the hardware does not set D in guest tables.
    no_guest_dirty_update = 48,
    /// vCmdEn.
    guest_commands = 52,
    /// vIommuEn.
    viommu = 53,
    /// GCR3TRPMode.
    gcr3_trp = 58,
    /// IRTCacheDis.
    no_interrupt_cache = 59,
    /// GstBufferTRPMode.
    guest_buffer_trp = 60,
}

/// IommuEn, HtTunEn, EventLogEn, EventIntEn, ComWaitIntEn, InvTimeOut, PassPW, ResPassPW,
/// Coherent, Isoc, CmdBufEn: in every part. SlfWBdis has no feature bit either.
const ALWAYS: u64 = mask(12, 0) | 1 << 23;
/// DevTblSegEn. A value that the part does not support makes the whole write void, so its
/// legality is not that of single bits.
const SEGMENTS: u64 = mask(36, 34);
/// GTEn, CRW and GDUpdateDis mean nothing without guest translation.
const GUEST_TRANSLATION: u64 = 1 << 16 | mask(21, 18) | 1 << 48;
/// GAUpdateDis.
const GUEST_ACCESS_UPDATE: u64 = 1 << 54;
/// GAEn. IRTCacheDis has no feature bit; here the parts with GAEn have it, and older ones do not.
const GUEST_APIC: u64 = 1 << 17 | 1 << 59;
/// PrivAbrtEn: of its values only 0 and 1 are defined, so bit 38 stays 0.
const USER_SUPERVISOR: u64 = 1 << 37;
/// HADUpdate.
const HOST_UPDATE: u64 = mask(47, 46);
/// vCmdEn and vIommuEn.
const VIOMMU: u64 = mask(53, 52);
/// GCR3TRPMode.
const GCR3_TRP: u64 = 1 << 58;
/// GstBufferTRPMode (OQ-3).
const GUEST_BUFFER_TRP: u64 = 1 << 60;
/// IRTCacheDis and GstBufferTRPMode have no feature bit: software finds them by writing 1 and
/// reading back (hardware.md 2.3, 3.8).
const PROBED: u64 = 1 << 59 | GUEST_BUFFER_TRP;

impl Control {
    /// Bits that a part with these features has. The others read back 0.
    ///
    /// Bits whose feature the model never announces (PPR, GA log and vAPIC, XT, MARC, SMI, dual
    /// logs, EPH, SNP, GAPPI, TMPM) are in none of the groups.
    pub fn legal(features: &Features) -> u64 {
        let groups = [
            (features.guest_translation(), GUEST_TRANSLATION),
            (features.guest_access_update_disable(), GUEST_ACCESS_UPDATE),
            (features.guest_apic(), GUEST_APIC),
            (features.user_supervisor(), USER_SUPERVISOR),
            (features.host_access() || features.host_dirty(), HOST_UPDATE),
            (features.viommu(), VIOMMU),
            (features.gcr3_trp(), GCR3_TRP),
            (features.guest_buffer_trp, GUEST_BUFFER_TRP),
        ];
        groups
            .iter()
            .filter(|(present, _)| *present)
            .fold(ALWAYS | SEGMENTS, |bits, (_, group)| bits | group)
    }

    /// Bits that careful software may write as 1.
    pub(crate) fn writable(features: &Features) -> u64 {
        Self::legal(features) | PROBED
    }

    /// DevTblSegEn: log2 of the number of device-table segments. 0 to 3 in a value that was
    /// accepted.
    pub const fn segments(self) -> u8 {
        field(self.0, 36, 34) as u8
    }

    /// The command engine is enabled.
    pub const fn runs_commands(self) -> bool {
        self.iommu() && self.command_buffer()
    }

    /// The event log is enabled.
    pub const fn runs_event_log(self) -> bool {
        self.iommu() && self.event_log()
    }
}
