// SPDX-License-Identifier: GPL-2.0

//! When a guest's devices cause more events than anybody can want.
//!
//! The log of the hardware is one for all guests. A device that fills it takes the place of the events of
//! others, so the hardware is told to log no more of its faults (SA and IG in its device table entry).

/// How long events are counted, in milliseconds.
pub const PERIOD: u64 = 1000;

/// How many there may be in that time: half of what a log of 512 has room for.
pub const LIMIT: u32 = 256;

/// Counts the events of one guest's devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storm {
    since: u64,
    count: u32,
}

impl Storm {
    /// One more event, at a time in milliseconds. Returns whether it is one too many.
    pub fn hit(&mut self, now: u64) -> bool {
        if now.wrapping_sub(self.since) >= PERIOD {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
        self.count > LIMIT
    }
}
