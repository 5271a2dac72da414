// SPDX-License-Identifier: GPL-2.0

//! The hardware's registers for one guest (hardware reference 6.1 and 6.2).

use hw::viommu::{
    guest_page::{Changes, Place},
    vfctrl::page,
    vsc::{self, Apertures},
};
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta, Instant, Monotonic},
};
use kernel_ext::mmio::Window;

/// How long a guest's queue may take to stop.
const SETTLE: Delta = Delta::from_millis(500);

/// Pause between two looks at it.
const PAUSE: Delta = Delta::from_micros(50);

/// Both blocks of registers of a guest.
pub(super) struct Registers {
    control: Window,
    page: Window,
    page_phys: u64,
}

impl Registers {
    /// Maps the registers of a guest.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody else holds them, `ENOMEM`.
    pub(super) fn new(apertures: Apertures, gid: u16) -> Result<Self> {
        let control = apertures.vf_cntl() + Apertures::control_offset(gid);
        let page_phys = apertures.vf_page(gid);
        let (block, page) = (vsc::VF_CNTL_BLOCK as usize, vsc::VF_PAGE as usize);
        Ok(Self {
            control: Window::new(control, block, c"amd_viommu guest control")?,
            page: Window::new(page_phys, page, c"amd_viommu guest page")?,
            page_phys,
        })
    }

    /// The physical address of the VF page.
    pub(super) fn page_phys(&self) -> u64 {
        self.page_phys
    }

    /// Reads a register of VFCTRL.
    pub(super) fn read_control(&self, offset: usize) -> u64 {
        self.control.read64(offset)
    }

    /// Writes a register of VFCTRL.
    pub(super) fn write_control(&self, offset: usize, value: u64) {
        self.control.write64(offset, value);
    }

    /// Makes the changes in their order. Sleeps.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when a queue does not stop; the changes have been made nevertheless.
    pub(super) fn apply(&self, changes: &Changes) -> Result {
        let mut result = Ok(());
        for write in changes.writes() {
            match write.place {
                Place::Control => self.control.write64(write.offset, write.value),
                Place::Page => self.page.write64(write.offset, write.value),
            }
            if write.until_clear != 0 {
                result = result.and(self.settle(write.until_clear));
            }
        }
        result
    }

    fn settle(&self, bits: u64) -> Result {
        let start = Instant::<Monotonic>::now();
        loop {
            let status = self.page.read64(page::STATUS);
            if status == u64::MAX || status & bits == 0 {
                return Ok(());
            }
            if start.elapsed() > SETTLE {
                return Err(ETIMEDOUT);
            }
            fsleep(PAUSE);
        }
    }
}
