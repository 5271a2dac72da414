// SPDX-License-Identifier: GPL-2.0

//! Events of interrupts that are refused (hardware.md 3.5, 3.9).
//!
//! RW is 0 in them (W72). A page fault is not logged if the device-table entry (IG) or the table's
//! entry says so; illegal device-table entries and hardware errors always are.

use crate::config::{InterruptAbort, InterruptRead};
use crate::device_table::DeviceEntry;
use crate::event::{Access, Event, HardwareError, VFlags};
use crate::request::Message;
use crate::system::System;
use crate::viommu::Stage;
use crate::walk::{attributes, page_fault, Fault};
use crate::Iommu;

/// Why an interrupt is refused, and what is logged of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(Option<Fault>);

/// Whose interrupt it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) access: Access,
    /// Address of the message; 0 for an interrupt without one.
    pub(crate) address: u64,
    pub(crate) vflags: VFlags,
}

impl Refused {
    /// The table has no entry for it: I = 1, PR = 0.
    pub(crate) const NOT_PRESENT: Refused = Refused(Some(Fault::NotPresent));
    /// The entry has a reserved bit or value: I = 1, PR = 1, RZ = 1.
    pub(crate) const RESERVED: Refused = Refused(Some(Fault::Reserved));
    /// Nothing is logged.
    pub(crate) const SILENT: Refused = Refused(None);

    /// The same, of which nothing is logged if `quiet`.
    pub(crate) fn unless(self, quiet: bool) -> Self {
        Refused(self.0.filter(|_| !quiet))
    }
}

impl Iommu {
    /// OQ-38: the device-table entry wants the interrupt to be aborted, by IntCtl or by a pass bit.
    pub(crate) fn denied(&self) -> Refused {
        match self.config.readings.interrupt_abort {
            InterruptAbort::Logged => Refused::NOT_PRESENT,
            InterruptAbort::Silent => Refused::SILENT,
        }
    }

    /// OQ-42: the entry at an address cannot be read.
    pub(crate) fn unreadable(&self, address: u64) -> Refused {
        match self.config.readings.interrupt_read {
            InterruptRead::HardwareError => Refused(Some(Fault::Failed(address))),
            InterruptRead::Silent => Refused::SILENT,
        }
    }

    /// Logs what is to be logged of a device's interrupt.
    pub(super) fn refuse_interrupt(
        &mut self,
        system: &mut dyn System,
        message: &Message,
        entry: &DeviceEntry,
        why: Refused,
    ) {
        let origin = Origin {
            access: attributes(&message.request()),
            address: message.address,
            vflags: VFlags::default(),
        };
        self.log_refusal(system, entry, origin, why);
    }

    /// Logs what is to be logged of any interrupt under a device-table entry.
    pub(crate) fn log_refusal(
        &mut self,
        system: &mut dyn System,
        entry: &DeviceEntry,
        origin: Origin,
        Refused(fault): Refused,
    ) {
        let domain = entry.domain();
        let Origin {
            access,
            address,
            vflags,
        } = origin;
        let event = match fault {
            None => return,
            Some(Fault::Failed(address)) => Event::PageTableHardwareError {
                access,
                domain,
                error: HardwareError::TargetAbort,
                address,
                vflags,
            },
            Some(_) if entry.ignore_interrupt_faults() => return,
            Some(fault) => page_fault(access, domain, address, fault).caused_by(vflags),
        };
        self.report_device_event(system, Some(entry), event, Stage::Host);
    }
}
