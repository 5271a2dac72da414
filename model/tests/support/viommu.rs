// SPDX-License-Identifier: GPL-2.0

//! What the tests of HW-vIOMMU share: a host that has set up the private address space, and guests
//! with a command buffer, an event log and both maps (hardware.md 7.1 and 7.2).

use amd_iommu_model::config::{Features, Readings};
use amd_iommu_model::referee::Rule;
use amd_iommu_model::Config;

use crate::support::bench::control;
use crate::support::{command, Bench, Dte, HostTables, Logged, Rights, GUEST_OFFSET};

/// Offsets in a VF control block.
pub mod ctl {
    pub const DEVICE_MAP: u64 = 0x00;
    pub const DOMAIN_MAP: u64 = 0x08;
    pub const MISC: u64 = 0x10;
    pub const COMMAND: u64 = 0x20;
    pub const EVENT: u64 = 0x28;
}

/// Offsets in a VF page.
pub mod page {
    pub const COMMAND_HEAD: u64 = 0x00;
    pub const COMMAND_TAIL: u64 = 0x08;
    pub const EVENT_HEAD: u64 = 0x10;
    pub const EVENT_TAIL: u64 = 0x18;
    pub const STATUS: u64 = 0x20;
}

/// Enable and interrupt enable of both rings.
pub const ENABLES: u64 = 0x300;
/// vCmd in dw0[31:27] of an event.
pub const VCMD: u8 = 0x10;
/// vEvent in dw0[31:27] of an event.
pub const VEVENT: u8 = 4;
/// EventOverflow, EventLogInt, ComWaitInt, EventLogRun, CmdBufRun.
pub const OVERFLOW: u64 = 1;
pub const EVENT_INT: u64 = 2;
pub const WAIT_INT: u64 = 4;
pub const EVENT_RUN: u64 = 8;
pub const COMMAND_RUN: u64 = 0x10;

/// What switches HW-vIOMMU on beside IommuEn and GAEn.
pub const VIOMMU_BITS: u64 = control::VCMD | control::VIOMMU | control::GUEST_BUFFER_TRP;

/// DomainID of the private address space.
const PRIVATE_DOMAIN: u16 = 0x20;
/// DomainID of the tables below all guests.
const PARENT_DOMAIN: u16 = 0x10;

/// A host with HW-vIOMMU switched on.
pub struct Host {
    pub bench: Bench,
    /// The private address space.
    pub private: HostTables,
    /// What lies at private address 0: 8 MiB.
    pub first: u64,
    /// Guest physical to system physical.
    pub parent: HostTables,
}

/// One guest, as its VMM knows it.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    pub gid: u16,
    /// System physical addresses; the guest has them [`GUEST_OFFSET`] lower.
    pub ring: u64,
    pub log: u64,
    /// Length code of the ring.
    pub code: u64,
    /// Where the maps are in memory.
    pub devices: u64,
    pub domains: u64,
    pub translate_id: u16,
}

/// A part with these readings, seeded or synchronous.
pub fn config(readings: Readings, seed: Option<u64>) -> Config {
    Config {
        readings,
        asynchrony: seed,
        ..Config::new(Features::genoa())
    }
}

impl Host {
    /// With all defaults.
    pub fn new() -> Self {
        Self::with(config(Readings::default(), None))
    }

    /// With some questions answered otherwise, synchronous.
    pub fn reading(change: impl FnOnce(&mut Readings)) -> Self {
        let mut readings = Readings::default();
        change(&mut readings);
        Self::with(config(readings, None))
    }

    /// Any part, brought up, HW-vIOMMU on, no guest.
    pub fn with(config: Config) -> Self {
        let mut host = Self::without_private(config);
        for part in 0..4 {
            let (from, to) = (part << 21, host.first + (part << 21));
            host.private
                .map(&mut host.bench.machine, from, to, 1 << 21, Rights::ALL);
        }
        host.flush_private();
        host.bench.set_control(VIOMMU_BITS);
        host
    }

