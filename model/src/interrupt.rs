// SPDX-License-Identifier: GPL-2.0

//! Interrupts of devices: what becomes of a write to FEE0_0000h-FEEF_FFFFh (hardware.md 3.9), and
//! the tables that remap it (3.6).
//!
//! What each file owns:
//!
//! * [`entry`]: entries of interrupt tables, in both formats.
//! * `message`: what a message says, and what a remapped one looks like.
//! * `table`: finding an entry, and its cache.
//! * `refuse`: events of interrupts that are refused.
//! * `judge`: what the referee says of interrupt tables.
//!
//! The interrupts of guests of HW-vIOMMU go through the table of the IOMMU's own device-table
//! entry, see `viommu::external`. That of the IOMMU itself is not remapped.
//!
//! There is no guest APIC mode (GAMSup), no GA log and no index above 511 (NumIntRemapSup):
//! bits 10:8 of the data are the delivery mode, of which only 0 and 1 are remapped,
//! so that no index is above 511. Where sources differ over SMI, it is forwarded.

pub mod entry;
mod judge;
mod message;
mod refuse;
mod table;

pub(crate) use entry::Target;
pub(crate) use refuse::{Origin, Refused};
pub(crate) use table::{Kept, Slot, Table};

use crate::device_table::{DeviceEntry, Half, IntCtl};
use crate::request::{Access, Answer, Delivery, Message, Request, Translation};
use crate::system::System;
use crate::Iommu;

use message::Mode;

/// What becomes of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes on as it came.
    Forwarded,
    /// It goes on as its table says.
    Remapped(Target),
    /// It ends in a target abort.
    Blocked,
}

/// What was written to the range of interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// 32 bits at an aligned address.
    Message,
    /// Something else, which cannot be sent.
    Other,
}

impl Iommu {
    /// Decides over an interrupt of a device. Logs a fault where there is one.
    pub fn interrupt(&mut self, system: &mut dyn System, message: &Message) -> Delivery {
        self.counters.requests += 1;
        self.judge_pending(system);
        if !self.registers.control.iommu() {
            return message.untouched();
        }
        self.evict_now_and_then();
        let (fate, guest) = self.fate(system, message, Form::Message);
        self.count_interrupt(fate, guest);
        match fate {
            Fate::Forwarded => message.untouched(),
            Fate::Remapped(target) => message.sent_to(target),
            Fate::Blocked => Delivery::Abort,
        }
    }

    /// A write to the range of interrupts of which only the address is known: one of 0. That it would
    /// be remapped cannot be said, so that nothing is sent. An atomic operation is no message at all.
    pub(crate) fn interrupt_without_data(
        &mut self,
        system: &mut dyn System,
        request: &Request,
    ) -> Answer {
        self.counters.requests += 1;
        self.judge_pending(system);
        self.evict_now_and_then();
        let message = Message {
            requester: request.requester,
            address: request.address,
            data: 0,
            pasid: request.pasid,
        };
        let form = match request.access {
            Access::Write => Form::Message,
            _ => Form::Other,
        };
        let (fate, guest) = self.fate(system, &message, form);
        if fate != Fate::Forwarded {
            self.count_interrupt(Fate::Blocked, guest);
            return Answer::Abort;
        }
        self.count_interrupt(fate, guest);
        Answer::Forward(Translation {
            address: request.address,
            size: 0x1000,
            read: false,
            write: true,
        })
    }

    /// The fate of a write to the range, and the guest that its device belongs to.
    fn fate(
        &mut self,
        system: &mut dyn System,
        message: &Message,
        form: Form,
    ) -> (Fate, Option<u16>) {
        let entry = match self.device_entry_for(system, message.requester, Half::Interrupt) {
            Ok(entry) => entry,
            Err(why) => {
                self.no_entry(system, &message.request(), why);
                return (Fate::Blocked, None);
            }
        };
        let guest = entry.viommu_enabled().then(|| entry.guest());
        if !entry.interrupts_valid() {
            let fate = match form {
                Form::Message => Fate::Forwarded,
                Form::Other => Fate::Blocked,
            };
            return (fate, guest);
        }
        if let Err(why) = self.entry_rules().check_interrupt(&entry) {
            self.illegal_entry(system, &message.request(), &entry, why);
            return (Fate::Blocked, guest);
        }
        let decided = match form {
            Form::Message => self.decide(system, message, &entry),
            Form::Other => Err(Refused::NOT_PRESENT),
        };
        let fate = decided.unwrap_or_else(|why| {
            self.refuse_interrupt(system, message, &entry, why);
            Fate::Blocked
        });
        (fate, guest)
    }

    /// Decides by a legal entry with IV = 1.
    fn decide(
        &mut self,
        system: &mut dyn System,
        message: &Message,
        entry: &DeviceEntry,
    ) -> Result<Fate, Refused> {
        if message.pasid.is_some() {
            return Err(Refused::NOT_PRESENT);
        }
        let [init, external, nmi, ..] = entry.passes();
        let passes = match message.mode() {
            Mode::Vectored => return self.decide_vectored(system, message, entry),
            Mode::Reserved => return Err(Refused::SILENT),
            Mode::Smi => true,
            Mode::Nmi => nmi,
            Mode::Init => init,
            Mode::External => external,
        };
        // None of these has a logical destination.
        (passes && !message.is_logical())
            .then_some(Fate::Forwarded)
            .ok_or_else(|| self.denied())
    }

    /// Fixed and lowest-priority interrupts.
    fn decide_vectored(
        &mut self,
        system: &mut dyn System,
        message: &Message,
        entry: &DeviceEntry,
    ) -> Result<Fate, Refused> {
        match entry.int_ctl() {
            IntCtl::Forward => Ok(Fate::Forwarded),
            IntCtl::Remap => {
                let table = Table::of(entry);
                self.judge_table(message.requester, table.address);
                let slot = Slot::of_device(message.requester, message.index());
                let address = table.place(message.index(), self.interrupt_entry_bytes())?;
                let target = self.remap(system, slot, |_, _| Ok(address))?;
                Ok(Fate::Remapped(target))
            }
            // An entry with the reserved value is illegal.
            IntCtl::Abort | IntCtl::Reserved => Err(self.denied()),
        }
    }

    fn count_interrupt(&mut self, fate: Fate, guest: Option<u16>) {
        if fate == Fate::Blocked {
            self.counters.aborts += 1;
        }
        let all = &mut self.counters.device_interrupts;
        let of_guest = guest.map(|gid| all.guests.entry(gid).or_default());
        for fates in [Some(&mut all.fates), of_guest].into_iter().flatten() {
            let counter = match fate {
                Fate::Forwarded => &mut fates.forwarded,
                Fate::Remapped(_) => &mut fates.remapped,
                Fate::Blocked => &mut fates.blocked,
            };
            *counter = counter.saturating_add(1);
        }
    }
}
