// SPDX-License-Identifier: GPL-2.0

//! An IOMMU in a machine, with what a small driver would do.

use amd_iommu_model::config::Features;
use amd_iommu_model::referee::{Rule, GRACE};
use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Config, Delivery, Iommu, Message, Request};

use super::command;
use super::entry::Dte;
use super::event::Logged;
use super::machine::Machine;

/// Offsets of MMIO registers (hardware.md 3.1).
pub mod reg {
    pub const DEVICE_TABLE: u64 = 0x00;
    pub const COMMAND_BASE: u64 = 0x08;
    pub const EVENT_BASE: u64 = 0x10;
    pub const CONTROL: u64 = 0x18;
    pub const EXCLUSION_BASE: u64 = 0x20;
    pub const EXCLUSION_LIMIT: u64 = 0x28;
    pub const HW_EVENT_LOW: u64 = 0x40;
    pub const HW_EVENT_HIGH: u64 = 0x48;
    pub const HW_EVENT_STATUS: u64 = 0x50;
    pub const COMMAND_HEAD: u64 = 0x2000;
    pub const COMMAND_TAIL: u64 = 0x2008;
    pub const EVENT_HEAD: u64 = 0x2010;
    pub const EVENT_TAIL: u64 = 0x2018;
    pub const STATUS: u64 = 0x2020;
}

/// Bits of the control register (hardware.md 2.3).
pub mod control {
    pub const IOMMU: u64 = 1 << 0;
    pub const EVENT_LOG: u64 = 1 << 2;
    pub const EVENT_INT: u64 = 1 << 3;
    pub const COM_WAIT_INT: u64 = 1 << 4;
    pub const COHERENT: u64 = 1 << 10;
    pub const COMMAND_BUFFER: u64 = 1 << 12;
    pub const GUEST: u64 = 1 << 16;
    pub const GUEST_APIC: u64 = 1 << 17;
    pub const VCMD: u64 = 1 << 52;
    pub const VIOMMU: u64 = 1 << 53;
    pub const GCR3_TRP: u64 = 1 << 58;
    pub const NO_INTERRUPT_CACHE: u64 = 1 << 59;
    pub const GUEST_BUFFER_TRP: u64 = 1 << 60;
}

/// Length code of the command ring and the event log: 8 KiB, 512 entries.
pub const CODE: u64 = 9;
const RING_BYTES: u64 = 16 << CODE;

/// More wake-ups than this without coming to rest is a hang.
const MOST_WAKES: u64 = 2_000_000;

/// An IOMMU, the machine around it, and where the driver has put its tables.
pub struct Bench {
    /// The model under test.
    pub iommu: Iommu,
    /// The world around it.
    pub machine: Machine,
    /// The device table, for all 65536 requester IDs.
    pub device_table: u64,
    /// The command ring.
    pub commands: u64,
    /// The event log.
    pub log: u64,
    /// Where completions are stored.
    pub semaphore: u64,
    sequence: u64,
}

impl Bench {
    /// A part with everything, brought up, synchronous. All device-table entries are 0.
    pub fn genoa() -> Self {
        Self::on(Config::new(Features::genoa()))
    }

    /// The same with seeded random delays.
    pub fn genoa_async(seed: u64) -> Self {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = Some(seed);
        Self::on(config)
    }

    /// Any part, brought up.
    pub fn on(config: Config) -> Self {
        let mut bench = Self::off(config);
        bench.bring_up();
        bench
    }

    /// Any part as it is after power-on; only memory has been set aside.
    pub fn off(config: Config) -> Self {
        let mut machine = Machine::new();
        Bench {
            iommu: Iommu::new(config).expect("a part that the model has"),
            device_table: machine.pages(512),
            commands: machine.pages(RING_BYTES / 4096),
            log: machine.pages(RING_BYTES / 4096),
            semaphore: machine.page(),
            machine,
            sequence: 0,
        }
    }

