// SPDX-License-Identifier: GPL-2.0

//! A machine that remembers, in order, what the IOMMU did to it.

use amd_iommu_model::{Abort, Interrupt, System};

use crate::support::bench::reg;
use crate::support::{Bench, Machine};

/// What the IOMMU did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A read that was answered: address and length.
    Read(u64, usize),
    /// A write that was accepted.
    Write(u64, Vec<u8>),
    /// An interrupt.
    Interrupt,
    /// A request to be run at this time.
    Wake(u64),
}

/// A machine and its record.
pub struct Recorder {
    pub machine: Machine,
    pub ops: Vec<Op>,
}

/// Calls `call` with the bench's IOMMU and its machine, recorded; returns what was recorded.
pub fn record(bench: &mut Bench, call: impl FnOnce(&mut Bench, &mut Recorder)) -> Vec<Op> {
    let mut recorder = Recorder {
        machine: core::mem::take(&mut bench.machine),
        ops: Vec::new(),
    };
    call(bench, &mut recorder);
    bench.machine = recorder.machine;
    recorder.ops
}

/// Puts commands behind the tail, then rings the doorbell once and runs the IOMMU until it comes
/// to rest. Returns what the IOMMU did to the machine since the doorbell.
pub fn ring_and_record(bench: &mut Bench, commands: &[[u32; 4]]) -> Vec<Op> {
    let mut tail = bench.get(reg::COMMAND_TAIL);
    for words in commands {
        bench.machine.poke_words(bench.commands + tail, *words);
        tail = (tail + 16) % 0x2000;
    }
    record(bench, |bench, recorder| {
        bench.iommu.mmio_write(recorder, reg::COMMAND_TAIL, 8, tail);
        run_to_rest(bench, recorder);
    })
}

fn run_to_rest(bench: &mut Bench, recorder: &mut Recorder) {
    while let Some(time) = recorder.machine.wake.take() {
        recorder.machine.time = recorder.machine.time.max(time);
        bench.iommu.run(recorder);
    }
}

impl System for Recorder {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort> {
        self.machine.read(address, buffer)?;
        self.ops.push(Op::Read(address, buffer.len()));
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Abort> {
        self.machine.write(address, bytes)?;
        self.ops.push(Op::Write(address, bytes.to_vec()));
        Ok(())
    }

    fn compare_exchange(&mut self, address: u64, old: u64, new: u64) -> Result<u64, Abort> {
        self.machine.compare_exchange(address, old, new)
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        self.machine.interrupt(interrupt);
        self.ops.push(Op::Interrupt);
    }

    fn now(&self) -> u64 {
        self.machine.now()
    }

    fn wake(&mut self, time: u64) {
        self.machine.wake(time);
        self.ops.push(Op::Wake(time));
    }
}
