// SPDX-License-Identifier: GPL-2.0

//! The registers of one guest, and when its engines run.

use alloc::vec::Vec;

use super::control::{Block, Register};
use super::Part;
use crate::config::{ApertureGate, InterruptEdge};
use crate::event::Event;
use crate::registers::ring::Ring;
use crate::registers::status::{Status, COMMAND_RUN, EVENT_OVERFLOW, EVENT_RUN};
use crate::system::System;
use crate::Iommu;

/// State of one guest. Power-on contents are not stated by a source (hardware.md 6.2); here
/// everything is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guest {
    /// The VF control block.
    pub block: Block,
    /// Pointers of the VF page, as they were written.
    pub pointers: Pointers,
    /// Status register of the VF page.
    pub status: Status,
    /// The enables of the command engine were all on when last looked at. A halted engine has
    /// this and no CmdBufRun: it starts again only when an enable goes off and on.
    commands_enabled: bool,
    /// The same for the event log.
    log_enabled: bool,
    /// RESET_VMMIO was executed since power-on and since TransDevID was last taken away, which is
    /// how the life of a guest ID ends (hardware.md 7.9). Only the referee looks at it.
    pub reset: bool,
    /// The last event of this guest that went to the host's log, as the guest would see it.
    pub held: Option<Event>,
}

/// Head and tail of the two rings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pointers {
    pub command_head: u32,
    pub command_tail: u32,
    pub event_head: u32,
    pub event_tail: u32,
}

impl Guest {
    /// A guest after RESET_VMMIO of everything.
    pub fn after_reset() -> Self {
        Guest {
            reset: true,
            ..Guest::default()
        }
    }

    /// The command buffer.
    pub fn commands(&self) -> Ring {
        let pointers = self.pointers;
        ring(
            self.block.get(Register::Command),
            pointers.command_head,
            pointers.command_tail,
        )
    }

    /// The event log.
    pub fn events(&self) -> Ring {
        let pointers = self.pointers;
        ring(
            self.block.get(Register::Event),
            pointers.event_head,
            pointers.event_tail,
        )
    }

    /// The command engine runs and there is something to fetch.
    pub fn has_commands(&self) -> bool {
        self.status.has(COMMAND_RUN) && !self.commands().is_empty()
    }

    /// The event log is switched on; it may still stand because it overflowed.
    pub fn log_enabled(&self) -> bool {
        self.log_enabled
    }

    /// Takes new states of the enables. Returns which engine started.
    fn switch(&mut self, commands: bool, log: bool) -> Started {
        let started = Started {
            commands: commands && !self.commands_enabled,
            log: log && !self.log_enabled,
        };
        self.commands_enabled = commands;
        self.log_enabled = log;
        if started.commands || !commands {
            self.status.put(COMMAND_RUN, commands);
        }
        if started.log || !log {
            self.status.put(EVENT_RUN, log);
        }
        if started.log {
            self.status.put(EVENT_OVERFLOW, false);
        }
        started
    }
}

/// A ring as a control register describes it. The length can change after the pointers were
/// written (OQ-40), so they are taken modulo the size: hardware.md 3.2 leaves a pointer beyond
/// the end undefined, and an engine must not run after a tail that it never meets.
fn ring(register: u64, head: u32, tail: u32) -> Ring {
    let mut ring = Ring {
        base: register & Register::BASE,
        code: (register & Register::LENGTH) as u8,
        head: 0,
        tail: 0,
    };
    let last = ring.bytes().wrapping_sub(1);
    ring.head = head & last;
    ring.tail = tail & last;
    ring
}

/// Engines that began to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub commands: bool,
    pub log: bool,
}

impl Iommu {
    /// The vIOMMU is switched on as a whole: it may access the private address space.
    pub(super) fn viommu_on(&self) -> bool {
        let control = self.registers.control;
        self.config.features.viommu() && control.iommu() && control.viommu()
    }

    /// The apertures have registers behind them at this moment (OQ-39).
    pub(super) fn apertures_live(&self) -> bool {
        let held = self.config.readings.aperture_gate == ApertureGate::Held;
        self.config.features.viommu() && (held || self.registers.control.viommu())
    }

    /// What all engines of all guests need. Without GAEn there is no vIOMMU (hardware.md 2.3).
    fn engines_on(&self) -> bool {
        self.viommu_on() && self.registers.control.guest_apic()
    }

    /// The enables of a guest changed, or those of the IOMMU: starts and stops its engines.
    pub(super) fn refresh_guest(&mut self, system: &mut dyn System, gid: u16) -> Started {
        let on = self.engines_on();
        let mode1 = self.registers.control.guest_buffer_trp();
        let vcmd = self.registers.control.guest_commands();
        let guest = self.guests.touch(gid);
        let commands = on && vcmd && guest.block.enabled(Register::Command);
        let log = on && guest.block.enabled(Register::Event);
        let started = guest.switch(commands && mode1, log && mode1);
        if !guest.has_commands() {
            self.guests.ready.remove(&gid);
        }
        if !(log && mode1) {
            self.guests.late.log_off(gid);
        }
        if (commands || log) && !mode1 {
            self.judge_mode(gid);
        }
        if started.commands || started.log {
            self.judge_reset(gid);
            self.judge_translate_id(system, gid);
        }
        started
    }

    /// The control register changed: engines of guests start or stop. Where one starts, registers
    /// that were written while the vIOMMU was off go to their place in memory.
    pub(crate) fn guests_control_changed(&mut self, system: &mut dyn System) {
        self.finish_updates(system, None);
        let gids: Vec<u16> = self.guests.known.keys().copied().collect();
        for gid in gids {
            let started = self.refresh_guest(system, gid);
            if started.log {
                self.save_block(system, gid, Part::Events);
            } else if started.commands {
                self.save_block(system, gid, Part::Commands);
            }
            self.guest_commands_ready(gid);
        }
        self.start_guests(system);
    }

    /// Sets status bits of a guest and raises the interrupt of the engine that did it, if `enabled`
    /// (OQ-36).
    pub(super) fn signal_guest(
        &mut self,
        system: &mut dyn System,
        (gid, part): (u16, Part),
        bits: u64,
        enabled: bool,
    ) {
        let every = self.config.readings.interrupt_edge == InterruptEdge::Every;
        let guest = self.guests.touch(gid);
        let rising = !guest.status.has(bits);
        guest.status.put(bits, true);
        if enabled && (rising || every) {
            let count = self.counters.guest_interrupts.entry(gid).or_default();
            *count = count.saturating_add(1);
            self.raise_external(system, gid, part);
        }
    }
}