    /// The order of Linux (hardware.md 3.8), without logs and interrupts that the model lacks.
    pub fn bring_up(&mut self) {
        self.set(reg::CONTROL, 0);
        self.set(reg::DEVICE_TABLE, self.device_table | 0x1ff);
        self.set(reg::COMMAND_BASE, self.commands | CODE << 56);
        self.set(reg::COMMAND_HEAD, 0);
        self.set(reg::COMMAND_TAIL, 0);
        self.set_control(control::COMMAND_BUFFER | control::COHERENT);
        self.enable_features();
        self.set_control(control::IOMMU);
        if self.iommu.config().features.invalidate_all() {
            self.execute(&[command::invalidate_all()]);
        }
        self.set(reg::EVENT_BASE, self.log | CODE << 56);
        self.set(reg::EVENT_HEAD, 0);
        self.set(reg::EVENT_TAIL, 0);
        self.set_control(control::EVENT_LOG);
        self.set_control(control::EVENT_INT);
    }

    fn enable_features(&mut self) {
        let features = self.iommu.config().features;
        if features.guest_translation() {
            self.set_control(control::GUEST);
        }
        if features.gcr3_trp() {
            self.set_control(control::GCR3_TRP);
        }
        if features.guest_apic() {
            self.set_control(control::GUEST_APIC);
        }
    }

    /// Reads a 64-bit register.
    pub fn get(&mut self, offset: u64) -> u64 {
        self.iommu.mmio_read(&mut self.machine, offset, 8)
    }

    /// Writes a 64-bit register.
    pub fn set(&mut self, offset: u64, value: u64) {
        self.iommu.mmio_write(&mut self.machine, offset, 8, value);
    }

    /// Sets bits of the control register.
    pub fn set_control(&mut self, bits: u64) {
        let value = self.get(reg::CONTROL);
        self.set(reg::CONTROL, value | bits);
    }

    /// Clears bits of the control register.
    pub fn clear_control(&mut self, bits: u64) {
        let value = self.get(reg::CONTROL);
        self.set(reg::CONTROL, value & !bits);
    }

    /// Writes a device-table entry to memory; the IOMMU is not told.
    pub fn put_entry(&mut self, requester: u16, words: [u64; 4]) {
        let at = self.device_table + 32 * u64::from(requester);
        for (place, word) in (at..).step_by(8).zip(words) {
            self.machine.poke(place, word);
        }
    }

    /// Writes a device-table entry, has the cached one dropped and waits for that.
    pub fn install(&mut self, requester: u16, entry: &Dte) {
        self.put_entry(requester, entry.words());
        self.execute(&[command::invalidate_entry(requester)]);
    }

    /// Puts commands into the ring, in as many doorbells as its size demands.
    pub fn submit(&mut self, commands: &[[u32; 4]]) {
        let mut tail = self.get(reg::COMMAND_TAIL);
        for words in commands {
            let next = (tail + 16) % RING_BYTES;
            if next == self.get(reg::COMMAND_HEAD) {
                self.set(reg::COMMAND_TAIL, tail);
                self.advance();
                assert_ne!(next, self.get(reg::COMMAND_HEAD), "the ring stays full");
            }
            self.machine.poke_words(self.commands + tail, *words);
            tail = next;
        }
        self.set(reg::COMMAND_TAIL, tail);
    }

    /// Submits a COMPLETION_WAIT and waits for its store, as long as anything moves.
    pub fn try_completion_wait(&mut self) -> bool {
        self.sequence += 1;
        let store = Some((self.semaphore, self.sequence));
        self.submit(&[command::completion_wait(store, false)]);
        self.advance();
        self.machine.peek(self.semaphore) == self.sequence
    }

    /// Submits a COMPLETION_WAIT and waits for its store.
    pub fn completion_wait(&mut self) {
        assert!(
            self.try_completion_wait(),
            "COMPLETION_WAIT never completes"
        );
    }

    /// Puts commands into the ring and waits until they are done.
    pub fn execute(&mut self, commands: &[[u32; 4]]) {
        self.submit(commands);
        self.completion_wait();
    }

    /// Lets the time pass that software has for the invalidations it owes, and has the referee look.
    pub fn end_grace(&mut self) {
        self.machine.time += GRACE;
        self.iommu.judge_pending(&self.machine);
    }

