// SPDX-License-Identifier: GPL-2.0

//! The hardware's registers for one guest (hardware reference 6.1 and 6.2).

use hw::{
    regs::Status,
    viommu::{
        external::Reasons,
        guest_page::{Changes, Place},
        vfctrl::{self, page, CmdControl, EvtControl},
        vsc::{self, Apertures},
        watch::{Look, Watch},
    },
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    new_spinlock_irq,
    prelude::*,
    sync::{Arc, SpinLockIrq},
    time::{delay::fsleep, Delta, Instant, Monotonic},
};
use kernel_ext::mmio::Window;

/// How long a guest's queue may take to stop.
const SETTLE: Delta = Delta::from_millis(500);

/// Pause between two looks at it.
const PAUSE: Delta = Delta::from_micros(50);

/// What the hardware has done with the guest's queues by itself.
#[derive(Default)]
struct Fate {
    /// It has failed: no queue may run.
    failed: bool,
    commands: Watch,
}

/// Both blocks of registers of a guest.
#[pin_data]
pub(super) struct Registers {
    control: Window,
    page: Window,
    page_phys: u64,
    /// From when on time is counted.
    since: Instant<Monotonic>,
    /// Held while a queue is started or stopped: the hardware's failure stops all, whatever goes on, and
    /// whoever is about to start one must not miss it.
    #[pin]
    fate: SpinLockIrq<Fate>,
}

impl Registers {
    /// Maps the registers of a guest.
    ///
    /// # Errors
    ///
    /// `EBUSY` when somebody else holds them, `ENOMEM`.
    pub(super) fn new(apertures: Apertures, gid: u16) -> Result<Arc<Self>> {
        let control = apertures.vf_cntl() + Apertures::control_offset(gid);
        let page_phys = apertures.vf_page(gid);
        let (block, page) = (vsc::VF_CNTL_BLOCK as usize, vsc::VF_PAGE as usize);
        Arc::pin_init(
            try_pin_init!(Self {
                control: Window::new(control, block, c"amd_viommu guest control")?,
                page: Window::new(page_phys, page, c"amd_viommu guest page")?,
                page_phys,
                since: Instant::now(),
                fate <- new_spinlock_irq!(Fate::default(), "amd_viommu::fate"),
            }? Error),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// The physical address of the VF page.
    pub(super) fn page_phys(&self) -> u64 {
        self.page_phys
    }

    /// Reads a register of VFCTRL.
    pub(super) fn read_control(&self, offset: usize) -> u64 {
        self.control.read64(offset)
    }

    /// Writes a register of VFCTRL that is not a queue's.
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
                Place::Control => self.write_queue(write.offset, write.value),
                Place::Page => self.page.write64(write.offset, write.value),
            }
            if write.until_clear != 0 {
                result = result.and(self.settle(write.until_clear));
            }
        }
        result
    }

    fn write_queue(&self, offset: usize, value: u64) {
        let mut fate = self.fate.lock();
        let value = match fate.failed {
            true => vfctrl::stopped(offset, value),
            false => value,
        };
        self.control.write64(offset, value);
        if offset == vfctrl::CMD_CONTROL {
            let runs = CmdControl(value).cmd_buf_en();
            fate.commands.set_enabled(runs, self.now());
        }
    }

    /// In milliseconds.
    fn now(&self) -> u64 {
        self.since.elapsed().as_millis() as u64
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

    /// The hardware has failed: no queue runs until [`Registers::repaired`]. Returns whether that is new.
    /// Does not sleep, and does not wait until they have stopped.
    pub(super) fn fail(&self) -> bool {
        let mut fate = self.fate.lock();
        if core::mem::replace(&mut fate.failed, true) {
            return false;
        }
        for offset in vfctrl::QUEUES {
            let value = self.control.read64(offset);
            self.control.write64(offset, vfctrl::stopped(offset, value));
        }
        fate.commands = Watch::default();
        true
    }

    /// Whether the hardware has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.fate.lock().failed
    }

    /// Whether the guest has a reason for an interrupt that it has enabled and not acknowledged.
    pub(super) fn is_pending(&self) -> bool {
        let status = self.page.read64(page::STATUS);
        // Most guests have none, and are asked no more.
        let reasons = Reasons::of(Status(status)).filter(|_| status != u64::MAX);
        reasons.is_some_and(|reasons| {
            let commands = CmdControl(self.control.read64(vfctrl::CMD_CONTROL));
            let log = EvtControl(self.control.read64(vfctrl::EVT_CONTROL));
            reasons.are_enabled(commands, log)
        })
    }

    /// The hardware's state for the guest has been reset.
    pub(super) fn repaired(&self) {
        *self.fate.lock() = Fate::default();
    }

    /// Whether the command queue has stopped without having been told to.
    pub(super) fn look(&self) -> Look {
        let mut fate = self.fate.lock();
        // Of those that need no look nothing is read.
        let status = match fate.commands.is_enabled() {
            true => self.page.read64(page::STATUS),
            false => return Look::Well,
        };
        let runs = Status(status).cmd_buf_run();
        fate.commands.look(runs, self.now())
    }
}
