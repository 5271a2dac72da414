// SPDX-License-Identifier: GPL-2.0

//! Guest event logs: which events go there, and how they are written.
//!
//! A guest may see what its own tables did to its own device: IO_PAGE_FAULT of memory requests
//! and INVALID_DEVICE_REQUEST, of a device whose entry has vImuEn, found in the GCR3 table or in a
//! v2 table. What is wrong with the device-table entry or with the table below the guest is a
//! matter of the host, even if a guest's address led there: the guest could not repair it (OQ-7).
//! So are all other events, which have system physical addresses. In the guest's entry the
//! requester ID is GDeviceID. The hardware knows no way back from hDomID to gDomID, and the guest
//! must not see the host's, so DomainID reads 0.

use super::control::Register;
use super::memory::Space;
use super::{Part, Stage};
use crate::config::GuestFaults;
use crate::device_table::DeviceEntry;
use crate::event::{bytes, reserve, Access, Event, Slot, VFlags};
use crate::registers::status::{EVENT_INTERRUPT, EVENT_OVERFLOW, EVENT_RUN};
use crate::system::System;
use crate::Iommu;

impl Iommu {
    /// Reports the fault of a device's request that was found in `stage`: to the log of the guest
    /// that the entry names, or to the host's (OQ-7).
    pub(crate) fn report_device_event(
        &mut self,
        system: &mut dyn System,
        entry: Option<&DeviceEntry>,
        event: Event,
        stage: Stage,
    ) {
        let entry = entry.filter(|_| stage == Stage::Guest);
        let Some((gid, view)) = self.guest_view(entry, &event) else {
            return self.report(system, event);
        };
        match self.config.readings.guest_faults {
            GuestFaults::GuestLog if self.guests.look(gid).log_enabled() => {
                self.raise_guest_event(system, gid, view);
            }
            GuestFaults::GuestLog => self.report(system, event),
            GuestFaults::HostLog => {
                if let Some(guest) = self.guests.known.get_mut(&gid) {
                    guest.held = Some(view);
                }
                self.report(system, event);
            }
        }
    }

    /// The guest that an event belongs to, and the event as it may see it.
    fn guest_view(&self, entry: Option<&DeviceEntry>, event: &Event) -> Option<(u16, Event)> {
        let entry = entry.filter(|entry| entry.viommu_enabled())?;
        if !self.viommu_on() {
            return None;
        }
        let hide = |access: &Access| Access {
            device: entry.guest_device(),
            ..*access
        };
        let mut view = *event;
        match &mut view {
            Event::IoPageFault {
                access,
                domain,
                vflags,
                ..
            } if !access.interrupt => {
                *access = hide(access);
                *domain = 0;
                *vflags = VFlags::default();
            }
            Event::InvalidDeviceRequest { access, .. } => *access = hide(access),
            _ => return None,
        }
        Some((entry.guest(), view))
    }

    /// Appends an event to the log of a guest by the rules of the host's log (hardware.md 3.2,
    /// 3.9).
    pub(super) fn append_guest_event(&mut self, system: &mut dyn System, gid: u16, event: &Event) {
        let reading = self.config.readings.overflow_run;
        let guest = self.guests.touch(gid);
        let mut ring = guest.events();
        match reserve(&mut ring, &mut guest.status, reading) {
            Slot::Dropped => {}
            Slot::Overflow => self.signal_guest_log(system, gid, EVENT_OVERFLOW),
            Slot::At(address) => {
                guest.pointers.event_tail = ring.tail;
                self.counters.count_event(Some(gid), event.code());
                self.place_guest_event(system, gid, address, event);
                self.signal_guest_log(system, gid, EVENT_INTERRUPT);
            }
        }
    }

    /// Writes an entry of a guest's log. If its memory cannot be reached the host is told and the
    /// log stops as well, so that a guest with a bad log does not fill the host's.
    pub(super) fn write_guest_event(
        &mut self,
        system: &mut dyn System,
        gid: u16,
        address: u64,
        event: &Event,
    ) {
        let place = (Space::Guest, address);
        if let Err(fault) = self.engine_write(system, gid, place, &bytes(event.encode())) {
            self.guests.touch(gid).status.put(EVENT_RUN, false);
            self.report_fault(system, gid, Part::Events, &fault);
        }
    }

    fn signal_guest_log(&mut self, system: &mut dyn System, gid: u16, bits: u64) {
        let block = self.guests.look(gid).block;
        let enabled = block.interrupt_enabled(Register::Event);
        self.signal_guest(system, (gid, Part::Events), bits, enabled);
    }

    /// INSERT_GUEST_EVENT. The command has room for a guest ID only, so what is inserted can only
    /// be something that the hardware kept: the last event of that guest which it wrote to the
    /// host's log (OQ-7). That is this model's reading; without such an event, or without an
    /// enabled log to put it into, the command ends in GUEST_EVENT_FAULT.
    pub(crate) fn insert_guest_event(&mut self, system: &mut dyn System, gid: u16) {
        self.finish_guest_events(system);
        let enabled = self.guests.look(gid).log_enabled();
        let held = self
            .guests
            .known
            .get_mut(&gid)
            .filter(|_| enabled)
            .and_then(|guest| guest.held.take());
        match held {
            Some(event) => {
                self.append_guest_event(system, gid, &event);
                self.finish_guest_events(system);
            }
            None => {
                let vflags = VFlags::default();
                self.report(system, Event::GuestEventFault { gid, vflags });
            }
        }
    }
}