    /// Violations of a rule once every invalidation that is owed is late.
    pub fn late(&mut self, rule: Rule) -> u64 {
        self.end_grace();
        self.iommu.referee().count_of(rule)
    }

    /// Uses of old translations that nobody has invalidated in time.
    pub fn stale(&mut self) -> u64 {
        self.late(Rule::StaleTranslation)
    }

    /// Runs the IOMMU at the times it asks for until it has nothing more to do.
    pub fn advance(&mut self) {
        for _ in 0..MOST_WAKES {
            let Some(time) = self.machine.wake.take() else {
                return;
            };
            self.machine.time = self.machine.time.max(time);
            self.iommu.run(&mut self.machine);
        }
        panic!("the IOMMU does not come to rest");
    }

    /// Clears the event bits of the status register and takes all events out of the log.
    pub fn events(&mut self) -> Vec<Logged> {
        self.advance();
        self.set(reg::STATUS, 3);
        let (mut head, tail) = (self.get(reg::EVENT_HEAD), self.get(reg::EVENT_TAIL));
        let mut events = Vec::new();
        while head != tail {
            events.push(Logged(self.machine.peek_words(self.log + head)));
            head = (head + 16) % RING_BYTES;
        }
        self.set(reg::EVENT_HEAD, head);
        events
    }

    /// The one event that there is.
    pub fn only_event(&mut self) -> Logged {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events[0]
    }

    /// The one event of a request without PASID, which is aborted.
    pub fn aborts(&mut self, requester: u16, address: u64, access: Access) -> Logged {
        let answer = self.dma(requester, address, access, None);
        assert_eq!(answer, Answer::Abort);
        self.only_event()
    }

    /// A request of a device: a supervisor access if it has a PASID, see [`Bench::request`].
    pub fn dma(
        &mut self,
        requester: u16,
        address: u64,
        access: Access,
        pasid: Option<u32>,
    ) -> Answer {
        self.request(&Request {
            requester,
            address,
            access,
            pasid,
            privileged: pasid.is_some(),
        })
    }

    /// A request of a device with every attribute.
    pub fn request(&mut self, request: &Request) -> Answer {
        self.iommu.translate(&mut self.machine, request)
    }

    /// An interrupt of a device without PASID, at the address that Linux gives remapped ones: where
    /// it goes, `None` if it is aborted.
    pub fn interrupt(&mut self, requester: u16, data: u32) -> Option<(u64, u32)> {
        self.message(&Message {
            requester,
            address: 0xfee0_0000,
            data,
            pasid: None,
        })
    }

    /// An interrupt with every attribute.
    pub fn message(&mut self, message: &Message) -> Option<(u64, u32)> {
        match self.iommu.interrupt(&mut self.machine, message) {
            Delivery::Send { address, data } => Some((address, data)),
            Delivery::Abort => None,
        }
    }

    /// Address where a request goes, `None` if it is aborted.
    pub fn target(&mut self, requester: u16, address: u64, access: Access) -> Option<u64> {
        match self.dma(requester, address, access, None) {
            Answer::Forward(translation) => Some(translation.address),
            Answer::Abort => None,
        }
    }

    /// Violations so far, as lines; empty if software was careful.
    pub fn violations(&self) -> Vec<String> {
        self.iommu
            .referee()
            .violations()
            .map(|(rule, place, found)| {
                format!(
                    "{rule:?} at {place:#x} x{}: {}",
                    found.count, found.sentence
                )
            })
            .collect()
    }
}

/// Words that a sentence of the referee must not have.
const FOREIGN: [&str; 9] = [
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "true",
    "false",
    "NotPresent",
    "BadTable",
    " { ",
];

/// A word of the programming language in a sentence for people.
pub fn foreign_words(sentence: &str) -> Option<&'static str> {
    FOREIGN.into_iter().find(|word| sentence.contains(word))
}

/// Whatever a test is about, what the referee said in it is plain.
impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for line in self.iommu.referee().violations() {
            let sentence = &line.2.sentence;
            let found = foreign_words(sentence);
            assert_eq!(found, None, "{sentence}");
        }
    }
}
