// SPDX-License-Identifier: GPL-2.0

//! The host command ring: fetch, and refusal of what cannot be executed.
//!
//! The head advances when a command is fetched. A command that is illegal, or cannot be fetched,
//! or whose store fails, stops the engine; where the head then stands is OQ-33.

use alloc::format;

use crate::command::window::{Wait, Window};
use crate::command::{Command, Illegal, Source};
use crate::config::RefusedHead;
use crate::event::{Event, HardwareError, VFlags};
use crate::referee::Rule;
use crate::registers::status::COMMAND_RUN;
use crate::schedule::Engine;
use crate::system::System;
use crate::Iommu;

/// Most commands in one call of a synchronous model: some milliseconds.
const MOST_COMMANDS: u32 = 512;

/// State of the host command engine beside its registers.
#[derive(Debug, Default)]
pub struct CommandEngine {
    /// What has been fetched and not been executed; always empty in a synchronous model.
    pub(super) window: Window,
}

/// A command in memory.
#[derive(Clone, Copy, Debug)]
struct Raw {
    address: u64,
    words: [u32; 4],
}

impl Iommu {
    /// The host's command engine has something to do, perhaps: its tail moved, or it started to
    /// run. Works at once in a synchronous model, as far as one call may; arranges a wake-up in an
    /// asynchronous one.
    pub(crate) fn commands_ready(&mut self, system: &mut dyn System) {
        if self.schedule.is_async() {
            self.wake_engines(system);
            return;
        }
        for _ in 0..MOST_COMMANDS {
            if !self.can_fetch() {
                return;
            }
            self.fetch(system);
            self.finish_window(system);
        }
        self.go_on_later(system);
    }

    /// Whether the engine runs, does not stand still on request, and has a command to fetch.
    pub(super) fn can_fetch(&self) -> bool {
        self.registers.status.has(COMMAND_RUN)
            && !self.registers.command.is_empty()
            && !self.schedule.is_stalled(Engine::HostCommands)
    }

    /// Fetches the command at the head into the window.
    pub(super) fn fetch(&mut self, system: &mut dyn System) {
        let ring = &mut self.registers.command;
        let address = ring.at_head();
        ring.head = ring.after(ring.head);
        match read_words(system, address) {
            Some(words) => self.admit(system, Raw { address, words }),
            None => self.refuse_failed(system, address, address),
        }
    }

    fn admit(&mut self, system: &mut dyn System, raw: Raw) {
        let Raw { address, words } = raw;
        let config = &self.config;
        match Command::decode(words, &config.features, &config.readings, Source::Host) {
            Ok(Command::CompletionWait { store, interrupt }) => {
                self.commands.window.close(Wait {
                    address,
                    store,
                    interrupt,
                });
            }
            Ok(command) => self.commands.window.put(command),
            Err(illegal) => self.refuse_illegal(system, raw, illegal),
        }
    }

    fn refuse_illegal(&mut self, system: &mut dyn System, raw: Raw, illegal: Illegal) {
        self.blame(raw, illegal);
        let [_, dw1, _, _] = raw.words;
        if illegal == Illegal::Reserved && dw1 >> 28 == 9 {
            // A bad INSERT_GUEST_EVENT has an event of its own, which does not stop the engine
            // (hardware.md 3.5, 7.7).
            let gid = dw1 as u16;
            let vflags = VFlags::default();
            return self.report(system, Event::GuestEventFault { gid, vflags });
        }
        self.finish_window(system);
        let event = Event::IllegalCommand {
            address: raw.address,
            vflags: VFlags::default(),
        };
        self.halt(system, raw.address, event);
    }

    fn blame(&mut self, raw: Raw, illegal: Illegal) {
        let Raw { address, words } = raw;
        let [_, dw1, _, _] = words;
        let (rule, what) = match illegal {
            Illegal::Opcode(_) => (
                Rule::UnknownCommand,
                "an opcode that this part does not have",
            ),
            Illegal::Reserved => (Rule::ReservedCommandBit, "a reserved bit set"),
        };
        self.referee.report(rule, u64::from(dw1 >> 28), || {
            format!("The command at {address:#x} has {what}: {words:08x?}.")
        });
    }

    /// The command at `command` cannot be executed because memory at `address` does not answer.
    pub(super) fn refuse_failed(&mut self, system: &mut dyn System, command: u64, address: u64) {
        self.finish_window(system);
        let event = Event::CommandHardwareError {
            address,
            error: HardwareError::DataError,
            vflags: VFlags::default(),
        };
        self.halt(system, command, event);
    }

    fn halt(&mut self, system: &mut dyn System, command: u64, event: Event) {
        self.registers.status.put(COMMAND_RUN, false);
        let ring = &mut self.registers.command;
        // Software may have moved the ring or its head since the command was fetched, if the
        // engine stood still meanwhile; the head is not that of this command then.
        let offset = ring.head.wrapping_sub(16) & (ring.bytes() - 1);
        let is_last_fetched = ring.base.wrapping_add(u64::from(offset)) == command;
        match self.config.readings.refused_head {
            RefusedHead::OnCommand if is_last_fetched => ring.head = offset,
            RefusedHead::AtTail if is_last_fetched => ring.head = ring.tail,
            _ => {}
        }
        self.report(system, event);
    }
}

fn read_words(system: &mut dyn System, address: u64) -> Option<[u32; 4]> {
    let mut bytes = [0; 16];
    system.read(address, &mut bytes).ok()?;
    let word = |index: u32| (u128::from_le_bytes(bytes) >> (32 * index)) as u32;
    Some([0, 1, 2, 3].map(word))
}
