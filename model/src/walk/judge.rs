// SPDX-License-Identifier: GPL-2.0

//! What the referee says of the way a driver has arranged translation.

use alloc::format;

use crate::device_table::DeviceEntry;
use crate::referee::Rule;
use crate::request::Request;
use crate::system::System;
use crate::walk::route::Route;
use crate::Iommu;

impl Iommu {
    /// Nesting is for drivers that set GCR3TRPMode (hardware.md 4.4, OQ-10).
    pub(super) fn judge_nesting(&mut self, request: &Request) {
        if self.registers.control.gcr3_trp() {
            return;
        }
        let requester = request.requester;
        self.referee
            .report(Rule::NestedWithoutTrp, u64::from(requester), || {
                format!(
                    "A guest table of {requester:04x} was walked on a host table while GCR3TRPMode = 0."
                )
            });
    }

    /// A request into the HyperTransport range is the device's fault, unless the driver has
    /// mapped that address for it. What a guest maps is not the driver's.
    pub(super) fn judge_hypertransport(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        entry: &DeviceEntry,
    ) {
        let Ok(route) = self.tables(entry, request, self.entry_rules()) else {
            return;
        };
        let mapped = match &route {
            Route::Untouched | Route::Pass => false,
            Route::Guest(guest) if guest.is_nested() => false,
            Route::Guest(_) | Route::Host(_) => {
                let need = self.need(request);
                self.look(system, &route, request.address, need).is_ok()
            }
        };
        if mapped {
            let (requester, address) = (request.requester, request.address);
            self.referee
                .report(Rule::HyperTransportMapped, u64::from(requester), || {
                    format!(
                        "The tables of {requester:04x} map {address:x}, which belongs to HyperTransport and cannot be reached."
                    )
                });
        }
    }
}
