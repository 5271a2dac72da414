// SPDX-License-Identifier: GPL-2.0

//! The command engine of a guest against a plain interpreter: random commands, maps and readings
//! (hardware.md 6.5).

use amd_iommu_model::config::{Readings, RefusedHead, UnmappedId};
use amd_iommu_model::request::Access;
use proptest::prelude::*;

use crate::support::event::{ILLEGAL_COMMAND, VIOMMU_ERROR};
use crate::support::viommu::*;
use crate::support::{command, random_cases, Dte, HostTables, Rights, GUEST_OFFSET};

/// Devices and domains of the host that the tests look at.
const HOST_IDS: u16 = 4;
/// IDs of the guest that may be mapped; one more is used.
const GUEST_IDS: u16 = 6;

/// One command as a guest means it.
#[derive(Clone, Debug)]
enum Step {
    Store {
        slot: u64,
        value: u64,
        interrupt: bool,
    },
    Barrier,
    StoreNowhere,
    Device(u16),
    Interrupts(u16),
    Domain {
        id: u16,
        hit: bool,
    },
    Bad([u32; 4]),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..=GUEST_IDS;
    prop_oneof![
        4 => (0..8u64, any::<u64>(), any::<bool>())
            .prop_map(|(slot, value, interrupt)| Step::Store { slot, value, interrupt }),
        1 => Just(Step::Barrier),
        1 => Just(Step::StoreNowhere),
        6 => id().prop_map(Step::Device),
        2 => id().prop_map(Step::Interrupts),
        6 => (id(), any::<bool>()).prop_map(|(id, hit)| Step::Domain { id, hit }),
        1 => prop_oneof![
            Just(command::reset_vmmio(2)),
            Just(command::insert_guest_event(1)),
            Just(command::invalidate_all()),
            Just([0, 0x2000_0000, 1, 0]),
            Just([0, 0xb000_0000, 0, 0]),
        ].prop_map(Step::Bad),
    ]
}

/// What a guest has done to the world, by the plainest reading of hardware.md 6.5.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    slots: [u64; 8],
    interrupt: bool,
    /// Commands done, and where the head stands.
    head: u64,
    running: bool,
    /// Code and address of the host's event.
    event: Option<(u8, u64)>,
    devices: [bool; HOST_IDS as usize],
    domains: [bool; HOST_IDS as usize],
}

/// Maps of a guest: number of the host's ID.
#[derive(Clone, Debug)]
struct Maps {
    devices: [Option<u16>; GUEST_IDS as usize],
    domains: [Option<u16>; GUEST_IDS as usize],
}

fn maps() -> impl Strategy<Value = Maps> {
    let one = || proptest::array::uniform6(proptest::option::weighted(0.8, 0..HOST_IDS));
    (one(), one()).prop_map(|(devices, domains)| Maps { devices, domains })
}

struct Interpreter<'a> {
    maps: &'a Maps,
    guest: Guest,
    slots: u64,
    nowhere: u64,
    unmapped: UnmappedId,
    refused: RefusedHead,
}

enum Stop {
    Illegal,
    Error(u64),
}