    /// Brought up, HW-vIOMMU off, nothing mapped in the private address space.
    pub fn without_private(config: Config) -> Self {
        let own = config.device_id;
        let mut bench = Bench::on(config);
        let private = HostTables::new(&mut bench.machine, 3);
        let parent = HostTables::new(&mut bench.machine, 4);
        parent.map_guest_memory(&mut bench.machine);
        let first = bench.machine.pages(2048);
        bench.install(own, &Dte::host(PRIVATE_DOMAIN, private.root, 3));
        Host {
            bench,
            private,
            first,
            parent,
        }
    }

    /// The private address space has changed.
    pub fn flush_private(&mut self) {
        self.bench
            .execute(&[command::invalidate_domain(PRIVATE_DOMAIN, None)]);
    }

    /// The tables below the guests have changed.
    pub fn flush_parent(&mut self) {
        self.bench
            .execute(&[command::invalidate_domain(PARENT_DOMAIN, None)]);
    }

    /// A guest with empty maps, ready to be enabled: RESET_VMMIO, translate device ID, maps.
    pub fn guest(&mut self, gid: u16, code: u64) -> Guest {
        let translate_id = 0xfff0 - gid;
        self.bench.execute(&[command::reset_vmmio(gid)]);
        self.bench.install(
            translate_id,
            &Dte::host(PARENT_DOMAIN, self.parent.root, self.parent.levels.into()),
        );
        let machine = &mut self.bench.machine;
        let guest = Guest {
            gid,
            ring: machine.pages((16 << code) / 4096),
            log: machine.pages(1),
            code,
            devices: machine.pages(256),
            domains: machine.pages(128),
            translate_id,
        };
        self.map_tables(&guest);
        self.set(&guest, ctl::MISC, u64::from(translate_id) << 16);
        guest
    }

    /// Leaves a guest no memory but its ring and its log.
    pub fn confine(&mut self, guest: &Guest) {
        let machine = &mut self.bench.machine;
        let tables = HostTables::new(machine, 4);
        for page in [guest.ring, guest.log] {
            tables.map(machine, page - GUEST_OFFSET, page, 0x1000, Rights::ALL);
        }
        let domain = 0x1000 | guest.gid;
        self.bench
            .install(guest.translate_id, &Dte::host(domain, tables.root, 4));
    }

    fn map_tables(&mut self, guest: &Guest) {
        let machine = &mut self.bench.machine;
        let gid = u64::from(guest.gid);
        let places = [
            (0x10_0000_0000 + (gid << 20), guest.devices, 1 << 20),
            (0x20_0000_0000 + (gid << 19), guest.domains, 1 << 19),
        ];
        for (from, to, size) in places {
            self.private.map(machine, from, to, size, Rights::ALL);
        }
        self.flush_private();
    }

    /// A guest whose engines run.
    pub fn running_guest(&mut self, gid: u16) -> Guest {
        let guest = self.guest(gid, 8);
        self.enable(&guest);
        guest
    }

    /// Programs ring and log, then switches both on, with their interrupts.
    pub fn enable(&mut self, guest: &Guest) {
        let (ring, log) = (guest.ring - GUEST_OFFSET, guest.log - GUEST_OFFSET);
        self.set(guest, ctl::COMMAND, ring | guest.code);
        self.set(guest, ctl::EVENT, log | 8);
        self.set(guest, ctl::COMMAND, ring | guest.code | ENABLES);
        self.set(guest, ctl::EVENT, log | 8 | ENABLES);
    }

    /// Reads a control register.
    pub fn get(&mut self, guest: &Guest, offset: u64) -> u64 {
        let at = (u64::from(guest.gid) << 6) + offset;
        self.bench
            .iommu
            .vf_control_read(&mut self.bench.machine, at, 8)
    }

    /// Writes a control register.
    pub fn set(&mut self, guest: &Guest, offset: u64, value: u64) {
        let at = (u64::from(guest.gid) << 6) + offset;
        self.bench
            .iommu
            .vf_control_write(&mut self.bench.machine, at, 8, value);
    }

