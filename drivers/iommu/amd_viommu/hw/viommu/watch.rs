// SPDX-License-Identifier: GPL-2.0

//! Whether a guest's command queue has stopped by itself.
//!
//! Its status says whether it runs. That it does not means nothing shortly after it was enabled: the hardware
//! takes its time to start it.

/// How long that may take, in milliseconds. No source says; an access to memory takes much less.
pub const START: u64 = 50;

/// What a look at the queue's status has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The queue runs, or is not meant to, or it is known that it has stopped.
    Well,
    /// It has stopped, and nobody has found that before.
    Halted,
    /// It may only just have been enabled. Somebody has to look again.
    Early,
}

/// Watches one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    enabled: Option<u64>,
    /// It has been seen to run since.
    ran: bool,
    found: bool,
}

impl Watch {
    /// The enable is written, at a time in milliseconds.
    pub fn set_enabled(&mut self, yes: bool, now: u64) {
        match (yes, self.enabled) {
            (true, Some(_)) => {}
            (true, None) => {
                *self = Self {
                    enabled: Some(now),
                    ..Self::default()
                }
            }
            (false, _) => *self = Self::default(),
        }
    }

    /// Whether the queue is meant to run.
    pub fn is_enabled(&self) -> bool {
        self.enabled.is_some()
    }

    /// The status says whether the queue runs.
    pub fn look(&mut self, runs: bool, now: u64) -> Look {
        let Some(enabled) = self.enabled else {
            return Look::Well;
        };
        self.ran |= runs;
        if runs || self.found {
            return Look::Well;
        }
        if !self.ran && now.wrapping_sub(enabled) < START {
            return Look::Early;
        }
        self.found = true;
        Look::Halted
    }
}
