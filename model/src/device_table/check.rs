// SPDX-License-Identifier: GPL-2.0

//! What makes an entry illegal.
//!
//! A bit of a feature that the part does not announce is a reserved bit (hardware.md 3.9).
//! The checks depend on what the entry is used for: those of q0 and q1 belong to memory
//! requests and need V = 1, those of q2 and q3 belong to interrupts and need IV = 1.

use crate::bits::mask;
use crate::config::{Config, Features, GuestDisabled, Readings};
use crate::device_table::{DeviceEntry, IntCtl};

/// Why an entry is illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// A reserved bit is set (RZ = 1).
    Reserved,
    /// A field has a bad value (RZ = 0).
    BadValue,
}

/// What decides over the legality of an entry.
#[derive(Clone, Copy, Debug)]
pub struct EntryRules {
    features: Features,
    reserved: [u64; 4],
    /// The fields of guest translation exist.
    guest: bool,
    /// The fields of guest translation exist but have no effect (second reading of OQ-37).
    ignored: bool,
}

const GIOV: u64 = 1 << 54;
const PPR: u64 = mask(53, 52);
/// GV, GLX and the pointer bits 14:12.
const GUEST_Q0: u64 = mask(60, 55);
/// Pointer bits 30:15 and 51:31.
const GUEST_Q1: u64 = mask(31, 16) | mask(63, 43);
const SATS: u64 = 1 << 42;
const GUEST_PAGING_MODE: u64 = mask(55, 54);
const VIOMMU: u64 = mask(47, 15);
/// AttrV, Mode0FC and SnoopAttr belong to attribute forwarding, which the model does not have.
const ATTRIBUTES: u64 = mask(63, 54);

impl EntryRules {
    /// Rules of a part, with GTEn of the control register.
    pub fn new(features: &Features, readings: &Readings, guest_enabled: bool) -> Self {
        let exists = features.guest_translation();
        let ignored = readings.guest_disabled == GuestDisabled::Ignored;
        let guest = exists && (guest_enabled || ignored);
        EntryRules {
            features: *features,
            reserved: reserved(features, guest),
            guest,
            ignored: exists && !guest_enabled && ignored,
        }
    }

    /// Rules of a part while GTEn is 0, and while it is 1.
    pub(crate) fn both(config: &Config) -> [Self; 2] {
        [false, true].map(|guest| Self::new(&config.features, &config.readings, guest))
    }

    /// Whether GV and what belongs to it is looked at.
    pub fn guest_effective(&self) -> bool {
        self.guest && !self.ignored
    }

    /// Reserved bits of the quadwords, without those that depend on the value of a field.
    pub fn reserved(&self) -> [u64; 4] {
        self.reserved
    }

    /// Checks an entry with V = 1 for a memory request. Mode is not among the checks: a bad one
    /// is a page fault.
    ///
    /// # Errors
    ///
    /// [`EntryFault`]: the caller logs ILLEGAL_DEV_TABLE_ENTRY.
    pub fn check_memory(&self, entry: &DeviceEntry) -> Result<(), EntryFault> {
        let [q0, q1, ..] = self.reserved;
        let bad = entry.q(0) & q0 != 0
            || entry.q(1) & q1 != 0
            || !self.had_is_legal(entry)
            || !self.guest_is_legal(entry);
        if bad {
            return Err(EntryFault::Reserved);
        }
        Ok(())
    }

    /// Checks an entry with IV = 1 for an interrupt.
    ///
    /// # Errors
    ///
    /// [`EntryFault`]: the caller logs ILLEGAL_DEV_TABLE_ENTRY.
    pub fn check_interrupt(&self, entry: &DeviceEntry) -> Result<(), EntryFault> {
        let [.., q2, q3] = self.reserved;
        if entry.q(2) & q2 != 0 || entry.q(3) & q3 != 0 || entry.int_ctl() == IntCtl::Reserved {
            return Err(EntryFault::Reserved);
        }
        if entry.int_ctl() == IntCtl::Remap && entry.interrupt_table_length() > 11 {
            return Err(EntryFault::BadValue);
        }
        Ok(())
    }

    fn had_is_legal(&self, entry: &DeviceEntry) -> bool {
        match entry.had() {
            0 => true,
            1 => self.features.host_access(),
            3 => self.features.host_access() && self.features.host_dirty(),
            _ => false,
        }
    }

    /// GLX and GuestPagingMode count only with GV = 1.
    fn guest_is_legal(&self, entry: &DeviceEntry) -> bool {
        let levels = 4 + entry.guest_paging_mode();
        !self.guest_effective()
            || !entry.guest_valid()
            || (entry.glx() <= self.features.glx() && levels <= self.features.guest_levels())
    }
}

fn reserved(features: &Features, guest: bool) -> [u64; 4] {
    let mut q0 = 1 << 63 | mask(6, 2);
    let mut q1 = SATS;
    let mut q2 = mask(53, 52);
    let mut q3 = mask(52, 48) | mask(14, 0) | ATTRIBUTES;
    if !features.ppr() {
        q0 |= PPR;
    }
    if !guest {
        q0 |= GUEST_Q0;
        q1 |= GUEST_Q1;
        q2 |= GUEST_PAGING_MODE;
    }
    if !guest || !features.guest_io() {
        q0 |= GIOV;
    }
    if !features.viommu() {
        q3 |= VIOMMU;
    }
    [q0, q1, q2, q3]
}
