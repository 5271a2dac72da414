// SPDX-License-Identifier: GPL-2.0

use std::collections::VecDeque;

use hw::ring::{Ring, ENTRY_BYTES};
use proptest::prelude::*;

fn ring(bytes: u32) -> Ring {
    Ring::new(bytes).unwrap()
}

#[test]
fn w30_tail_after_three_commands() {
    let ring = ring(8 << 10);

    assert_eq!(ring.advance(0, 3), 0x30);
    assert_eq!(ring.distance(0, 0x30), 3);
}

#[test]
fn w31_tail_wraps() {
    let ring = ring(8 << 10);

    assert_eq!(ring.next(0x1FF0), 0);
    assert_eq!(ring.distance(0x1FF0, 0), 1);
}

#[test]
fn only_powers_of_two_are_rings() {
    for bytes in [0, 1, 16, 24, 48, 4095, 4097, u32::MAX] {
        assert_eq!(Ring::new(bytes), None, "{bytes}");
    }
    for power in 5..32 {
        assert_eq!(ring(1 << power).entries(), 1 << (power - 4));
    }
}

#[test]
fn one_entry_stays_unused() {
    for bytes in [32, 4096, 512 << 10] {
        let ring = ring(bytes);

        for head in [0, ENTRY_BYTES, bytes - ENTRY_BYTES] {
            let full = ring.advance(head, ring.entries() - 1);
            assert_eq!(ring.free(head, head), ring.entries() - 1);
            assert!(!ring.is_full(head, head) || ring.entries() == 1);
            assert!(ring.is_full(head, full));
            assert_eq!(ring.next(full), head, "one more would look empty");
        }
    }
}

#[test]
fn pointers_come_from_bits_18_to_4() {
    let ring = ring(8 << 10);

    assert_eq!(ring.pointer(0x1FF0), Some(0x1FF0));
    assert_eq!(ring.pointer(0xFFFF_0000_FFF8_001F), Some(0x10));
    assert_eq!(ring.pointer(0x2000), None, "past the end");
    assert_eq!(ring.pointer(0x7_FFF0), None);
    assert_eq!(ring.pointer(u64::MAX), None, "the device is gone");
    assert_eq!(Ring::new(512 << 10).unwrap().pointer(u64::MAX), None);
}

proptest! {
    /// A ring is a queue: entries come out in the order in which they went in, at the index where
    /// they were put, and the room left is always known.
    #[test]
    fn a_ring_is_a_queue(
        power in 5u32..10,
        actions in prop::collection::vec((any::<bool>(), 0u32..20), 0..200),
    ) {
        let ring = ring(1 << power);
        let mut memory = vec![0; ring.entries() as usize];
        let mut model = VecDeque::new();
        let (mut head, mut tail, mut number) = (0, 0, 0);

        for (put, count) in actions {
            for _ in 0..count {
                if put && !ring.is_full(head, tail) {
                    number += 1;
                    memory[ring.index(tail)] = number;
                    model.push_back(number);
                    tail = ring.next(tail);
                } else if !put && head != tail {
                    prop_assert_eq!(model.pop_front(), Some(memory[ring.index(head)]));
                    head = ring.next(head);
                }
                prop_assert_eq!(ring.distance(head, tail) as usize, model.len());
                prop_assert_eq!(ring.free(head, tail) as usize, memory.len() - 1 - model.len());
                prop_assert_eq!(head == tail, model.is_empty());
                prop_assert_eq!(ring.pointer(tail.into()), Some(tail));
            }
        }
    }

    /// No number makes the arithmetic leave the ring.
    #[test]
    fn any_number_stays_inside(power in 5u32..20, a: u32, b: u32) {
        let ring = ring(1 << power);

        prop_assert!(ring.index(a) < ring.entries() as usize);
        prop_assert!(ring.advance(a, b) < 1 << power);
        prop_assert_eq!(ring.advance(a, b) % ENTRY_BYTES, 0);
        prop_assert!(ring.distance(a, b) < ring.entries());
        prop_assert!(ring.free(a, b) < ring.entries());
        let _ = ring.failed(u64::from(a), u64::from(b), a, b);
    }

    /// Whatever OQ-33 turns out to be, the command that failed is found.
    #[test]
    fn a_bad_command_is_found(
        power in 5u32..10, start: u32, queued in 1u32..500, bad: u32, reading in 0..3,
    ) {
        let ring = ring(1 << power);
        let queued = queued.min(ring.entries() - 1);
        let bad = bad % queued;
        let base = 0x1_0400_0000;
        let start = ring.advance(start, 0);
        let tail = ring.advance(start, queued);
        let failed = ring.advance(start, bad);
        let head = match reading {
            0 => failed,
            1 => ring.next(failed),
            _ => tail,
        };

        let found = ring.failed(base, base + u64::from(failed), head, tail);
        prop_assert_eq!(found, Some(failed));
    }
}

#[test]
fn w76_bad_command() {
    let ring = ring(8 << 10);

    let at = |head| ring.failed(0x1_0400_0000, 0x1_0400_0040, head, 0x60);
    assert_eq!([0x40, 0x50, 0x60].map(at), [Some(0x40); 3]);
}

#[test]
fn an_address_that_is_no_fetched_command_is_refused() {
    let ring = ring(4096);
    let base = 0x1_0400_0000;

    for failed in [0, base - 16, base + 4096, base + 0x48, u64::MAX] {
        assert_eq!(ring.failed(base, failed, 0x40, 0x60), None, "{failed:#x}");
    }
    assert_eq!(
        ring.failed(base, base + 0x50, 0x40, 0x60),
        None,
        "not fetched yet"
    );
    assert_eq!(
        ring.failed(base, base + 0x60, 0x40, 0x60),
        None,
        "never written"
    );
}
