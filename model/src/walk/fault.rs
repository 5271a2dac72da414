// SPDX-License-Identifier: GPL-2.0

//! Events of requests that are aborted, hardware.md 3.5 and 3.9.
//!
//! The address of a page fault is that of the request, also if the host table below a guest
//! table had no page for an entry or for the result: the device knows no other.

use crate::device_table::{DeviceEntry, EntryFault, NoEntry};
use crate::event::{Access as Attributes, Event, HardwareError, VFlags};
use crate::request::{Access, Answer, Request};
use crate::system::System;
use crate::viommu::Stage;
use crate::walk::page::{Denial, Fault};
use crate::walk::route::Refusal;
use crate::Iommu;

impl Iommu {
    /// There is no entry for the requester.
    pub(crate) fn no_entry(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        why: NoEntry,
    ) -> Answer {
        let event = without_entry(attributes(request), why, VFlags::default());
        self.report_device_event(system, None, event, Stage::Host);
        Answer::Abort
    }

    /// The entry refuses the request.
    pub(super) fn refuse_request(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        entry: &DeviceEntry,
        refusal: Refusal,
    ) -> Answer {
        match refusal {
            Refusal::Entry(why) => self.illegal_entry(system, request, entry, why),
            Refusal::Page(fault) => self.fault(system, request, entry, fault.into()),
            Refusal::HyperTransport => {
                self.judge_hypertransport(system, request, entry);
                self.fault(system, request, entry, Fault::NotPresent.into())
            }
        }
    }

    /// ILLEGAL_DEV_TABLE_ENTRY. SA, SE and IG do not suppress it.
    pub(crate) fn illegal_entry(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        entry: &DeviceEntry,
        why: EntryFault,
    ) -> Answer {
        let event = Event::IllegalDeviceTableEntry {
            access: attributes(request),
            reserved: why == EntryFault::Reserved,
            address: request.address,
            vflags: VFlags::default(),
        };
        self.report_device_event(system, Some(entry), event, Stage::Host);
        Answer::Abort
    }

    /// The walk failed: a page fault, unless the entry suppresses it, or a hardware error.
    pub(super) fn fault(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        entry: &DeviceEntry,
        denial: Denial,
    ) -> Answer {
        let Denial { fault, stage } = denial;
        let access = attributes(request);
        let event = match fault {
            Fault::Failed(address) => Event::PageTableHardwareError {
                access,
                domain: entry.domain(),
                error: HardwareError::TargetAbort,
                address,
                vflags: VFlags::default(),
            },
            _ if self.is_suppressed(request.requester, entry) => return Answer::Abort,
            _ => page_fault(access, entry.domain(), request.address, fault),
        };
        self.report_device_event(system, Some(entry), event, stage);
        Answer::Abort
    }

    /// SA suppresses all page faults of memory requests, SE all after the first.
    fn is_suppressed(&mut self, requester: u16, entry: &DeviceEntry) -> bool {
        entry.suppress_all()
            || (entry.suppress_after_first() && !self.caches.first_fault(requester))
    }
}

/// What events say of a request. US and NX belong to requests with a PASID. RW is that of a
/// memory request: of an interrupt, which is a write anyway, it stays 0 (W72).
pub(crate) fn attributes(request: &Request) -> Attributes {
    let pasid = request.pasid.is_some();
    let interrupt = request.is_interrupt();
    Attributes {
        device: request.requester,
        pasid: request.pasid,
        interrupt,
        write: request.access.writes() && !interrupt,
        execute: pasid && request.access == Access::Execute,
        user: pasid && !request.privileged,
        translation: false,
    }
}

/// The event of a requester, or of an engine for the IOMMU itself, without a device-table entry.
pub(crate) fn without_entry(access: Attributes, why: NoEntry, vflags: VFlags) -> Event {
    match why {
        NoEntry::BeyondTable => page_fault(access, 0, 0, Fault::NotPresent).caused_by(vflags),
        NoEntry::Failed(address) => Event::DeviceTableHardwareError {
            access,
            error: HardwareError::TargetAbort,
            address,
            vflags,
        },
    }
}

/// IO_PAGE_FAULT.
pub(crate) fn page_fault(access: Attributes, domain: u16, address: u64, fault: Fault) -> Event {
    Event::IoPageFault {
        access,
        domain,
        present: fault != Fault::NotPresent,
        permission: fault == Fault::Permission,
        reserved: fault == Fault::Reserved,
        address,
        vflags: VFlags::default(),
    }
}
