// SPDX-License-Identifier: GPL-2.0

//! Long random lives of a page. After each step the hardware's registers and all that the guest
//! reads must be what a simple description says.

use hw::viommu::guest_page::Queue;

use super::{Guest, EFR};
use crate::random::Random;

/// Values that make the interesting cases likely: few addresses, few lengths.
const BASES: [u64; 6] = [
    0,
    0x0800_0000_1000_0000,
    0x0900_0000_1000_0000,
    0x0900_0007_2000_0000,
    0x0300_0000_1000_0000,
    u64::MAX,
];

/// What the guest wrote, what the VMM presented and permits, as plain words.
#[derive(Default)]
struct Words {
    dev_tab: u64,
    control: u64,
    base: [u64; 2],
    presented: [Option<u64>; 2],
    run: bool,
    parent: bool,
    interrupts: bool,
}

/// Control bits of the queues.
const ENABLE: [u64; 2] = [1 << 12, 1 << 2];

/// ComWaitIntEn and EventIntEn.
const INTERRUPT: [u64; 2] = [1 << 4, 1 << 3];

impl Words {
    fn usable(&self, queue: usize) -> bool {
        self.presented[queue] == Some(self.base[queue])
    }

    fn in_use(&self, queue: usize) -> bool {
        self.control & 1 != 0 && self.control & ENABLE[queue] != 0 && self.usable(queue)
    }

    fn register(&self, queue: usize) -> u64 {
        let base = if self.usable(queue) {
            self.base[queue]
        } else {
            0
        };
        let run = self.in_use(queue) && self.run && self.parent;

        let interrupts = self.interrupts && self.control & INTERRUPT[queue] != 0;

        (base & 0xF_FFFF_FFFF_F000)
            | (base >> 56)
            | (u64::from(run) << 8)
            | (u64::from(interrupts) << 9)
    }

    fn read(&self, offset: u32) -> u64 {
        match offset {
            0 => self.dev_tab,
            8 => self.base[0],
            0x10 => self.base[1],
            0x18 => self.control,
            0x30 => EFR,
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u64) {
        match offset {
            0 => self.dev_tab = value & 0x000F_FFFF_FFFF_F1FF,
            8 if !self.in_use(0) => self.base[0] = value & 0x0F0F_FFFF_FFFF_F000,
            0x10 if !self.in_use(1) => self.base[1] = value & 0x0F0F_FFFF_FFFF_F000,
            0x18 => self.control = value & 0x1_1FFF,
            _ => {}
        }
    }
}

/// The guest writes a whole register or one half.
fn guest_writes(random: &mut Random, guest: &mut Guest, words: &mut Words) {
    let offset = [0, 8, 0x10, 0x18, 0x18, 0x20, 0x30, 0x38][random.below(8)];
    let value = match random.below(4) {
        0 => random.next(),
        1 => 0x1005 ^ (1 << random.below(17)),
        _ => BASES[random.below(BASES.len())],
    };
    let old = words.read(offset);
    let (at, length, value, merged) = match random.below(4) {
        0 => (0, 4, value, old & !0xFFFF_FFFF | value & 0xFFFF_FFFF),
        1 => (4, 4, value >> 32, old & 0xFFFF_FFFF | value & !0xFFFF_FFFF),
        _ => (0, 8, value, value),
    };

    guest.write(offset + at, length, value);
    words.write(offset, merged);
}

fn vmm_presents(random: &mut Random, guest: &mut Guest, words: &mut Words) {
    let index = random.below(2);
    let queue = [Queue::Command, Queue::Event][index];

    match BASES[random.below(4)] {
        0 => {
            guest.accept(queue, random.next(), 0);
            words.presented[index] = None;
        }
        base => {
            guest.accept(queue, base & 0xF_FFFF_FFFF_F000, 16 << (base >> 56));
            words.presented[index] = Some(base);
        }
    }
}

#[test]
fn registers_follow_the_guest_and_the_vmm() {
    let mut running = [0u32; 2];
    let mut interrupting = [0u32; 2];

    for seed in 1..300 {
        let mut random = Random::new(seed);
        let mut guest = Guest::new();
        let mut words = Words {
            run: true,
            parent: true,
            ..Default::default()
        };
        for _ in 0..300 {
            match random.below(17) {
                0..=9 => guest_writes(&mut random, &mut guest, &mut words),
                10..=13 => vmm_presents(&mut random, &mut guest, &mut words),
                14 => {
                    words.interrupts = !random.one_in(3);
                    guest.interrupts(words.interrupts);
                }
                15 => {
                    words.run = !random.one_in(4);
                    guest.run(words.run);
                }
                _ => {
                    words.parent = !random.one_in(4);
                    guest.parent(words.parent);
                }
            }

            assert_eq!(guest.registers(), [0, 1].map(|queue| words.register(queue)));
            for offset in (0..0x40).step_by(8) {
                assert_eq!(guest.read(offset), words.read(offset), "{offset:#x}");
            }
            for (count, register) in interrupting.iter_mut().zip(guest.registers()) {
                *count += u32::from(register & (1 << 9) != 0);
            }
            for (count, register) in running.iter_mut().zip(guest.registers()) {
                *count += u32::from(register & (1 << 8) != 0);
            }
        }
    }
    assert!(running.iter().all(|&count| count > 500), "{running:?}");
    assert!(interrupting.iter().all(|&count| count > 500));
}
