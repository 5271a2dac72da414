// SPDX-License-Identifier: GPL-2.0

//! What it takes to serve guests, and what a guest may be shown (hardware reference 2.4 and 7.1).

use crate::regs::{host_levels, Efr, Efr2};

/// A feature that guests need and the hardware does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub &'static str);

/// Checks the features that registers announce. That guest buffers are found by guest physical
/// address has no such bit: bit 60 of the control register is set and read back (OQ-3).
///
/// # Errors
///
/// [`Missing`] with AMD's name of the first feature that is absent.
pub fn check(efr: Efr, efr2: Efr2) -> Result<(), Missing> {
    let needed = [
        ("vIommuSup", efr.v_iommu_sup()),
        ("GTSup", efr.gt_sup()),
        ("GASup", efr.ga_sup()),
        ("GIoSup", efr.gio_sup()),
        ("HATS", host_levels(efr).is_some()),
        // Without it nested tables are OQ-10.
        ("GCR3TRPMode", efr2.gcr3_trp_mode()),
    ];

    match needed.into_iter().find(|(_, present)| !present) {
        Some((name, _)) => Err(Missing(name)),
        None => Ok(()),
    }
}

/// The features that a guest may be shown at most: translation by its own v2 tables.
///
/// GASup is among them although no interrupt of a guest is remapped: Linux takes the features of the
/// firmware's table only with it, and without them it does not know in time that there are v2 tables.
///
/// What needs a log or a register that no guest has (page requests, interrupts by x2APIC, hardware
/// errors, counters), what the hardware does not do for guests (v1 tables, segments) and what has an
/// unknown scope (INVALIDATE_IOMMU_ALL, OQ-11) is left out. So are PASIDs: VFIO does not offer them to
/// guests, and no command drops what is cached for all PASIDs of a domain ID that is used again.
pub fn shown(efr: Efr) -> (Efr, Efr2) {
    let shown = Efr::default()
        .with_gt_sup(efr.gt_sup())
        .with_ga_sup(efr.ga_sup())
        .with_gats(efr.gats().min(FIVE_LEVELS))
        .with_gio_sup(efr.gio_sup());

    (shown, Efr2::default())
}

/// GATS of tables of five levels, the largest value that is not reserved.
const FIVE_LEVELS: u8 = 1;
