// SPDX-License-Identifier: GPL-2.0

//! Address translation: from a request to where it goes, or to a fault.
//!
//! [`Iommu::translate`] asks the device table, then the caches, then the tables. What it answers
//! for a request outside FEE0_0000h-FEEF_FFFFh says nothing of writes into that range, which are
//! interrupts, even if the size of the answer covers it: [`Iommu::interrupt`] decides over them.

mod check;
mod fault;
mod gcr3;
mod guest;
mod guest_entry;
mod host;
mod host_entry;
mod judge;
mod page;
mod resolve;
mod route;
mod tables;

pub(crate) use fault::{attributes, page_fault, without_entry};
pub(crate) use page::{Fault, Page, Rights, Table};
pub use resolve::Unresolved;

use crate::device_table::{DeviceEntry, Half};
use crate::request::{Access, Answer, Request, Translation};
use crate::system::System;
use crate::Iommu;

use page::{Denial, Need};
use route::Route;
use tables::{Live, Settings, Walk};

impl Iommu {
    /// Translates a request of a device. Logs a fault where there is one.
    ///
    /// A write to the range of interrupts is one whose data is 0, see [`Iommu::interrupt`]. Where it
    /// would be remapped to cannot be said here, so that it ends in an abort then. A write that
    /// reads as well (an atomic operation) stands for all that are no message, and is refused.
    pub fn translate(&mut self, system: &mut dyn System, request: &Request) -> Answer {
        if request.is_interrupt() && self.registers.control.iommu() {
            return self.interrupt_without_data(system, request);
        }
        self.counters.requests += 1;
        self.judge_pending(system);
        if !self.registers.control.iommu() {
            return untouched(request);
        }
        self.evict_now_and_then();
        let answer = self.memory_request(system, request);
        if answer == Answer::Abort {
            self.counters.aborts += 1;
        }
        answer
    }

    fn memory_request(&mut self, system: &mut dyn System, request: &Request) -> Answer {
        let entry = match self.device_entry_for(system, request.requester, Half::Memory) {
            Ok(entry) => entry,
            Err(why) => return self.no_entry(system, request, why),
        };
        let route = match self.route(&entry, request) {
            Ok(route) => route,
            Err(refusal) => return self.refuse_request(system, request, &entry, refusal),
        };
        match self.page_of(system, request, &route) {
            Ok(page) => forward(request, &page, &entry, &route),
            Err(denial) => self.fault(system, request, &entry, denial),
        }
    }

    fn page_of(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        route: &Route,
    ) -> Result<Page, Denial> {
        let need = self.need(request);
        let (found, walked) = self.walk(system, request.requester, route, request.address, need);
        if walked {
            self.count_walk(request, route);
        }
        found
    }

    fn count_walk(&mut self, request: &Request, route: &Route) {
        let walks = &mut self.counters.walks;
        match route {
            Route::Pass | Route::Untouched => {}
            Route::Host(_) => walks.host += 1,
            Route::Guest(guest) if guest.is_nested() => {
                walks.nested += 1;
                self.judge_nesting(request);
            }
            Route::Guest(_) => walks.guest += 1,
        }
    }

    /// Walks. The flag says whether the answer was not in the cache of final translations.
    fn walk(
        &mut self,
        system: &mut dyn System,
        requester: u16,
        route: &Route,
        address: u64,
        need: Need,
    ) -> (Result<Page, Denial>, bool) {
        let mut walk = Walk {
            system,
            settings: Settings::of(self),
            live: Some(Live {
                caches: &mut self.caches,
                counters: &mut self.counters,
                referee: &mut self.referee,
                requester,
                missed: false,
            }),
            watch: None,
        };
        let found = walk.route(route, address, need);
        (found, walk.live.is_some_and(|live| live.missed))
    }

    /// A walk that only looks.
    fn look(
        &self,
        system: &mut dyn System,
        route: &Route,
        address: u64,
        need: Need,
    ) -> Result<Page, Denial> {
        let mut walk = Walk {
            system,
            settings: Settings::of(self),
            live: None,
            watch: None,
        };
        walk.route(route, address, need)
    }

    /// What a request needs. Without a PASID it is a user access; without USSup and NXSup the
    /// bits of guest tables that these features are about do not count.
    fn need(&self, request: &Request) -> Need {
        let features = &self.config.features;
        let user = request.pasid.is_none() || !request.privileged;
        Need {
            read: request.access.reads(),
            write: request.access.writes(),
            user: user && features.user_supervisor(),
            execute: request.access == Access::Execute && features.nx(),
        }
    }
}

impl Walk<'_> {
    fn route(&mut self, route: &Route, address: u64, need: Need) -> Result<Page, Denial> {
        match route {
            Route::Pass | Route::Untouched => Ok(Page::IDENTITY),
            Route::Host(host) => Ok(self.host(host, address, need.below())?),
            Route::Guest(guest) => self.guest(guest, address, need),
        }
    }
}

/// The request goes on as it came, with all rights.
fn untouched(request: &Request) -> Answer {
    Answer::Forward(Translation {
        address: request.address,
        size: 0,
        read: true,
        write: true,
    })
}

fn forward(request: &Request, page: &Page, entry: &DeviceEntry, route: &Route) -> Answer {
    if matches!(route, Route::Untouched) {
        return untouched(request);
    }
    Answer::Forward(Translation {
        address: page.at(request.address),
        size: 1u64.checked_shl(u32::from(page.shift)).unwrap_or(0),
        read: page.rights.read && entry.read_allowed(),
        write: page.rights.write && entry.write_allowed(),
    })
}
