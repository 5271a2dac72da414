// SPDX-License-Identifier: GPL-2.0

//! Whatever software and devices do, the model comes back in time and does not panic.
//!
//! Random bytes become register writes, memory contents, requests and the passing of time. Half
//! of the runs start from an IOMMU that is fully set up, with tables and rings whose contents look
//! right, so that deep states are reached as well.
//!
//! The search lasts MODEL_FUZZ_SECONDS (5 by default). A failure prints its seed;
//! MODEL_FUZZ_SEED replays just that run.

mod contents;
mod random;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use amd_iommu_model::config::Features;
use amd_iommu_model::request::Access;
use amd_iommu_model::{Config, Message, Request};
use random::Random;

use crate::support::bench::{control, reg};
use crate::support::*;

/// Steps of one run.
const STEPS: u32 = 300;
/// A single call that takes longer than this is work without a bound. A ring-full of commands, each
/// with a log entry, stays far below it even without optimisation.
const LONGEST: Duration = Duration::from_secs(5);
/// What guests need beside a running IOMMU.
const EVERYTHING: u64 = control::IOMMU
    | control::GUEST_APIC
    | control::GUEST_BUFFER_TRP
    | control::VCMD
    | control::VIOMMU;
const TRANSLATE: u16 = 0x00fe;
const PAGES: u64 = 24;

struct Fuzz {
    bench: Bench,
    random: Random,
    /// Pages that tables, rings and requests use.
    pages: u64,
    host: HostTables,
}

