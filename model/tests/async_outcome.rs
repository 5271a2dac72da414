// SPDX-License-Identifier: GPL-2.0

//! Asynchrony changes when things are done, not what is done.

use amd_iommu_model::config::{Features, RefusedHead};
use amd_iommu_model::Config;
use proptest::prelude::*;

use crate::support::bench::{control, reg};
use crate::support::{command, random_cases, Bench};

/// What software can see when all is quiet. The order of events is not part of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u64,
    head: u64,
    stores: Vec<u64>,
    events: Vec<[u32; 4]>,
    commands: Vec<((Option<u16>, u8), u64)>,
}

fn outcome(seed: Option<u64>, reading: RefusedHead, batches: &[Vec<[u32; 4]>]) -> Outcome {
    let mut config = Config::new(Features::genoa());
    config.asynchrony = seed;
    config.readings.refused_head = reading;
    let mut bench = Bench::on(config);
    let page = bench.machine.page();
    for batch in batches {
        let last = command::completion_wait(Some((page, 99)), true);
        bench.submit(&[&place(page, batch)[..], &[last]].concat());
        bench.advance();
        bench.clear_control(control::COMMAND_BUFFER);
        let tail = bench.get(reg::COMMAND_TAIL);
        bench.set(reg::COMMAND_HEAD, tail);
        bench.set_control(control::COMMAND_BUFFER);
    }
    let status = bench.get(reg::STATUS);
    let head = bench.get(reg::COMMAND_HEAD);
    let mut events: Vec<_> = bench.events().iter().map(|event| event.0).collect();
    events.sort_unstable();
    Outcome {
        status,
        head,
        stores: (0..8).map(|n| bench.machine.peek(page + 8 * n)).collect(),
        events,
        commands: bench
            .iommu
            .counters()
            .commands
            .clone()
            .into_iter()
            .collect(),
    }
}

/// Lets stores go to the slots of a page; slot 8 is not memory.
fn place(page: u64, batch: &[[u32; 4]]) -> Vec<[u32; 4]> {
    let to = |slot: u64| {
        if slot == 8 {
            0xf_0000_0000
        } else {
            page + 8 * slot
        }
    };
    let aim = |words: &[u32; 4]| match words {
        [slot, 0x1000_0000, value, 0] => {
            command::completion_wait(Some((to(u64::from(*slot)), u64::from(*value))), false)
        }
        other => *other,
    };
    batch.iter().map(aim).collect()
}

fn any_command() -> impl Strategy<Value = [u32; 4]> {
    prop_oneof![
        4 => (0u32..8, any::<u32>()).prop_map(|(slot, value)| [slot, 0x1000_0000, value, 0]),
        4 => (1u16..99).prop_map(command::insert_guest_event),
        4 => any::<u16>().prop_map(command::invalidate_entry),
        4 => any::<u16>().prop_map(|domain| command::invalidate_domain(domain, None)),
        2 => (1u16..99).prop_map(|gid| [1, 0x9000_0000 | u32::from(gid), 0, 0]),
        1 => Just(command::invalidate_all()),
        1 => (0u32..9).prop_map(|opcode| [1 << 30, opcode << 28, 0, 0]),
        1 => any::<u32>().prop_map(|value| [8, 0x1000_0000, value, 0]),
    ]
}

proptest! {
    #![proptest_config(random_cases(100))]

    /// Delays and order are all that asynchrony changes: stores, events, refusals and the head
    /// are those of a part that does one command after the other.
    #[test]
    fn asynchronous_batches_end_like_synchronous_ones(
        batches in proptest::collection::vec(
            proptest::collection::vec(any_command(), 0..30),
            1..4,
        ),
        seed in any::<u64>(),
        reading in proptest::sample::select(RefusedHead::ALL),
    ) {
        let now = outcome(None, reading, &batches);
        let later = outcome(Some(seed), reading, &batches);
        prop_assert_eq!(now, later);
    }
}
