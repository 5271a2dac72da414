// SPDX-License-Identifier: GPL-2.0

//! The device table: one entry for each requester ID (hardware reference 3.3).

use hw::{
    dte::Dte,
    interrupt::Interrupts,
    regs::DevTabBase,
    sequence::{plan, Half, Step},
};
use kernel::{new_spinlock_irq, prelude::*, sync::SpinLockIrq};
use kernel_ext::pages::Pages;

/// The table in memory.
#[pin_data]
pub(super) struct DeviceTable {
    mem: Pages,
    bytes: usize,
    /// Held while an entry changes. Entries of aliases belong to several devices.
    #[pin]
    changing: SpinLockIrq<()>,
}

impl DeviceTable {
    /// A table of `bytes` bytes whose entries all block memory, and do this to interrupts.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(
        node: i32,
        bytes: usize,
        interrupts: Interrupts,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            mem: Self::filled(node, bytes, Dte::default().with_v(true).with_interrupts(interrupts))?,
            bytes,
            changing <- new_spinlock_irq!((), "amd_viommu::device_table"),
        })
    }

    fn filled(node: i32, bytes: usize, entry: Dte) -> Result<Pages> {
        let mem = Pages::new(node, bytes)?;
        for offset in (0..bytes).step_by(Dte::BYTES) {
            for (n, word) in entry.0.into_iter().enumerate() {
                mem.write64(offset + n * 8, word)?;
            }
        }
        Ok(mem)
    }

    /// Leaves the memory to hardware that does not let go of it.
    pub(super) fn keep(&self) {
        self.mem.keep();
    }

    /// Value of the base register; `None` if the memory cannot be expressed, which does not happen
    /// with whole pages up to 2 MiB.
    pub(super) fn base(&self) -> Option<DevTabBase> {
        DevTabBase::new(self.mem.address(), self.bytes)
    }

    fn offset(&self, devid: u16) -> Option<usize> {
        let offset = usize::from(devid) * Dte::BYTES;
        (offset < self.bytes).then_some(offset)
    }

    /// Reads an entry; `None` beyond the end.
    pub(super) fn read(&self, devid: u16) -> Option<Dte> {
        let offset = self.offset(devid)?;
        let word = |n: usize| self.mem.read64(offset + n * 8).ok();
        Some(Dte([word(0)?, word(1)?, word(2)?, word(3)?]))
    }

    /// Changes an entry to what `make` makes of it; `flush` makes the hardware forget what it has cached
    /// of it.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond the end of the table; the first error of `flush`, after all stores.
    pub(super) fn change(
        &self,
        devid: u16,
        make: impl FnOnce(Dte) -> Dte,
        mut flush: impl FnMut() -> Result,
    ) -> Result {
        let offset = self.offset(devid).ok_or(EINVAL)?;
        let _guard = self.changing.lock();
        let old = self.read(devid).ok_or(EINVAL)?;
        let mut result = Ok(());
        for step in plan(old, make(old)).steps() {
            match *step {
                Step::Store(Half::Low, value) => self.mem.store128(offset, value)?,
                Step::Store(Half::High, value) => self.mem.store128(offset + 16, value)?,
                Step::Flush => result = result.and(flush()),
            }
        }
        result
    }
}
