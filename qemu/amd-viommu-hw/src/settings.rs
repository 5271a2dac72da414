// SPDX-License-Identifier: GPL-2.0

//! What the properties of the device say, by name and as text.

use amd_iommu_model::config::{Config, Features, Readings, SettingError};
use amd_iommu_model::event::LateEvent;
use amd_iommu_model::schedule::Engine;

use crate::trace::Destination;

/// Settings beside the open questions, in the order in which they are listed.
const PLAIN: [&str; 11] = [
    "preset",
    "efr",
    "efr2",
    "vf",
    "vf-control",
    "async",
    "check-hits",
    "event-late",
    "stats",
    "trace",
    "stall",
];

const NANOSECONDS_IN_MS: u64 = 1_000_000;

/// Name of the n-th setting.
pub fn name(index: usize) -> Option<&'static str> {
    let questions = Readings::QUESTIONS.iter().map(|(name, _)| *name);
    PLAIN.into_iter().chain(questions).nth(index)
}

/// All settings of one device.
#[derive(Debug, Default)]
pub struct Settings {
    preset: Option<Features>,
    efr: Option<u64>,
    efr2: Option<u64>,
    vf: Option<u64>,
    vf_control: Option<u64>,
    seed: Option<u64>,
    check_hits: Option<u32>,
    late_event: Option<LateEvent>,
    readings: Readings,
    /// Where the statistics are written.
    pub statistics: Option<String>,
    /// Where the trace is written.
    pub trace: Destination,
    /// The engine that stands still.
    pub stalled: Option<Engine>,
}

impl Settings {
    /// Takes one setting.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the value or the name.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "preset" => self.preset = Some(preset(value)?),
            "efr" => self.efr = Some(number(value)?),
            "efr2" => self.efr2 = Some(number(value)?),
            "vf" => self.vf = Some(aligned(value, 28)?),
            "vf-control" => self.vf_control = Some(aligned(value, 22)?),
            "async" => self.seed = optional(value)?,
            "check-hits" => self.check_hits = Some(small(value)?),
            "event-late" => self.late_event = late_event(value)?,
            "stats" => self.statistics = Some(value.into()),
            "trace" => self.trace = Destination::parse(value),
            "stall" => self.stalled = engine(value)?,
            _ => return self.answer(name, value),
        }
        Ok(())
    }

    /// Takes a reading of an open question.
    fn answer(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.readings.set(name, value).map_err(|error| match error {
            SettingError::UnknownQuestion => format!("there is no setting '{name}'"),
            SettingError::UnknownReading => {
                format!("'{value}' is not one of the readings of {name}")
            }
        })
    }

    /// What the model is built with.
    pub fn config(&self, device_id: u16) -> Config {
        let mut features = self.preset.unwrap_or(Features::genoa());
        features.efr = self.efr.unwrap_or(features.efr);
        features.efr2 = self.efr2.unwrap_or(features.efr2);
        let plain = Config::new(features);
        Config {
            device_id,
            vf_bar: self.vf,
            vf_control_bar: self.vf_control,
            readings: self.readings,
            asynchrony: self.seed,
            late_event: self.late_event,
            check_hits: self.check_hits.unwrap_or(plain.check_hits),
            ..plain
        }
    }
}

fn preset(name: &str) -> Result<Features, String> {
    Features::preset(name).ok_or_else(|| format!("there is no preset '{name}'"))
}

fn number(text: &str) -> Result<u64, String> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| format!("'{text}' is not a number"))
}

fn small(text: &str) -> Result<u32, String> {
    u32::try_from(number(text)?).map_err(|_| format!("'{text}' is too large"))
}

fn aligned(text: &str, bits: u32) -> Result<u64, String> {
    let address = number(text)?;
    if address.trailing_zeros() < bits {
        return Err(format!("'{text}' is not aligned to 2^{bits} bytes"));
    }
    Ok(address)
}

fn optional(text: &str) -> Result<Option<u64>, String> {
    match text {
        "off" => Ok(None),
        _ => number(text).map(Some),
    }
}

/// `NUMBER:MILLISECONDS`, `NUMBER:never` or `off`.
fn late_event(text: &str) -> Result<Option<LateEvent>, String> {
    let Some((event, delay)) = text.split_once(':') else {
        return match text {
            "off" => Ok(None),
            _ => Err(format!("'{text}' is not off, N:MILLISECONDS or N:never")),
        };
    };
    let delay = match delay {
        "never" => None,
        _ => Some(u64::from(small(delay)?) * NANOSECONDS_IN_MS),
    };
    Ok(Some(LateEvent {
        number: number(event)?,
        delay,
    }))
}

fn engine(text: &str) -> Result<Option<Engine>, String> {
    match (text, text.strip_prefix("guest:")) {
        ("none", _) => Ok(None),
        ("host", _) => Ok(Some(Engine::HostCommands)),
        ("events", _) => Ok(Some(Engine::Events)),
        (_, Some(gid)) => guest(gid).map(Some),
        _ => Err(format!("'{text}' is not none, host, events or guest:N")),
    }
}

fn guest(gid: &str) -> Result<Engine, String> {
    let gid = u16::try_from(number(gid)?).map_err(|_| format!("'{gid}' is no guest ID"))?;
    Ok(Engine::GuestCommands(gid))
}

#[cfg(test)]
mod tests;
