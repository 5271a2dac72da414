// SPDX-License-Identifier: GPL-2.0

//! Which entries of a table are taken.

use super::Length;

/// Words of the map.
const WORDS: usize = Length::MAX.entries() / 64;

/// The places of a table.
#[derive(Clone, Debug)]
pub struct Places {
    taken: [u64; WORDS],
    entries: usize,
}

impl Places {
    /// All places of a table of this length are free. Only the first [`Length::MAX`] of a longer one are
    /// known.
    pub fn new(length: Length) -> Self {
        Self {
            taken: [0; WORDS],
            entries: length.entries().min(Length::MAX.entries()),
        }
    }

    /// Takes `count` places in a row, and returns the first. It is a multiple of `count`, rounded up to
    /// a power of two: a device that has several interrupts by plain MSI puts their number into the low
    /// bits of its message.
    ///
    /// Returns `None` if no such places are free.
    pub fn take(&mut self, count: usize) -> Option<u16> {
        let step = count.max(1).checked_next_power_of_two()?;
        let first = (0..self.entries)
            .step_by(step)
            .find(|first| (*first..first + count).all(|place| self.is_free(place)))?;
        for place in first..first + count {
            self.mark(place, true);
        }

        u16::try_from(first).ok()
    }

    /// Gives a place back.
    pub fn put(&mut self, place: u16) {
        self.mark(place.into(), false);
    }

    fn is_free(&self, place: usize) -> bool {
        place < self.entries
            && self
                .taken
                .get(place / 64)
                .is_some_and(|word| (word >> (place % 64)) & 1 == 0)
    }

    fn mark(&mut self, place: usize, taken: bool) {
        if let Some(word) = self.taken.get_mut(place / 64) {
            let bit = 1 << (place % 64);
            *word = if taken { *word | bit } else { *word & !bit };
        }
    }
}
