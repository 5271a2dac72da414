// SPDX-License-Identifier: GPL-2.0

//! One access of a guest to a 64-bit register, whole or by halves.

/// An aligned access of 4 or 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    register: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Low,
    High,
}

impl Access {
    /// `None` if the access has another length or is not aligned.
    pub(super) fn new(offset: u32, length: u32) -> Option<Self> {
        let part = match (length, offset % 8) {
            (8, 0) => Part::Whole,
            (4, 0) => Part::Low,
            (4, 4) => Part::High,
            _ => return None,
        };

        Some(Self {
            register: (offset & !7) as usize,
            part,
        })
    }

    /// The offset of the register.
    pub(super) fn register(self) -> usize {
        self.register
    }

    /// What the access reads of the register.
    pub(super) fn part_of(self, value: u64) -> u64 {
        match self.part {
            Part::Whole => value,
            Part::Low => low(value),
            Part::High => value >> 32,
        }
    }

    /// What the register becomes. The half that is not written stays.
    pub(super) fn merge(self, value: u64, written: u64) -> u64 {
        match self.part {
            Part::Whole => written,
            Part::Low => (value >> 32 << 32) | low(written),
            Part::High => (written << 32) | low(value),
        }
    }
}

fn low(value: u64) -> u64 {
    value & u64::from(u32::MAX)
}
