// SPDX-License-Identifier: GPL-2.0

//! The referee writes down what a careful driver must not do. It changes no behaviour.

use alloc::collections::BTreeMap;
use alloc::string::String;

mod json;
mod pending;

pub use pending::GRACE;
pub(crate) use pending::{Owed, Pending};

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A reserved bit of a register was written as 1.
    ReservedRegisterBit,
    /// A reserved bit of a command is set.
    ReservedCommandBit,
    /// An opcode that does not exist, or whose feature is not announced.
    UnknownCommand,
    /// A reserved bit of a device-table entry is set.
    ReservedEntryBit,
    /// A reserved bit of a page-table entry is set.
    ReservedTableBit,
    /// A reserved bit or type is set in an entry of an interrupt table.
    ReservedInterruptBit,
    /// An interrupt table is not aligned to 128 bytes.
    InterruptTableMisaligned,
    /// An interrupt table has entries where there is no memory.
    InterruptTableUnreadable,
    /// A table for the interrupts of guests has a length that no source gives (OQ-18).
    ExternalTableLength,
    /// A base register was written while its engine or the IOMMU was enabled.
    BaseMoved,
    /// A head or tail was written where only the hardware may, or out of range.
    PointerMisused,
    /// A register was accessed with a width or alignment that is not allowed.
    BadAccessWidth,
    /// A cached translation was used that memory no longer held, and was not invalidated within
    /// [`GRACE`]: an invalidation is missing, too small or too late.
    StaleTranslation,
    /// The same for a cached device-table entry.
    StaleDeviceEntry,
    /// The same for a cached entry of an interrupt table.
    StaleInterruptEntry,
    /// The hardware read a mixture of two device-table entries.
    TornDeviceEntry,
    /// A guest table was walked on a host table with GCR3TRPMode = 0, of which no source says
    /// how the hardware does it (OQ-10).
    NestedWithoutTrp,
    /// An address of the HyperTransport range was mapped for a device.
    HyperTransportMapped,
    /// A map register of a guest was written while the vIOMMU was off, which has no effect.
    MapNotEnabled,
    /// The private address space has no mapping for an access.
    PrivateUnmapped,
    /// A guest ID was used without RESET_VMMIO since power-on or since its last release.
    GuestNotReset,
    /// The translate device ID of a running guest has an entry that does not translate.
    TranslateIdInvalid,
    /// INVALIDATE_IOTLB_PAGES for a device whose entry has I = 0.
    IotlbForeignDevice,
    /// A guest's queue or map was changed while its engine was running.
    GuestBusy,
}

impl Rule {
    /// The name of the rule, as in reports and lists of known violations.
    pub const fn name(self) -> &'static str {
        match self {
            Rule::ReservedRegisterBit => "reserved-register-bit",
            Rule::ReservedCommandBit => "reserved-command-bit",
            Rule::UnknownCommand => "unknown-command",
            Rule::ReservedEntryBit => "reserved-entry-bit",
            Rule::ReservedTableBit => "reserved-table-bit",
            Rule::ReservedInterruptBit => "reserved-interrupt-bit",
            Rule::InterruptTableMisaligned => "interrupt-table-misaligned",
            Rule::InterruptTableUnreadable => "interrupt-table-unreadable",
            Rule::ExternalTableLength => "external-table-length",
            Rule::BaseMoved => "base-moved",
            Rule::PointerMisused => "pointer-misused",
            Rule::BadAccessWidth => "bad-access-width",
            Rule::StaleTranslation => "stale-translation",
            Rule::StaleDeviceEntry => "stale-device-entry",
            Rule::StaleInterruptEntry => "stale-interrupt-entry",
            Rule::TornDeviceEntry => "torn-device-entry",
            Rule::NestedWithoutTrp => "nested-without-trp",
            Rule::HyperTransportMapped => "hypertransport-mapped",
            Rule::MapNotEnabled => "map-not-enabled",
            Rule::PrivateUnmapped => "private-unmapped",
            Rule::GuestNotReset => "guest-not-reset",
            Rule::TranslateIdInvalid => "translate-id-invalid",
            Rule::IotlbForeignDevice => "iotlb-foreign-device",
            Rule::GuestBusy => "guest-busy",
        }
    }
}

/// Violations of one rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// How often.
    pub count: u64,
    /// What happened, the first time.
    pub sentence: String,
}

/// Most places that are kept; at later ones violations are only counted by rule.
const MOST: usize = 256;

/// All violations.
#[derive(Debug, Default)]
pub struct Referee {
    found: BTreeMap<(Rule, u64), Violation>,
    /// Violations at places for which there was no room.
    more: BTreeMap<Rule, u64>,
}

impl Referee {
    /// Writes down a violation. `place` tells places of one rule apart: a register offset, an
    /// opcode, a requester ID, a guest ID. `sentence` is only called the first time.
    pub fn report(&mut self, rule: Rule, place: u64, sentence: impl FnOnce() -> String) {
        if let Some(violation) = self.found.get_mut(&(rule, place)) {
            violation.count = violation.count.saturating_add(1);
        } else if self.found.len() < MOST {
            let sentence = sentence();
            self.found
                .insert((rule, place), Violation { count: 1, sentence });
        } else {
            let count = self.more.entry(rule).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// All violations with rule and place, as far as there was room for places.
    pub fn violations(&self) -> impl Iterator<Item = (Rule, u64, &Violation)> {
        self.found
            .iter()
            .map(|(&(rule, place), violation)| (rule, place, violation))
    }

    /// How many violations there were in all.
    pub fn count(&self) -> u64 {
        self.counts().fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    /// How many violations of one rule there were.
    pub fn count_of(&self, rule: Rule) -> u64 {
        self.counts()
            .filter(|(found, _)| *found == rule)
            .fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    fn counts(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        let kept = self
            .found
            .iter()
            .map(|((rule, _), found)| (*rule, found.count));
        kept.chain(self.more.iter().map(|(rule, count)| (*rule, *count)))
    }
}
