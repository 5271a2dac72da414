// SPDX-License-Identifier: GPL-2.0

//! One IOMMU: all parts, and what the machine calls.

use alloc::string::String;

use crate::caches::Caches;
use crate::command::CommandEngine;
use crate::config::{Config, ConfigError};
use crate::counters::Counters;
use crate::device_table::EntryRules;
use crate::event::EventLog;
use crate::referee::Referee;
use crate::registers::Registers;
use crate::schedule::Schedule;
use crate::system::System;
use crate::viommu::Guests;

/// An AMD IOMMU.
///
/// The parts are plain fields; what involves several parts is a method of this type and stands
/// in the module of the part that starts it.
#[derive(Debug)]
pub struct Iommu {
    pub(crate) config: Config,
    /// For device-table entries, while GTEn is 0 and while it is 1. Each request needs them.
    pub(crate) rules: [EntryRules; 2],
    pub(crate) registers: Registers,
    pub(crate) caches: Caches,
    pub(crate) commands: CommandEngine,
    pub(crate) events: EventLog,
    pub(crate) guests: Guests,
    pub(crate) schedule: Schedule,
    pub(crate) referee: Referee,
    pub(crate) counters: Counters,
}

impl Iommu {
    /// An IOMMU after power-on.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the features promise what the model does not have.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.features.check()?;
        Ok(Iommu {
            rules: EntryRules::both(&config),
            registers: Registers::new(&config),
            caches: Caches::new(),
            commands: CommandEngine::default(),
            events: EventLog::default(),
            guests: Guests::default(),
            schedule: Schedule::new(config.asynchrony),
            referee: Referee::default(),
            counters: Counters::default(),
            config,
        })
    }

    /// Reset of the machine: registers, caches and guests start anew, counters and violations
    /// stay.
    pub fn reset(&mut self) {
        self.registers = Registers::new(&self.config);
        self.caches = Caches::new();
        self.commands = CommandEngine::default();
        self.events = EventLog::default();
        self.guests = Guests::default();
        self.schedule = Schedule::new(self.config.asynchrony);
    }

    /// What this model was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What a careful driver would not have done.
    pub fn referee(&self) -> &Referee {
        &self.referee
    }

    /// Counters and violations as one JSON object, with those that are so only by now.
    pub fn statistics(&mut self, system: &dyn System) -> String {
        self.judge_pending(system);
        let mut out = String::from("{");
        self.counters.write_json(&mut out);
        out.push(',');
        self.referee.write_json(&mut out);
        out.push('}');
        out
    }
}
