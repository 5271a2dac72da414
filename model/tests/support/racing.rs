// SPDX-License-Identifier: GPL-2.0

//! A machine in which something happens to memory in the very moment in which it is read.

use amd_iommu_model::{Abort, Interrupt, System};

use super::Machine;

/// A processor that writes quadwords after so many reads of a place.
pub struct Racing<'a> {
    pub machine: &'a mut Machine,
    /// Where a read lets something happen.
    pub place: u64,
    /// Reads that are left until each write, in order.
    pub writes: Vec<(u32, u64, u64)>,
    /// What the first read at the place finds, which is of so many bytes, if it is not what memory holds.
    pub mixture: Option<Vec<u8>>,
}

impl System for Racing<'_> {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort> {
        self.machine.read(address, buffer)?;
        if address != self.place {
            return Ok(());
        }
        if let Some(mixture) = self.mixture.take() {
            buffer.copy_from_slice(&mixture);
        }
        for (left, at, value) in &mut self.writes {
            *left = left.wrapping_sub(1);
            if *left == 0 {
                self.machine.poke(*at, *value);
            }
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Abort> {
        self.machine.write(address, bytes)
    }

    fn compare_exchange(&mut self, address: u64, old: u64, new: u64) -> Result<u64, Abort> {
        self.machine.compare_exchange(address, old, new)
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        self.machine.interrupt(interrupt);
    }

    fn now(&self) -> u64 {
        self.machine.now()
    }

    fn wake(&mut self, time: u64) {
        self.machine.wake(time);
    }
}
