// SPDX-License-Identifier: GPL-2.0

//! The machine as the model sees it, made of C callbacks.

use std::collections::VecDeque;
use std::ffi::c_void;

use amd_iommu_model::{Abort, Interrupt, System};

use crate::trace::Trace;

/// `struct viommu_machine` of model.h.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Callbacks {
    opaque: *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, u64, *mut c_void, usize) -> bool,
    write: unsafe extern "C" fn(*mut c_void, u64, *const c_void, usize) -> bool,
    compare_exchange: unsafe extern "C" fn(*mut c_void, u64, u64, u64, *mut u64) -> bool,
    now: unsafe extern "C" fn(*mut c_void) -> u64,
    wake: unsafe extern "C" fn(*mut c_void, u64),
}

// SAFETY: Whoever makes the structure promises that its functions may be called by any thread with
// `opaque` (see `viommu_model_power_on`).
unsafe impl Send for Callbacks {}

/// The machine of one IOMMU.
#[derive(Debug)]
pub struct Machine {
    callbacks: Callbacks,
    /// Interrupts that C has not fetched yet.
    pub interrupts: VecDeque<Interrupt>,
    /// What the IOMMU does, line by line.
    pub trace: Trace,
}

impl Machine {
    /// A machine behind these callbacks.
    pub fn new(callbacks: Callbacks, trace: Trace) -> Self {
        Machine {
            callbacks,
            interrupts: VecDeque::new(),
            trace,
        }
    }
}

/// What a callback's answer means.
fn done(answer: bool) -> Result<(), Abort> {
    if answer {
        Ok(())
    } else {
        Err(Abort)
    }
}

impl System for Machine {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort> {
        let Callbacks { opaque, read, .. } = self.callbacks;
        // SAFETY: The callback writes at most `buffer.len()` bytes to the buffer.
        let answer = unsafe { read(opaque, address, buffer.as_mut_ptr().cast(), buffer.len()) };
        self.trace.memory_read(address, answer.then_some(buffer));
        done(answer)
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Abort> {
        let Callbacks { opaque, write, .. } = self.callbacks;
        // SAFETY: The callback reads `bytes.len()` bytes of the slice.
        let answer = unsafe { write(opaque, address, bytes.as_ptr().cast(), bytes.len()) };
        self.trace.memory_write(address, bytes, answer);
        done(answer)
    }

    fn compare_exchange(&mut self, address: u64, old: u64, new: u64) -> Result<u64, Abort> {
        let Callbacks {
            opaque,
            compare_exchange,
            ..
        } = self.callbacks;
        let mut found = 0;
        // SAFETY: The callback writes one value to `found`.
        let answer = unsafe { compare_exchange(opaque, address, old, new, &mut found) };
        self.trace.memory_exchange(address, old, new, found);
        done(answer).map(|()| found)
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        self.trace.interrupt(&interrupt);
        self.interrupts.push_back(interrupt);
    }

    fn now(&self) -> u64 {
        // SAFETY: The callback takes no memory of ours.
        unsafe { (self.callbacks.now)(self.callbacks.opaque) }
    }

    fn wake(&mut self, time: u64) {
        // SAFETY: As above.
        unsafe { (self.callbacks.wake)(self.callbacks.opaque, time) }
    }
}