impl Fuzz {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut bench = Bench::off(config(&mut random));
        let pages = bench.machine.pages(PAGES);
        let host = HostTables::new(&mut bench.machine, 4);
        let mut fuzz = Fuzz {
            bench,
            random,
            pages,
            host,
        };
        if fuzz.random.chance(80) {
            fuzz.set_up();
        }
        fuzz
    }

    /// A state in which everything runs: devices of each kind, two guests with rings.
    fn set_up(&mut self) {
        self.bench.bring_up();
        self.bench.set_control(EVERYTHING);
        let Bench { machine, .. } = &mut self.bench;
        self.host.map_guest_memory(machine);
        // The private address space: every region of the guests used here.
        for (address, size) in [
            (0, 0x20_0000),
            (0x20_0000, 0x20_0000),
            (0x40_0000, 0x20_0000),
            (0x60_0000, 0x20_0000),
            (0x10_0000_0000, 0x40_0000),
            (0x20_0000_0000, 0x20_0000),
        ] {
            let memory = machine.pages(size / 4096);
            self.host.map(machine, address, memory, size, Rights::ALL);
        }
        for requester in 0..8 {
            let entry = self.entry();
            self.bench.put_entry(requester, entry);
        }
        let host = Dte::host(0x20, self.host.root, 4).words();
        self.bench
            .put_entry(self.bench.iommu.config().device_id, host);
        self.bench.put_entry(TRANSLATE, host);
        for gid in [1, 2] {
            self.start_guest(gid);
        }
    }

    fn start_guest(&mut self, gid: u16) {
        self.bench.submit(&[command::reset_vmmio(gid)]);
        self.bench.advance();
        let ring = self.bench.machine.pages(2) - GUEST_OFFSET;
        let log = self.bench.machine.page() - GUEST_OFFSET;
        let id = u64::from(gid);
        self.control(id * 0x40 + 0x10, 8, u64::from(TRANSLATE) << 16);
        // The IDs that commands name, so that most of them go through.
        for device in 0..9 {
            self.control(id * 0x40, 8, 1 << 63 | device << 46 | device << 14 | 1);
        }
        for domain in 0x0e..0x13 {
            let value = 1 << 63 | domain << 46 | domain << 14 | 1;
            self.control(id * 0x40 + 8, 8, value);
        }
        self.control(id * 0x40 + 0x28, 8, log | 0x308);
        self.control(id * 0x40 + 0x20, 8, ring | 0x309);
        for slot in 0..512 {
            let command = self.command(GUEST_OFFSET);
            let at = ring + GUEST_OFFSET + 16 * slot;
            self.bench.machine.poke_words(at, command);
        }
    }

    fn control(&mut self, offset: u64, size: u8, value: u64) {
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.vf_control_write(machine, offset, size, value);
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=3 => self.write_register(),
            4..=5 => self.write_aperture(),
            6..=8 => self.write_table(),
            9..=10 => self.ring_doorbell(),
            11 => self.ring_guest_doorbell(),
            12 => self.write_entry(),
            13 => self.read_registers(),
            14 => self.pass_time(),
            15 => self.raise_interrupt(),
            _ => self.request(),
        }
    }

    fn width(&mut self) -> u8 {
        self.random.pick(&[8, 8, 8, 4, 4, 1, 2, 3, 0, 16, 255])
    }

    fn write_register(&mut self) {
        let known = [
            reg::DEVICE_TABLE,
            reg::COMMAND_BASE,
            reg::EVENT_BASE,
            reg::CONTROL,
            reg::CONTROL,
            reg::CONTROL,
            reg::EXCLUSION_BASE,
            reg::EXCLUSION_LIMIT,
            reg::HW_EVENT_STATUS,
            reg::COMMAND_HEAD,
            reg::COMMAND_TAIL,
            reg::EVENT_HEAD,
            reg::EVENT_TAIL,
            reg::STATUS,
        ];
        let offset = match self.random.below(4) {
            0 => self.random.value(),
            1 => self.random.below(0x4000),
            _ => self.random.pick(&known),
        };
        let value = match offset {
            reg::CONTROL => self.bench.get(offset) ^ 1 << self.random.below(64),
            reg::DEVICE_TABLE if self.random.chance(95) => self.bench.device_table | 0x1ff,
            reg::COMMAND_BASE => self.bench.commands | self.random.below(16) << 56,
            reg::EVENT_BASE => self.bench.log | self.random.below(16) << 56,
            _ => self.random.value(),
        };
        let width = self.width();
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.mmio_write(machine, offset, width, value);
    }

    fn write_aperture(&mut self) {
        let gid = self.random.pick(&[0, 1, 1, 2, 2, 3, 0x7fff, 0xffff]);
        let width = self.width();
        let value = match self.random.below(3) {
            0 => self.page() | self.random.below(0x1000),
            _ => self.random.value(),
        };
        if self.random.chance(50) {
            let offset = gid * 0x40 + self.random.below(0x40);
            self.control(offset & !7, width, value);
        } else {
            let offset = gid * 0x1000 + self.random.below(0x90);
            let offset = if self.random.chance(90) {
                offset & !7
            } else {
                offset
            };
            let Bench { iommu, machine, .. } = &mut self.bench;
            iommu.vf_write(machine, offset, width, value);
        }
        let beyond = self.random.value();
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.vf_write(machine, beyond, width, value);
        iommu.vf_control_write(machine, beyond, width, value);
    }

    fn write_table(&mut self) {
        for _ in 0..1 + self.random.below(8) {
            let page = self.pages + self.random.below(PAGES) * 0x1000;
            let index = self.random.pick(&[0, 0, 1, 2, 511]);
            let entry = self.table_entry();
            self.bench.machine.add(page);
            self.bench.machine.poke(page + 8 * index, entry);
        }
        if self.random.chance(3) {
            let page = self.page();
            self.bench.machine.remove(page);
        }
    }

    fn write_entry(&mut self) {
        let entry = self.entry();
        let requester = self
            .random
            .pick(&[0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, TRANSLATE]);
        let at = self.bench.device_table + 32 * u64::from(requester);
        self.bench.machine.add(at);
        self.bench.put_entry(requester, entry);
    }

    fn ring_doorbell(&mut self) {
        let mut tail = self.bench.get(reg::COMMAND_TAIL) % 0x2000;
        for _ in 0..1 + self.random.below(12) {
            let command = self.command(0);
            self.bench
                .machine
                .poke_words(self.bench.commands + tail, command);
            tail = (tail + 16) % 0x2000;
        }
        self.bench.set(reg::COMMAND_TAIL, tail);
        if self.random.chance(40) {
            // A halted ring starts again.
            self.bench.clear_control(control::COMMAND_BUFFER);
            self.bench
                .set_control(control::COMMAND_BUFFER | control::IOMMU);
        }
    }

    fn ring_guest_doorbell(&mut self) {
        let gid = 1 + self.random.below(2);
        let (tail, enable) = (16 * self.random.below(520), self.random.chance(50));
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.vf_write(machine, gid * 0x1000 + 8, 8, tail);
        if self.random.chance(30) {
            // What earlier steps may have switched off.
            self.bench.set_control(EVERYTHING);
            self.bench
                .set(reg::DEVICE_TABLE, self.bench.device_table | 0x1ff);
        }
        let Bench { iommu, machine, .. } = &mut self.bench;
        if enable {
            let value = iommu.vf_control_read(machine, gid * 0x40 + 0x20, 8);
            iommu.vf_control_write(machine, gid * 0x40 + 0x20, 8, value & !0x100);
            iommu.vf_control_write(machine, gid * 0x40 + 0x20, 8, value | 0x100);
        }
    }

    fn read_registers(&mut self) {
        let (offset, width) = (self.random.value(), self.width());
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.mmio_read(machine, offset % 0x5000, width);
        iommu.mmio_read(machine, offset, width);
        iommu.vf_read(machine, offset, width);
        iommu.vf_control_read(machine, offset, width);
    }

    fn pass_time(&mut self) {
        self.bench.machine.time += self.random.next() >> (24 + self.random.below(40));
        let Bench { iommu, machine, .. } = &mut self.bench;
        iommu.run(machine);
        if self.random.chance(10) {
            iommu.reset();
        }
    }

    fn raise_interrupt(&mut self) {
        let message = Message {
            requester: self.random.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 0xffff]),
            address: 0xfee0_0000 + self.random.below(0x10_0000),
            data: match self.random.below(4) {
                0 => self.random.value() as u32,
                _ => self.random.below(8) as u32,
            },
            pasid: self.random.chance(5).then_some(1),
        };
        self.bench.message(&message);
    }

    fn request(&mut self) {
        let address = match self.random.below(4) {
            0 => self.random.value(),
            1 => 0xfee0_0000 + self.random.below(0x10_0000),
            2 => self.page(),
            _ => self.random.pick(&[0, 0x1000, 0x2000, 0x20_0000, 0x1f_f000]),
        };
        let request = Request {
            requester: self
                .random
                .pick(&[0, 1, 2, 3, 4, 5, 6, 7, TRANSLATE, 0xffff]),
            address: address + self.random.below(16).min(!address),
            access: self.random.pick(&[
                Access::Read,
                Access::Write,
                Access::ReadWrite,
                Access::Execute,
            ]),
            pasid: match self.random.below(4) {
                0 => Some(self.random.below(4) as u32),
                1 => Some(self.random.value() as u32),
                _ => None,
            },
            privileged: self.random.chance(50),
        };
        self.bench.request(&request);
    }
}

