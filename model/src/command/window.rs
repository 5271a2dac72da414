// SPDX-License-Identifier: GPL-2.0

//! Commands in flight.
//!
//! Between two COMPLETION_WAITs the order of commands is not guaranteed (hardware.md 3.9,
//! Commands): the window holds those that were fetched and are executed in any order, and behind
//! them the COMPLETION_WAIT that closes it. Nothing is fetched behind that one, and it is executed
//! when the window is empty.
//!
//! Commands that were fetched are executed even if the engine is stopped: at once, so that a
//! CmdBufRun that reads 0 means that no store is still to come. Only an engine that stands still
//! on request keeps them until it goes on.

use alloc::collections::VecDeque;

use crate::command::Command;
use crate::schedule::Engine;
use crate::system::System;
use crate::Iommu;

/// Most commands in the window.
const MOST: usize = 16;

/// Commands that were fetched and not been executed.
#[derive(Debug, Default)]
pub(super) struct Window {
    commands: VecDeque<Command>,
    wait: Option<Wait>,
}

/// A COMPLETION_WAIT in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// Where the command is.
    pub(super) address: u64,
    /// Address and value to store.
    pub(super) store: Option<(u64, u64)>,
    /// Whether ComWaitInt is to be set.
    pub(super) interrupt: bool,
}

impl Window {
    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.wait.is_none()
    }

    fn has_room(&self) -> bool {
        self.wait.is_none() && self.commands.len() < MOST
    }

    pub(super) fn put(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub(super) fn close(&mut self, wait: Wait) {
        self.wait = Some(wait);
    }
}

impl Iommu {
    /// Fetches one command, or executes one, by chance. Returns false if there is nothing to do.
    pub(crate) fn step_commands(&mut self, system: &mut dyn System) -> bool {
        if self.can_fetch() && self.commands.window.has_room() && self.prefers_fetch() {
            self.fetch(system);
            true
        } else {
            self.execute_any(system)
        }
    }

    fn prefers_fetch(&mut self) -> bool {
        self.commands.window.is_empty() || self.schedule.below(2) == 0
    }

    /// Executes one command of the window. Returns false if there is none, or the engine stands
    /// still.
    fn execute_any(&mut self, system: &mut dyn System) -> bool {
        if self.schedule.is_stalled(Engine::HostCommands) {
            return false;
        }
        let window = &mut self.commands.window;
        let chosen = self.schedule.below(window.commands.len() as u64);
        if let Some(command) = window.commands.remove(chosen as usize) {
            self.execute(system, command);
        } else if let Some(wait) = window.wait.take() {
            self.complete(system, wait);
        } else {
            return false;
        }
        true
    }

    /// Executes all that is in the window, which is at most [`MOST`] commands and one wait.
    pub(super) fn finish_window(&mut self, system: &mut dyn System) {
        while self.execute_any(system) {}
    }

    /// The host's command engine was stopped by software.
    pub(crate) fn commands_stopped(&mut self, system: &mut dyn System) {
        self.finish_window(system);
    }
}
