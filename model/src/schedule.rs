// SPDX-License-Identifier: GPL-2.0

//! When things are done: at once, or after seeded random delays; and engines that stand still on
//! request.
//!
//! In a synchronous model every engine works inside the register write that gave it work. It stops
//! there when it has done much, and goes on in a call of [`Iommu::run`] a little later, so that no
//! ring is so long that it holds the machine. In an asynchronous model a doorbell only arranges
//! that call; each one lets randomly chosen engines take a random number of steps and arranges the
//! next one. All randomness comes from one generator, so that the same seed and the same calls
//! give the same run.

use alloc::collections::BTreeSet;

use crate::system::System;
use crate::Iommu;

/// An engine that works by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// The host's command ring.
    HostCommands,
    /// The command ring of one guest.
    GuestCommands(u16),
    /// The host's event log.
    Events,
}

/// Most steps of one call of [`Iommu::run`].
const MOST_STEPS: u64 = 48;

/// Nanoseconds after which a synchronous model goes on with work that was too much for one call.
/// The rest of the machine gets its turn meanwhile.
const PAUSE: u64 = 1_000_000;

/// Randomness, stalls, and the time of the next work.
#[derive(Debug)]
pub struct Schedule {
    /// State of the generator; `None` in a synchronous model.
    random: Option<u64>,
    stalled: BTreeSet<Engine>,
    /// When [`Iommu::run`] is to be called. Later requests replace earlier ones at the machine,
    /// so that only the earliest may be asked for.
    due: Option<u64>,
}

impl Schedule {
    /// A schedule with this seed, or a synchronous one.
    pub fn new(seed: Option<u64>) -> Self {
        Schedule {
            random: seed,
            stalled: BTreeSet::new(),
            due: None,
        }
    }

    /// Whether engines work after a delay.
    pub fn is_async(&self) -> bool {
        self.random.is_some()
    }

    /// A random number below `limit`; 0 in a synchronous model.
    pub fn below(&mut self, limit: u64) -> u64 {
        let Some(state) = &mut self.random else {
            return 0;
        };
        splitmix64(state).checked_rem(limit).unwrap_or(0)
    }

    /// Whether an engine stands still.
    pub fn is_stalled(&self, engine: Engine) -> bool {
        self.stalled.contains(&engine)
    }

    /// Nanoseconds until an engine goes on: some microseconds mostly, often some hundred, now
    /// and then milliseconds, so that a driver that waits for the usual time only is found.
    fn delay(&mut self) -> u64 {
        match self.below(32) {
            0 => 1_000_000 + self.below(4_000_000),
            1..=7 => self.below(300_000),
            _ => self.below(20_000),
        }
    }

    /// Notes that work is to be done at `time`. Returns whether the machine has to be told.
    fn arrange(&mut self, time: u64) -> bool {
        let sooner = self.due.is_none_or(|due| time < due);
        if sooner {
            self.due = Some(time);
        }
        sooner
    }

    /// Whether the time of the next work has come; forgets it then.
    fn is_due(&mut self, now: u64) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = None;
        }
        due
    }
}

/// The generator by Steele, Lea and Flood: any seed will do, 0 included.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Iommu {
    /// Works on what is due. The machine calls it at the time it was asked to by
    /// [`System::wake`]; calling it at other times is harmless.
    pub fn run(&mut self, system: &mut dyn System) {
        if !self.schedule.is_due(system.now()) {
            return;
        }
        self.bring_delayed(system);
        if !self.schedule.is_async() {
            self.commands_ready(system);
            return self.start_guests(system);
        }
        self.guests_call_begins();
        for _ in 0..=self.schedule.below(MOST_STEPS) {
            if !self.step_any(system) {
                return;
            }
        }
        self.wake_engines(system);
    }

    /// An engine has work, perhaps: arranges a call of [`Iommu::run`] after a random delay. Does
    /// nothing in a synchronous model.
    pub(crate) fn wake_engines(&mut self, system: &mut dyn System) {
        if !self.schedule.is_async() {
            return;
        }
        let delay = self.schedule.delay();
        self.wake_after(system, delay);
    }

    /// A call of a synchronous model has done as much as one may: the rest waits for
    /// [`Iommu::run`].
    pub(crate) fn go_on_later(&mut self, system: &mut dyn System) {
        self.wake_after(system, PAUSE);
    }

    /// Arranges a call of [`Iommu::run`] after so many nanoseconds, or sooner.
    pub(crate) fn wake_after(&mut self, system: &mut dyn System, delay: u64) {
        let time = system.now().saturating_add(delay);
        if self.schedule.arrange(time) {
            system.wake(time);
        }
    }

    /// Lets an engine stand still, or go on: commands are not fetched and those in flight are not
    /// finished; events are held back. Registers and translation work as ever.
    pub fn set_stalled(&mut self, system: &mut dyn System, engine: Engine, on: bool) {
        self.judge_pending(system);
        if on {
            self.schedule.stalled.insert(engine);
        } else if self.schedule.stalled.remove(&engine) {
            self.resume(system, engine);
        }
    }

    fn resume(&mut self, system: &mut dyn System, engine: Engine) {
        if self.schedule.is_async() {
            self.wake_engines(system);
            return;
        }
        match engine {
            Engine::HostCommands => self.commands_ready(system),
            Engine::GuestCommands(_) => self.start_guests(system),
            // What is held back is bounded, so this ends.
            Engine::Events => while self.step_events(system) {},
        }
    }

    /// One step of one engine that has work, beginning with a random one. Returns false if none
    /// has any.
    fn step_any(&mut self, system: &mut dyn System) -> bool {
        let first = self.schedule.below(5);
        (0..5).any(|next| match (first + next) % 5 {
            0 => self.step_commands(system),
            1 => self.step_guests(system),
            2 => self.step_updates(system),
            3 => self.step_guest_events(system),
            _ => self.step_events(system),
        })
    }
}