fn config(random: &mut Random) -> Config {
    let part = random.pick(&["genoa", "genoa", "genoa", "genoa", "v2", "basic"]);
    let mut config = Config::new(Features::preset(part).unwrap_or(Features::genoa()));
    config.features.iotlb = random.chance(50);
    config.features.np_cache = random.chance(20);
    config.asynchrony = random.chance(50).then(|| random.next());
    for (question, readings) in READINGS {
        let reading = random.pick(readings);
        config.readings.set(question, reading).expect("a reading");
    }
    config
}

/// One run; a panic is a failure, and so is a step that takes too long. Returns what the model
/// has to say about it.
fn run(seed: u64) -> String {
    let mut fuzz = Fuzz::new(seed);
    for _ in 0..STEPS {
        let start = Instant::now();
        fuzz.step();
        assert!(
            start.elapsed() < LONGEST,
            "a step took {:?}",
            start.elapsed()
        );
        if fuzz.random.chance(30) {
            fuzz.bench.advance();
        }
    }
    // What was collected can be shown, and is not without bound.
    let statistics = fuzz.bench.iommu.statistics(&fuzz.bench.machine);
    assert!(statistics.len() < 1 << 20);
    statistics
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect(name))
}

#[test]
fn nothing_makes_the_model_panic_or_hang() {
    if let Some(seed) = number("MODEL_FUZZ_SEED") {
        run(seed);
        return;
    }
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let first = since.as_nanos() as u64;
    let limit = Duration::from_secs(number("MODEL_FUZZ_SECONDS").unwrap_or(5));
    let start = Instant::now();
    let mut seeds = Random(first);
    let mut runs = 0u32;
    while start.elapsed() < limit {
        let seed = seeds.next();
        let Ok(statistics) = catch_unwind(AssertUnwindSafe(|| run(seed))) else {
            panic!("replay with MODEL_FUZZ_SEED={seed}");
        };
        if runs % 8 == 0 {
            assert_eq!(
                statistics,
                run(seed),
                "seed {seed} does not give the same run again"
            );
        }
        runs += 1;
    }
    println!("{runs} runs of {STEPS} steps from seed {first}");
    assert!(runs > 0);
}
