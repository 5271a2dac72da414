// SPDX-License-Identifier: GPL-2.0

//! Random drivers against the simplest idea of an interrupt table: an interrupt meets what was in
//! memory at some time since the last invalidation of its device was done. A synchronous part without
//! evictions even keeps exactly what it met first.

use std::collections::BTreeMap;

use amd_iommu_model::config::Features;
use amd_iommu_model::Config;
use proptest::prelude::*;

use crate::support::bench::control;
use crate::support::{command, random_cases, Bench, Irte, IrteTable};

const DEVICES: [u16; 3] = [0x300, 0x301, 0x1300];
const INDICES: u64 = 4;

/// What a driver or a device does.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Writes an entry of a device's table: a vector, or nothing.
    Write(usize, u64, Option<u8>),
    /// Invalidates the table of a device, or all of them.
    Invalidate(Option<usize>),
    /// Raises an interrupt.
    Raise(usize, u64),
}

fn op() -> impl Strategy<Value = Op> {
    let device = 0..DEVICES.len();
    let index = 0..INDICES;
    prop_oneof![
        3 => (device.clone(), index.clone(), prop::option::weighted(0.8, 16..=255u8))
            .prop_map(|(device, index, vector)| Op::Write(device, index, vector)),
        1 => prop::option::weighted(0.8, device.clone()).prop_map(Op::Invalidate),
        4 => (device, index).prop_map(|(device, index)| Op::Raise(device, index)),
    ]
}

/// What an interrupt may meet, the last one being in memory; and what the cache holds for sure.
#[derive(Clone, Debug)]
struct Known {
    since: Vec<Option<u8>>,
    kept: Option<u8>,
}

impl Known {
    fn now(&self) -> Option<u8> {
        *self.since.last().expect("a value in memory")
    }

    fn forget(&mut self) {
        self.since = vec![self.now()];
        self.kept = None;
    }
}

struct World {
    bench: Bench,
    tables: Vec<IrteTable>,
    known: BTreeMap<(usize, u64), Known>,
    exact: bool,
}

impl World {
    fn new(seed: Option<u64>, long: bool) -> Self {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::on(config);
        if !long {
            bench.clear_control(control::GUEST_APIC);
        }
        let tables: Vec<_> = DEVICES
            .iter()
            .map(|device| {
                let table = IrteTable::new(&mut bench.machine, long);
                bench.install(*device, &table.remapping(9));
                table
            })
            .collect();
        let places = (0..DEVICES.len()).flat_map(|d| (0..INDICES).map(move |index| (d, index)));
        let empty = Known {
            since: vec![None],
            kept: None,
        };
        World {
            bench,
            tables,
            known: places.map(|place| (place, empty.clone())).collect(),
            exact: seed.is_none(),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Write(device, index, vector) => {
                let entry = vector.map_or(Irte::default(), |vector| Irte::fixed(1, vector.into()));
                self.tables[device].put(&mut self.bench.machine, index, &entry);
                self.place(device, index).since.push(vector);
            }
            Op::Invalidate(device) => {
                let words = match device {
                    Some(device) => command::invalidate_interrupts(DEVICES[device]),
                    None => command::invalidate_all(),
                };
                self.bench.execute(&[words]);
                let gone = |place: usize| device.is_none_or(|device| device == place);
                let places = self.known.iter_mut();
                places
                    .filter(|((place, _), _)| gone(*place))
                    .for_each(|(_, known)| known.forget());
            }
            Op::Raise(device, index) => self.raise(device, index),
        }
    }

    fn place(&mut self, device: usize, index: u64) -> &mut Known {
        self.known.get_mut(&(device, index)).expect("a place")
    }

    fn raise(&mut self, device: usize, index: u64) {
        let sent = self.bench.interrupt(DEVICES[device], index as u32);
        let met = sent.map(|(_, data)| data as u8);
        let exact = self.exact;
        let known = self.place(device, index);
        if exact {
            let expected = known.kept.or(known.now());
            assert_eq!(met, expected);
            known.kept = expected;
        }
        assert!(known.since.contains(&met), "{met:x?} {:x?}", known.since);
    }
}

proptest! {
    #![proptest_config(random_cases(256))]

    #[test]
    fn an_interrupt_meets_what_was_there_since_the_last_invalidation(
        seed in prop::option::of(any::<u64>()),
        long in any::<bool>(),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let mut world = World::new(seed, long);
        for op in ops {
            world.step(op);
        }
    }
}
