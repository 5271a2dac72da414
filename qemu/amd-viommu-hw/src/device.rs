// SPDX-License-Identifier: GPL-2.0

//! One IOMMU of the machine.

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use amd_iommu_model::counters::Aperture;
use amd_iommu_model::schedule::Engine;
use amd_iommu_model::{pci, Answer, Config, Delivery, Interrupt, Iommu, Message, Request};

use crate::machine::{Callbacks, Machine};
use crate::settings::Settings;
use crate::trace::Trace;

/// Settings and, once the machine is built, the model.
#[derive(Debug, Default)]
pub struct Device(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    iommu: Iommu,
    machine: Machine,
    /// Violations that are in the trace already.
    reported: u64,
}

impl Device {
    /// Nothing panics while it holds the lock, so nothing half done can be behind it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `call` on the model; before power-on the answer is that of hardware which is not there.
    fn with<R: Default>(&self, call: impl FnOnce(&mut Running) -> R) -> R {
        let mut state = self.lock();
        let Some(running) = &mut state.running else {
            return R::default();
        };
        let answer = call(running);
        running.trace_violations();
        answer
    }

    /// Takes a setting. Trace and stall may change at any time, the others before power-on.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn set(&self, name: &str, value: &str) -> Result<(), String> {
        let State { settings, running } = &mut *self.lock();
        let Some(running) = running else {
            return settings.set(name, value);
        };
        match name {
            "stall" => {
                let before = settings.stalled;
                settings.set(name, value)?;
                running.stall(before, false);
                running.stall(settings.stalled, true);
            }
            "trace" => {
                settings.set(name, value)?;
                running.machine.trace = open_trace(settings)?;
            }
            "stats" => settings.set(name, value)?,
            _ => return Err(format!("{name} is decided before power-on")),
        }
        Ok(())
    }

    /// Builds the model.
    ///
    /// # Errors
    ///
    /// A sentence that says why these settings cannot be.
    pub fn power_on(&self, callbacks: Callbacks, device_id: u16) -> Result<(), String> {
        let State { settings, running } = &mut *self.lock();
        let config = settings.config(device_id);
        let mut new = Running {
            iommu: Iommu::new(config).map_err(|error| error.0.to_string())?,
            machine: Machine::new(callbacks, open_trace(settings)?),
            reported: 0,
        };
        new.stall(settings.stalled, true);
        *running = Some(new);
        Ok(())
    }

    /// Reset of the machine.
    pub fn reset(&self) {
        let State { settings, running } = &mut *self.lock();
        if let Some(running) = running {
            running.machine.interrupts.clear();
            running.iommu.reset();
            running.stall(settings.stalled, true);
        }
    }

    /// What the settings come to.
    fn config(&self) -> Config {
        self.lock().settings.config(0)
    }

    /// The capability block.
    pub fn capability(&self, mmio_base: u64) -> [u32; 6] {
        pci::capability(&self.config(), mmio_base)
    }

    /// The vendor-specific capability.
    pub fn vendor_specific(&self) -> Option<[u32; 6]> {
        pci::vendor_specific(&self.config())
    }

    /// Where the VF and the VF control aperture are.
    pub fn apertures(&self) -> (Option<u64>, Option<u64>) {
        let config = self.config();
        (config.vf_bar, config.vf_control_bar)
    }

    /// Reads a register.
    pub fn read(&self, window: Aperture, offset: u64, size: u8) -> u64 {
        self.with(|running| {
            let Running { iommu, machine, .. } = running;
            let value = match window {
                Aperture::Mmio => iommu.mmio_read(machine, offset, size),
                Aperture::Vf => iommu.vf_read(machine, offset, size),
                Aperture::VfControl => iommu.vf_control_read(machine, offset, size),
            };
            machine.trace.register_read(window, offset, size, value);
            value
        })
    }

    /// Writes a register.
    pub fn write(&self, window: Aperture, offset: u64, size: u8, value: u64) {
        self.with(|running| {
            let Running { iommu, machine, .. } = running;
            machine.trace.register_write(window, offset, size, value);
            match window {
                Aperture::Mmio => iommu.mmio_write(machine, offset, size, value),
                Aperture::Vf => iommu.vf_write(machine, offset, size, value),
                Aperture::VfControl => iommu.vf_control_write(machine, offset, size, value),
            }
        });
    }

    /// Translates a request.
    pub fn translate(&self, request: &Request) -> Option<Answer> {
        self.with(|running| {
            let Running { iommu, machine, .. } = running;
            let answer = iommu.translate(machine, request);
            machine.trace.request(request, &answer);
            Some(answer)
        })
    }

    /// Decides over an interrupt of a device.
    pub fn interrupt_of_device(&self, message: &Message) -> Option<Delivery> {
        self.with(|running| {
            let Running { iommu, machine, .. } = running;
            let answer = iommu.interrupt(machine, message);
            machine.trace.message(message, &answer);
            Some(answer)
        })
    }

    /// The time has come that the model asked for.
    pub fn run(&self) {
        self.with(|running| running.iommu.run(&mut running.machine));
    }

    /// The next interrupt to deliver.
    pub fn interrupt(&self) -> Option<Interrupt> {
        self.with(|running| running.machine.interrupts.pop_front())
    }

    /// Writes the statistics, if they have a file. It is there whole or as it was before.
    ///
    /// # Errors
    ///
    /// A sentence that says why it could not be written.
    pub fn dump(&self) -> Result<(), String> {
        let State { settings, running } = &mut *self.lock();
        let (Some(path), Some(running)) = (&settings.statistics, running) else {
            return Ok(());
        };
        let new = format!("{path}.new");
        fs::write(&new, running.iommu.statistics(&running.machine) + "\n")
            .and_then(|()| fs::rename(&new, path))
            .map_err(|error| format!("{path}: {error}"))
    }
}

impl Running {
    fn stall(&mut self, engine: Option<Engine>, on: bool) {
        if let Some(engine) = engine {
            self.iommu.set_stalled(&mut self.machine, engine, on);
        }
    }

    fn trace_violations(&mut self) {
        if !self.machine.trace.is_on() || self.iommu.referee().count() == self.reported {
            return;
        }
        self.reported = self.iommu.referee().count();
        for (rule, place, violation) in self.iommu.referee().violations() {
            let count = violation.count;
            let sentence = &violation.sentence;
            self.machine
                .trace
                .violation(&format!("{rule:?} {place:#x} ({count}): {sentence}"));
        }
    }
}

fn open_trace(settings: &Settings) -> Result<Trace, String> {
    Trace::open(&settings.trace).map_err(|error| format!("trace: {error}"))
}