impl Interpreter<'_> {
    fn run(&self, steps: &[Step]) -> Outcome {
        let mut world = Outcome {
            running: true,
            ..Outcome::default()
        };
        for (number, step) in steps.iter().enumerate() {
            let at = 16 * number as u64;
            match self.one(&mut world, step) {
                Ok(()) => world.head = at + 16,
                Err(stop) => {
                    world.running = false;
                    world.event = Some(match stop {
                        Stop::Illegal => (ILLEGAL_COMMAND, self.guest.ring + at),
                        Stop::Error(address) => (VIOMMU_ERROR, address),
                    });
                    world.head = match self.refused {
                        RefusedHead::OnCommand => at,
                        RefusedHead::BehindCommand => at + 16,
                        RefusedHead::AtTail => 16 * steps.len() as u64,
                    };
                    break;
                }
            }
        }
        world
    }

    fn one(&self, world: &mut Outcome, step: &Step) -> Result<(), Stop> {
        let gid = u64::from(self.guest.gid);
        let device = |id: u16| {
            let entry = 0x10_0000_0000 + (gid << 20) + 16 * u64::from(id);
            self.host_id(&self.maps.devices, id, entry)
        };
        match *step {
            Step::Store {
                slot,
                value,
                interrupt,
            } => {
                world.slots[slot as usize] = value;
                world.interrupt |= interrupt;
            }
            Step::Barrier => {}
            Step::StoreNowhere => return Err(Stop::Error(self.nowhere)),
            Step::Device(id) => {
                if let Some(host) = device(id)? {
                    world.devices[usize::from(host)] = true;
                }
            }
            Step::Interrupts(id) => {
                device(id)?;
            }
            Step::Domain { id, hit } => {
                let entry = 0x20_0000_0000 + (gid << 19) + 8 * u64::from(id);
                if let Some(host) = self.host_id(&self.maps.domains, id, entry)? {
                    world.domains[usize::from(host)] |= hit;
                }
            }
            Step::Bad(_) => return Err(Stop::Illegal),
        }
        Ok(())
    }

    fn host_id(&self, map: &[Option<u16>], id: u16, entry: u64) -> Result<Option<u16>, Stop> {
        match (map.get(usize::from(id)).copied().flatten(), self.unmapped) {
            (Some(host), _) => Ok(Some(host)),
            (None, UnmappedId::Ignore) => Ok(None),
            (None, UnmappedId::IllegalCommand) => Err(Stop::Illegal),
            (None, UnmappedId::StopWithHardwareError) => Err(Stop::Error(entry)),
        }
    }

    fn encode(&self, step: &Step) -> [u32; 4] {
        match *step {
            Step::Store {
                slot,
                value,
                interrupt,
            } => command::completion_wait(Some((self.slots + 8 * slot, value)), interrupt),
            Step::Barrier => command::completion_wait(None, false),
            Step::StoreNowhere => command::completion_wait(Some((self.nowhere, 1)), true),
            Step::Device(id) => command::invalidate_entry(id),
            Step::Interrupts(id) => command::invalidate_interrupts(id),
            Step::Domain { id, hit } => {
                let first = if hit { 0x5000 } else { 0x9000 };
                command::invalidate_pages(id, None, first, first + 0xfff, false)
            }
            Step::Bad(words) => words,
        }
    }
}

/// Devices 300h.. whose cached entries, and domains 40h.. with a device of the same number, whose
/// cached translations, are no longer those of memory.
struct Stale {
    fresh: [u64; HOST_IDS as usize],
}

impl Stale {
    fn new(host: &mut Host) -> Self {
        for device in 0x300..0x300 + HOST_IDS {
            host.bench.install(device, &Dte::pass(0x30));
            host.bench.target(device, 0x5000, Access::Read).unwrap();
            host.bench.put_entry(device, Dte::blocked().words());
        }
        let fresh = [0, 1, 2, 3].map(|number| {
            let domain = 0x40 + number;
            let machine = &mut host.bench.machine;
            let (tables, old) = (HostTables::new(machine, 3), machine.page());
            tables.map(machine, 0x5000, old, 0x1000, Rights::ALL);
            host.bench
                .install(domain, &Dte::host(domain, tables.root, 3));
            host.bench.target(domain, 0x5000, Access::Read).unwrap();
            let new = host.bench.machine.page();
            tables.map(&mut host.bench.machine, 0x5000, new, 0x1000, Rights::ALL);
            new
        });
        Stale { fresh }
    }

    /// Which devices and domains have been invalidated.
    fn dropped(&self, host: &mut Host) -> ([bool; 4], [bool; 4]) {
        let mut target = |device| host.bench.target(device, 0x5000, Access::Read);
        let devices = [0, 1, 2, 3].map(|n| target(0x300 + n).is_none());
        let domains = [0, 1, 2, 3].map(|n| target(0x40 + n) == Some(self.fresh[usize::from(n)]));
        (devices, domains)
    }
}

