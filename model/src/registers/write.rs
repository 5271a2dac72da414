// SPDX-License-Identifier: GPL-2.0

//! What a write to a register does (hardware.md 3.2 and 3.9).

use alloc::format;
use alloc::string::String;

use crate::bits::{field, mask};
use crate::referee::Rule;
use crate::registers::control::Control;
use crate::registers::map::{Definition, Kind, Queue};
use crate::registers::ring::Ring;
use crate::registers::status::{COMMAND_RUN, EVENT_OVERFLOW, EVENT_RUN};
use crate::registers::Registers;
use crate::system::System;
use crate::Iommu;

impl Iommu {
    /// Writes a whole register. Bits that are not legal are ignored.
    pub(super) fn write_register(
        &mut self,
        system: &mut dyn System,
        register: &Definition,
        value: u64,
    ) {
        let value = value & register.kind.legal(&self.config.features);
        match register.kind {
            Kind::DeviceTable(segment) => self.write_device_table(register, segment, value),
            Kind::Base(queue) => self.write_base(register, queue, value),
            Kind::Head(queue) => self.write_head(register, queue, value),
            Kind::Tail(queue) => self.write_tail(system, register, queue, value),
            Kind::Control => self.write_control(system, register, value),
            Kind::ExclusionBase => self.registers.exclusion[0] = value,
            Kind::ExclusionLimit => self.registers.exclusion[1] = value,
            Kind::HardwareEvent(0) => self.registers.hardware_error[0] = value,
            Kind::HardwareEvent(_) => self.registers.hardware_error[1] = value,
            Kind::HardwareEventStatus => self.registers.clear_hardware_error(value),
            Kind::Status => self.registers.status.clear_by_one(value),
            Kind::Features | Kind::Features2 | Kind::ViommuStatus => {}
        }
    }

    /// The device table may be moved at any time and the next fetch uses the new one, but a
    /// driver that does so while devices are being translated has lost control of them.
    fn write_device_table(&mut self, register: &Definition, segment: u8, value: u64) {
        if segment > 0 && field(value, 7, 0) > largest_segment(segment) {
            return self.report_reserved(Some(register), value & mask(7, 0));
        }
        let enabled = self.registers.control.iommu();
        let Some(base) = self.registers.device_table.get_mut(usize::from(segment)) else {
            return;
        };
        let moved = enabled && *base != value;
        *base = value;
        if moved {
            self.misuse(Rule::BaseMoved, register, || {
                "changed while the IOMMU is enabled".into()
            });
        }
    }

    /// Ignored while the ring runs, or with a length code that does not exist. Otherwise the ring
    /// is new, and both pointers go to 0.
    fn write_base(&mut self, register: &Definition, queue: Queue, value: u64) {
        let running = self.registers.runs(queue);
        let ring = self.registers.ring_mut(queue);
        if running {
            if value != ring.register() {
                self.misuse(Rule::BaseMoved, register, || {
                    "written while the ring runs, which ignores it".into()
                });
            }
        } else if let Some(new) = Ring::from_register(value) {
            *ring = new;
        } else if value != 0 {
            self.report_reserved(Some(register), value & mask(59, 56));
        }
    }

    /// The head of the command ring is the hardware's while it runs; the head of the log is
    /// software's, which says with it how far it has read.
    fn write_head(&mut self, register: &Definition, queue: Queue, value: u64) {
        let running = self.registers.runs(queue);
        if running && queue == Queue::Command {
            return self.misuse(Rule::PointerMisused, register, || {
                "written while the engine runs, which ignores it".into()
            });
        }
        let ring = self.registers.ring_mut(queue);
        let before = *ring;
        if !Ring::set_pointer(&mut ring.head, before.bytes(), value) {
            return self.beyond_ring(register, value);
        }
        if running && before.distance(before.head, ring.head) > before.used() {
            self.misuse(Rule::PointerMisused, register, || {
                format!("moved to {value:x}h, beyond the entries in the log")
            });
        }
    }

    /// The tail of the log is the hardware's while it runs; the tail of the command ring is
    /// software's, and moving it is what makes the engine work.
    fn write_tail(
        &mut self,
        system: &mut dyn System,
        register: &Definition,
        queue: Queue,
        value: u64,
    ) {
        let running = self.registers.runs(queue);
        if running && queue == Queue::Event {
            return self.misuse(Rule::PointerMisused, register, || {
                "written while the log runs, which ignores it".into()
            });
        }
        let ring = self.registers.ring_mut(queue);
        let before = *ring;
        if !Ring::set_pointer(&mut ring.tail, before.bytes(), value) {
            return self.beyond_ring(register, value);
        }
        if running {
            if before.distance(before.tail, ring.tail) > before.free() {
                self.misuse(Rule::PointerMisused, register, || {
                    format!("moved to {value:x}h over commands that were not fetched")
                });
            }
            self.commands_ready(system);
        }
    }

    /// Takes over the control register, then starts and stops what it enables. A DevTblSegEn
    /// that the part does not support makes the whole write void.
    fn write_control(&mut self, system: &mut dyn System, register: &Definition, value: u64) {
        let (old, new) = (self.registers.control, Control(value));
        if new.segments() > self.config.features.segments() {
            return self.report_reserved(Some(register), value & mask(36, 34));
        }
        if old.runs_commands() && !new.runs_commands() {
            // What was fetched is done under the enables that it was fetched under; Run reads 0
            // only after that.
            self.commands_stopped(system);
        }
        self.registers.control = new;
        if self.registers.update_run(old, new) {
            self.commands_ready(system);
        }
        if new != old {
            self.guests_control_changed(system);
        }
    }

    fn beyond_ring(&mut self, register: &Definition, value: u64) {
        self.misuse(Rule::PointerMisused, register, || {
            format!("{value:x}h is not inside the ring; ignored")
        });
    }

    fn misuse(&mut self, rule: Rule, register: &Definition, what: impl FnOnce() -> String) {
        self.referee.report(rule, register.offset.into(), || {
            format!(
                "register {:04x}h ({}): {}",
                register.offset,
                register.name,
                what()
            )
        });
    }
}

impl Registers {
    /// Run bits follow the enables: 0 as soon as one clears, 1 when the last of them is set. An
    /// engine that stopped by itself stays stopped until its enable goes from 0 to 1. Returns
    /// whether the command engine starts.
    fn update_run(&mut self, old: Control, new: Control) -> bool {
        let starts = !old.runs_commands() && new.runs_commands();
        if starts || !new.runs_commands() {
            self.status.put(COMMAND_RUN, starts);
        }
        let logs = !old.runs_event_log() && new.runs_event_log();
        if logs || !new.runs_event_log() {
            self.status.put(EVENT_RUN, logs);
        }
        if logs {
            self.status.put(EVENT_OVERFLOW, false);
        }
        starts
    }

    fn runs(&self, queue: Queue) -> bool {
        self.status.has(match queue {
            Queue::Command => COMMAND_RUN,
            Queue::Event => EVENT_RUN,
        })
    }

    fn ring_mut(&mut self, queue: Queue) -> &mut Ring {
        match queue {
            Queue::Command => &mut self.command,
            Queue::Event => &mut self.event,
        }
    }
}

/// Largest Size field of a segment register: the table of a segment holds no more entries than
/// its share of the requester IDs when as few segments are on as make this one exist.
fn largest_segment(segment: u8) -> u64 {
    let segments = (u64::from(segment) + 1).next_power_of_two();
    512 / segments - 1
}
