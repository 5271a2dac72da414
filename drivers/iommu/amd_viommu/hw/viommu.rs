// SPDX-License-Identifier: GPL-2.0

//! The hardware IOMMU of a guest as data (hardware reference 1.3, 5, 6 and 7).
//!
//! * [`vsc`]: where firmware placed the two apertures;
//! * [`features`]: what it takes to serve guests, and what a guest may be shown;
//! * [`private`]: the map of the IOMMU's private address space;
//! * [`vfctrl`]: the registers that the host has for each guest;
//! * [`guest_page`]: the trapped first page of the guest's registers;
//! * [`guest_entry`]: a device table entry that a guest wrote;
//! * [`external`]: the interrupts of a guest's IOMMU;
//! * [`backlog`]: events that wait to be told;
//! * [`report`]: what the VMM of a guest is told;
//! * [`storm`]: when a guest's devices cause too many events;
//! * [`rest`]: how long such a device is kept quiet;
//! * [`watch`]: whether a guest's command queue has stopped;
//! * [`ids`]: choosing guest IDs and translate IDs;
//! * [`life`]: the state machine of a guest's IOMMU.
//!
//! # Glossary
//!
//! * **Guest ID**, **gid**: number of a guest at one IOMMU; index into both apertures.
//! * **gDevID**, **gDomID**: device and domain ID as the guest knows them; **hDevID**, **hDomID**:
//!   what the hardware makes of them.
//! * **Translate ID**, **TransDevID**: the requester ID whose entry translates the guest's own
//!   addresses.
//! * **VF page**: the guest's third register page, which it accesses without an exit.
//! * **VFCTRL**: the host's registers for a guest.

pub mod backlog;
pub mod external;
pub mod features;
pub mod guest_entry;
pub mod guest_page;
pub mod ids;
pub mod life;
pub mod private;
pub mod report;
pub mod rest;
pub mod storm;
pub mod vfctrl;
pub mod vsc;
pub mod watch;