fn observe(host: &mut Host, guest: &Guest, slots: u64, stale: &Stale) -> Outcome {
    let events = host.bench.events();
    assert!(events.len() <= 1);
    let event = events.first().map(|event| {
        assert_eq!(event.vflags(), 0x10, "vCmd");
        (event.code(), event.address())
    });
    let (devices, domains) = stale.dropped(host);
    let status = host.status(guest);
    let slot = |number: u64| host.bench.machine.peek(slots + 8 * number);
    Outcome {
        slots: [0, 1, 2, 3, 4, 5, 6, 7].map(slot),
        interrupt: status & WAIT_INT != 0,
        head: host.vf(guest, page::COMMAND_HEAD),
        running: status & COMMAND_RUN != 0,
        event,
        devices,
        domains,
    }
}

/// Runs the steps on the model and on the interpreter.
fn compare(
    readings: Readings,
    seed: Option<u64>,
    maps: &Maps,
    steps: &[Step],
    cuts: &[usize],
) -> (Outcome, Outcome) {
    let mut host = Host::with(config(readings, seed));
    let guest = host.running_guest(3);
    for id in 0..GUEST_IDS {
        if let Some(to) = maps.devices[usize::from(id)] {
            host.map_device(&guest, id, 0x300 + to);
        }
        if let Some(to) = maps.domains[usize::from(id)] {
            host.map_domain(&guest, id, 0x40 + to);
        }
    }
    let stale = Stale::new(&mut host);
    let slots = host.bench.machine.page();
    let interpreter = Interpreter {
        maps,
        guest,
        slots: slots - GUEST_OFFSET,
        nowhere: 0x1000,
        unmapped: readings.unmapped_id,
        refused: readings.refused_head,
    };
    for (number, step) in steps.iter().enumerate() {
        let at = guest.ring + 16 * number as u64;
        host.bench.machine.poke_words(at, interpreter.encode(step));
    }
    // All commands are in the ring; the doorbells ring with any spacing and the last one covers
    // all. With the head at the tail (OQ-33) the outcome would depend on the spacing.
    if readings.refused_head != RefusedHead::AtTail {
        for cut in cuts {
            let tail = 16 * (cut % (steps.len() + 1)) as u64;
            if tail >= host.vf(&guest, page::COMMAND_TAIL) {
                host.set_vf(&guest, page::COMMAND_TAIL, tail);
            }
        }
    }
    host.set_vf(&guest, page::COMMAND_TAIL, 16 * steps.len() as u64);
    host.bench.advance();
    let seen = observe(&mut host, &guest, slots, &stale);
    (seen, interpreter.run(steps))
}

fn pick<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

proptest! {
    #![proptest_config(random_cases(96))]

    #[test]
    fn the_engine_does_what_a_plain_interpreter_does(
        unmapped_id in pick(UnmappedId::ALL),
        refused_head in pick(RefusedHead::ALL),
        maps in maps(),
        steps in proptest::collection::vec(step(), 0..40),
        cuts in proptest::collection::vec(0..64usize, 0..6),
    ) {
        let readings = Readings { unmapped_id, refused_head, ..Readings::default() };
        let (seen, expected) = compare(readings, None, &maps, &steps, &cuts);
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn so_does_an_asynchronous_engine(
        seed in any::<u64>(),
        unmapped_id in pick(UnmappedId::ALL),
        maps in maps(),
        steps in proptest::collection::vec(step(), 0..40),
        cuts in proptest::collection::vec(0..64usize, 0..6),
    ) {
        let readings = Readings { unmapped_id, ..Readings::default() };
        let (mut seen, mut expected) = compare(readings, Some(seed), &maps, &steps, &cuts);
        // Random evictions may drop more than was asked for, but never less.
        for number in 0..HOST_IDS as usize {
            prop_assert!(seen.devices[number] || !expected.devices[number]);
            prop_assert!(seen.domains[number] || !expected.domains[number]);
        }
        (seen.devices, seen.domains) = Default::default();
        (expected.devices, expected.domains) = Default::default();
        prop_assert_eq!(seen, expected);
    }
}
