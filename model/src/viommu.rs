// SPDX-License-Identifier: GPL-2.0

//! HW-vIOMMU, mode 1: guest buffers are found by guest physical addresses (GstBufferTRPMode).
//!
//! What each file owns:
//!
//! * `guest`: the registers of one guest, and when its engines run.
//! * `page`: the VF aperture, the part of the registers that the guest itself accesses.
//! * `control`: the VF control aperture, which belongs to the host.
//! * `memory`: accesses of the engines to the private address space and to guest memory.
//! * `maps`: the Device ID and Domain ID maps.
//! * `updates`: changes of the maps that are under way.
//! * `engine`, `execute`: the guest command engine and its commands.
//! * `log`: guest event logs, and which events go there.
//! * `external`: interrupts of guests.
//! * `late`: events that reach those logs late.
//! * `reset`: RESET_VMMIO.
//! * `judge`: what the referee says about a driver's use of all this.
//!
//! A guest is nothing but registers: whatever else belongs to it is in memory, in the private
//! address space (hardware.md 5) or behind its translate device ID (5.5). It comes into being
//! with the first access that leaves something in a register.
//!
//! The model has no peripheral page requests, no dual logs and no mode 0: the registers of the
//! first two in the control block hold what is written and nothing acts on them, those in the VF
//! page read as 0. While GstBufferTRPMode = 0 the engines of guests do not run, because their
//! buffers would then lie in the private address space.

mod control;
mod engine;
mod execute;
mod external;
mod guest;
mod judge;
mod late;
mod log;
mod maps;
mod memory;
mod page;
mod reset;
mod updates;

use alloc::collections::{BTreeMap, BTreeSet};

use guest::Guest;
use late::LateEvents;
use updates::Updates;

/// The guests that software has touched: at most one for each 16-bit guest ID.
#[derive(Debug, Default)]
pub struct Guests {
    known: BTreeMap<u16, Guest>,
    /// Guests whose command engine runs and has commands to fetch.
    ready: BTreeSet<u16>,
    /// Where a synchronous model looks first for a guest with commands.
    turn: u16,
    /// The guest whose INVALIDATE_IOMMU_ALL was executed in this call, see `engine`.
    emptied: Option<u16>,
    updates: Updates,
    late: LateEvents,
}

impl Guests {
    /// The guest with this ID, which comes into being if need be.
    fn touch(&mut self, gid: u16) -> &mut Guest {
        self.known.entry(gid).or_default()
    }

    /// The guest with this ID, as it is at power-on if software has not touched it.
    fn look(&self, gid: u16) -> Guest {
        self.known.get(&gid).copied().unwrap_or_default()
    }
}

/// Where the fault of a device's request was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In the tables that a guest writes: GCR3 and v2 tables.
    Guest,
    /// In what belongs to the host: the device-table entry, the v1 table.
    Host,
}

/// An engine of a guest, as the flags of an event name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Command buffer: vCmd.
    Commands,
    /// Event log: vEvent.
    Events,
    /// Page request log: vPpr. Only its registers exist.
    Requests,
}