    /// Reads a register of the VF page.
    pub fn vf(&mut self, guest: &Guest, offset: u64) -> u64 {
        let at = (u64::from(guest.gid) << 12) + offset;
        self.bench.iommu.vf_read(&mut self.bench.machine, at, 8)
    }

    /// Writes a register of the VF page.
    pub fn set_vf(&mut self, guest: &Guest, offset: u64, value: u64) {
        let at = (u64::from(guest.gid) << 12) + offset;
        self.bench
            .iommu
            .vf_write(&mut self.bench.machine, at, 8, value);
    }

    /// Maps a device ID of the guest, with the barrier that OQ-20 asks for.
    pub fn map_device(&mut self, guest: &Guest, from: u16, to: u16) {
        self.set(guest, ctl::DEVICE_MAP, map_value(from, to, true));
        self.get(guest, ctl::DEVICE_MAP);
    }

    /// Maps a DomainID of the guest, with the same barrier.
    pub fn map_domain(&mut self, guest: &Guest, from: u16, to: u16) {
        self.set(guest, ctl::DOMAIN_MAP, map_value(from, to, true));
        self.get(guest, ctl::DOMAIN_MAP);
    }

    /// Writes commands behind the guest's tail and moves it, in as many steps as the ring needs.
    /// False if the engine does not take them.
    pub fn submit(&mut self, guest: &Guest, commands: &[[u32; 4]]) -> bool {
        let size = 16 << guest.code;
        for part in commands.chunks(size / 16 - 1) {
            let mut tail = self.vf(guest, page::COMMAND_TAIL);
            for words in part {
                self.bench.machine.poke_words(guest.ring + tail, *words);
                tail = (tail + 16) % size as u64;
            }
            self.set_vf(guest, page::COMMAND_TAIL, tail);
            self.bench.advance();
            if self.vf(guest, page::COMMAND_HEAD) != tail {
                return false;
            }
        }
        true
    }

    /// Status of the guest.
    pub fn status(&mut self, guest: &Guest) -> u64 {
        self.vf(guest, page::STATUS)
    }

    /// Takes the events out of the guest's log.
    pub fn guest_events(&mut self, guest: &Guest) -> Vec<Logged> {
        let tail = self.vf(guest, page::EVENT_TAIL);
        let mut head = self.vf(guest, page::EVENT_HEAD);
        let mut events = Vec::new();
        while head != tail {
            events.push(Logged(self.bench.machine.peek_words(guest.log + head)));
            head = (head + 16) % 4096;
        }
        self.set_vf(guest, page::EVENT_HEAD, head);
        events
    }

    /// A place in guest memory: its guest physical address, and where that is.
    pub fn place(&mut self) -> (u64, u64) {
        let at = self.bench.machine.page();
        (at - GUEST_OFFSET, at)
    }

    /// How often a rule was broken.
    pub fn broken(&self, rule: Rule) -> u64 {
        self.bench.iommu.referee().count_of(rule)
    }

    /// Guest interrupts so far.
    pub fn interrupts(&self, guest: &Guest) -> u64 {
        let counters = &self.bench.iommu.counters().guest_interrupts;
        counters.get(&guest.gid).copied().unwrap_or(0)
    }

    /// Commands of a guest executed so far, by opcode.
    pub fn executed(&self, guest: &Guest, opcode: u8) -> u64 {
        let counters = &self.bench.iommu.counters().commands;
        counters
            .get(&(Some(guest.gid), opcode))
            .copied()
            .unwrap_or(0)
    }
}

/// Value of a map register (hardware.md 6.2).
pub fn map_value(from: u16, to: u16, valid: bool) -> u64 {
    1 << 63 | u64::from(from) << 46 | u64::from(to) << 14 | u64::from(valid)
}

/// A guest that was never reset or set up.
pub fn stranger(gid: u16) -> Guest {
    Guest {
        gid,
        ring: 0,
        log: 0,
        code: 8,
        devices: 0,
        domains: 0,
        translate_id: 0,
    }
}

/// COMPLETION_WAIT of a guest with a store.
pub fn store(address: u64, value: u64) -> [u32; 4] {
    command::completion_wait(Some((address, value)), false)
}
