// SPDX-License-Identifier: GPL-2.0

//! The referee of cached translations: walks memory again, without a trace, and compares.

use alloc::format;

use crate::referee::Rule;
use crate::system::System;
use crate::walk::page::{Fault, Need, Page};
use crate::walk::route::Route;
use crate::walk::tables::{Settings, Walk};
use crate::Iommu;

impl Iommu {
    /// Compares what the caches led to with what memory says. Only what matters for this access
    /// counts: where it goes, or that it does not go anywhere.
    pub(super) fn check_translation(
        &mut self,
        system: &mut dyn System,
        requester: u16,
        route: &Route,
        address: u64,
        need: Need,
        found: &Result<Page, Fault>,
    ) {
        let mut walk = Walk {
            system,
            settings: Settings::of(self),
            live: None,
        };
        let cached = outcome(found, address);
        let memory = outcome(&walk.route(route, address, need), address);
        if cached == memory {
            return;
        }
        let (domain, pasid) = match route {
            Route::Untouched | Route::Pass => return,
            Route::Host(host) => (host.domain, None),
            Route::Guest(guest) => (guest.host.domain, Some(guest.pasid)),
        };
        self.referee
            .report(Rule::StaleTranslation, u64::from(requester), || {
                format!(
                    "A request of {requester:04x} to {address:x} in domain {domain:x}, PASID {pasid:x?}, went by the caches to {cached:x?}; by memory it goes to {memory:x?}."
                )
            });
    }
}

/// Where an access goes.
fn outcome(found: &Result<Page, Fault>, address: u64) -> Option<u64> {
    found.as_ref().ok().map(|page| page.at(address))
}
