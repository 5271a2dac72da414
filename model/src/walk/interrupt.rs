// SPDX-License-Identifier: GPL-2.0

//! Interrupts of devices: writes to FEE0_0000h-FEEF_FFFFh, hardware.md 3.9.
//!
//! Interrupt remapping is not modelled. IntCtl = 2 aborts with the page fault of an interrupt
//! that has no entry in its table. The data of the write is not known here, so every interrupt
//! counts as fixed, and the pass bits for NMI, INIT and ExtInt have no effect. Whether memory
//! requests of the device are translated (V) does not matter; a PASID does not either.

use crate::config::InterruptAbort;
use crate::device_table::{DeviceEntry, Half, IntCtl};
use crate::request::{Answer, Request, Translation};
use crate::system::System;
use crate::viommu::Stage;
use crate::walk::fault::{attributes, page_fault};
use crate::walk::page::Fault;
use crate::Iommu;

/// Whether a request is an interrupt.
pub(super) fn is_interrupt(request: &Request) -> bool {
    request.access.writes() && request.address >> 20 == 0xfee
}

impl Iommu {
    pub(super) fn interrupt_request(
        &mut self,
        system: &mut dyn System,
        request: &Request,
    ) -> Answer {
        let entry = match self.device_entry_for(system, request.requester, Half::Interrupt) {
            Ok(entry) => entry,
            Err(why) => return self.no_entry(system, request, why),
        };
        if !entry.interrupts_valid() {
            return forwarded(request);
        }
        if let Err(why) = self.entry_rules().check_interrupt(&entry) {
            return self.illegal_entry(system, request, &entry, why);
        }
        match entry.int_ctl() {
            IntCtl::Forward => forwarded(request),
            IntCtl::Abort if self.config.readings.interrupt_abort == InterruptAbort::Silent => {
                Answer::Abort
            }
            _ => self.interrupt_fault(system, request, &entry),
        }
    }

    /// IO_PAGE_FAULT with I = 1, unless IG suppresses it.
    fn interrupt_fault(
        &mut self,
        system: &mut dyn System,
        request: &Request,
        entry: &DeviceEntry,
    ) -> Answer {
        if !entry.ignore_interrupt_faults() {
            let event = page_fault(
                attributes(request),
                entry.domain(),
                request.address,
                Fault::NotPresent,
            );
            self.report_device_event(system, Some(entry), event, Stage::Host);
        }
        Answer::Abort
    }
}

fn forwarded(request: &Request) -> Answer {
    Answer::Forward(Translation {
        address: request.address,
        size: 0x1000,
        read: false,
        write: true,
    })
}
