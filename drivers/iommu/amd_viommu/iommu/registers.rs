// SPDX-License-Identifier: GPL-2.0

//! The register window, and the control register that everybody changes a bit of.

use hw::regs::{self, Control, Status};
use kernel::{
    prelude::*,
    revocable::Revocable,
    time::{Delta, Instant, Monotonic},
};
use kernel_ext::{mmio::Window, new_raw_spinlock_irq, raw_spinlock::RawSpinLockIrq};

/// How long the hardware may take to follow a change of its enable bits.
const SETTLE: Delta = Delta::from_millis(100);

/// The registers of one IOMMU.
#[pin_data]
pub(super) struct Registers {
    #[pin]
    window: Revocable<Window>,
    /// Held while the control register is changed: enable bits of several owners share it.
    #[pin]
    control: RawSpinLockIrq<()>,
}

impl Registers {
    /// Takes the window over.
    pub(super) fn new(window: Window) -> impl PinInit<Self> {
        pin_init!(Self {
            window <- Revocable::new(window),
            control <- new_raw_spinlock_irq!((), "amd_viommu::control"),
        })
    }

    /// Reads a register; all ones if the device is gone.
    pub(super) fn read(&self, offset: usize) -> u64 {
        self.window
            .try_access_with(|window| window.read64(offset))
            .unwrap_or(u64::MAX)
    }

    /// Writes a register, if there is one.
    pub(super) fn write(&self, offset: usize, value: u64) {
        self.window
            .try_access_with(|window| window.write64(offset, value));
    }

    /// Gives the window back, so that it can be claimed again. From now on the device is gone for all who still refer to
    /// this. May sleep.
    pub(super) fn release(&self) {
        self.window.revoke();
    }

    /// The status register.
    pub(super) fn status(&self) -> Status {
        Status(self.read(regs::STATUS))
    }

    /// Acknowledges status bits.
    pub(super) fn acknowledge(&self, bits: u64) {
        self.write(regs::STATUS, bits);
    }

    /// Whether there is no device behind the window any more: every read gives all ones.
    pub(super) fn is_gone(&self) -> bool {
        self.status().is_gone()
    }

    /// Changes the control register, if there is one.
    pub(super) fn control(&self, change: impl FnOnce(Control) -> Control) {
        let _guard = self.control.lock();
        let old = Control(self.read(regs::CONTROL));
        if old.0 != u64::MAX {
            self.write(regs::CONTROL, change(old).0);
        }
    }

    /// Waits until `done`, for a bounded time. Polls, so it may be called from any context.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`.
    pub(super) fn settle(&self, done: impl Fn(Status) -> bool) -> Result {
        let start = Instant::<Monotonic>::now();
        while !done(self.status()) {
            if start.elapsed() > SETTLE {
                return Err(ETIMEDOUT);
            }
            kernel::processor::cpu_relax();
        }
        Ok(())
    }
}
