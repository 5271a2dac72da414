// SPDX-License-Identifier: GPL-2.0

//! The trapped first page of a guest's registers (hardware reference 3.2, 6.3 and 7.5).
//!
//! [`GuestPage`] holds what the guest wrote, because the hardware keeps neither all bits nor the
//! ones that the host withholds. It works out what the hardware's registers become, and the driver
//! executes the [`Changes`]. The hardware fetches commands, or logs events, while all of this holds:
//!
//! * the guest has set IommuEn and the queue's own enable;
//! * the base register has a legal length and names the queue that the VMM presented;
//! * the VMM lets the guest run, and the guest has a parent, without which its addresses resolve to
//!   nothing;
//! * the hardware has not failed on its behalf since it was reset.
//!
//! The guest cannot see the last two points: its own bits read back as it wrote them.
//!
//! The interrupt enables take effect while there is somebody who takes the interrupts to the guest. Without an
//! entry for them in the IOMMU's own interrupt table (hardware reference 6.4) they would be faults of the
//! IOMMU.

mod access;
mod change;

pub use change::{Changes, Place, Write};

use super::vfctrl::{self, CmdControl, EvtControl};
use crate::regs::{self, Control, DevTabBase, Efr, Efr2, RingBase, Status};
use access::Access;
use change::Step;

/// A queue of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// The command buffer.
    Command,
    /// The event log.
    Event,
}

/// The address or the length cannot be that of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadQueue;

/// A queue's base register, and the queue that the VMM presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Base {
    register: RingBase,
    presented: Option<RingBase>,
}

/// The first page of a guest's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestPage {
    efr: Efr,
    efr2: Efr2,
    dev_tab: DevTabBase,
    control: Control,
    command: Base,
    event: Base,
    run: bool,
    parent: bool,
    failed: bool,
    interrupts: bool,
    /// What the hardware's registers are.
    cmd_control: CmdControl,
    evt_control: EvtControl,
}

impl GuestPage {
    /// The page of a guest that is shown these features and has no parent yet. The hardware's
    /// registers have to be 0, as they are after RESET_VMMIO (OQ-30).
    pub fn new(efr: Efr, efr2: Efr2) -> Self {
        Self {
            efr,
            efr2,
            dev_tab: DevTabBase::default(),
            control: Control::default(),
            command: Base::default(),
            event: Base::default(),
            run: true,
            parent: false,
            failed: false,
            interrupts: false,
            cmd_control: CmdControl::default(),
            evt_control: EvtControl::default(),
        }
    }

    /// Forgets all that the guest wrote and the VMM presented, and that the hardware has failed, after a
    /// RESET_VMMIO. Whether the guest may run, has a parent and gets its interrupts stays.
    pub fn reset(&mut self) {
        *self = Self {
            run: self.run,
            parent: self.parent,
            interrupts: self.interrupts,
            ..Self::new(self.efr, self.efr2)
        };
    }

    /// What the guest reads; 0 where it has no register and where the access is not aligned.
    pub fn read(&self, offset: u32, length: u32) -> u64 {
        match Access::new(offset, length) {
            Some(access) => access.part_of(self.register(access.register())),
            None => 0,
        }
    }

    /// The guest writes 4 or 8 bytes. Other lengths, accesses that are not aligned and registers
    /// that cannot be written change nothing.
    pub fn write(&mut self, offset: u32, length: u32, value: u64) -> Changes {
        let Some(access) = Access::new(offset, length) else {
            return Changes::default();
        };
        let value = access.merge(self.register(access.register()), value);

        match access.register() {
            regs::DEV_TAB_BASE => self.dev_tab = DevTabBase(value).legal(),
            regs::CONTROL => self.control = Control(value).kept_for_guest(self.efr),
            regs::CMD_BUF_BASE => return self.write_base(Queue::Command, RingBase(value)),
            regs::EVENT_LOG_BASE => return self.write_base(Queue::Event, RingBase(value)),
            _ => return Changes::default(),
        }
        self.update()
    }

    /// The VMM presents guest memory as a queue, or with length 0 takes it away. The queue is in use
    /// as long as the guest's base register names the same memory.
    ///
    /// # Errors
    ///
    /// [`BadQueue`] unless the address is a multiple of 4 KiB and the length a power of two from 4
    /// KiB to 512 KiB.
    pub fn accept_queue(
        &mut self,
        queue: Queue,
        address: u64,
        length: u64,
    ) -> Result<Changes, BadQueue> {
        let presented = match length {
            0 => None,
            _ => Some(ring(address, length).ok_or(BadQueue)?),
        };
        self.base_mut(queue).presented = presented;

        Ok(self.update())
    }

    /// The VMM lets the guest's queues run, or stops them. They may run from the start.
    pub fn set_run(&mut self, run: bool) -> Changes {
        self.run = run;
        self.update()
    }

    /// The guest gets a parent, or loses it. It has none from the start.
    pub fn set_parent(&mut self, parent: bool) -> Changes {
        self.parent = parent;
        self.update()
    }

    /// The interrupts of event log and COMPLETION_WAIT get to the guest from now on, or no more. They do
    /// not from the start.
    pub fn set_interrupts(&mut self, interrupts: bool) -> Changes {
        self.interrupts = interrupts;
        self.update()
    }

    /// The hardware has failed on behalf of the guest: its queues do not run before
    /// [`GuestPage::reset`].
    pub fn fail(&mut self) -> Changes {
        self.failed = true;
        self.update()
    }

    /// Whether commands are fetched unless the engine has met an error.
    pub fn fetches(&self) -> bool {
        self.cmd_control.cmd_buf_en()
    }

    /// The value of a register.
    fn register(&self, offset: usize) -> u64 {
        match offset {
            regs::DEV_TAB_BASE => self.dev_tab.0,
            regs::CMD_BUF_BASE => self.command.register.0,
            regs::EVENT_LOG_BASE => self.event.register.0,
            regs::CONTROL => self.control.0,
            regs::EFR => self.efr.0,
            regs::EFR2 => self.efr2.0,
            _ => 0,
        }
    }

    /// A base register is written. That is ignored while the queue is in use.
    ///
    /// A register whose length is not legal is kept, but cannot be used: a guest that writes
    /// the halves one by one passes through such a state, and the half written first must not get
    /// lost. A legal one resets head and tail, which the hardware's registers for guests do not do
    /// by themselves (OQ-40).
    fn write_base(&mut self, queue: Queue, value: RingBase) -> Changes {
        if self.in_use(queue) {
            return Changes::default();
        }
        self.base_mut(queue).register = value.legal();

        let changes = self.update();
        match value.has_length() {
            true => changes.with_pointers_reset(queue),
            false => changes,
        }
    }

    /// Whether the guest has to believe that the queue runs.
    fn in_use(&self, queue: Queue) -> bool {
        let enable = match queue {
            Queue::Command => self.control.cmd_buf_en(),
            Queue::Event => self.control.event_log_en(),
        };

        self.control.iommu_en() && enable && self.base(queue).usable().is_some()
    }

    /// The queue as the hardware shall have it, and whether it runs.
    fn wanted(&self, queue: Queue) -> (RingBase, bool) {
        let base = self.base(queue).usable();

        (
            base.unwrap_or_default(),
            self.in_use(queue) && self.run && self.parent && !self.failed,
        )
    }

    /// Works out what the hardware's registers become, and how.
    ///
    /// A queue never moves while it runs: the guest's base register is ignored then, and when the
    /// VMM presents something else the two do not agree any more.
    fn update(&mut self) -> Changes {
        let command = self.update_command();
        let event = self.update_event();

        Changes::new(command, event)
    }

    fn update_command(&mut self) -> Step {
        let (base, run) = self.wanted(Queue::Command);
        let new = CmdControl::default()
            .with_base(base.address() >> 12)
            .with_len_code(base.len_code())
            .with_com_wait_int_en(self.interrupts && self.control.com_wait_int_en())
            .with_cmd_buf_en(run);
        let old = core::mem::replace(&mut self.cmd_control, new);

        let stop = old.cmd_buf_en() && !new.cmd_buf_en();
        Step {
            offset: vfctrl::CMD_CONTROL,
            run: Status::CMD_BUF_RUN,
            old: old.0,
            stopped: stop.then_some(old.with_cmd_buf_en(false).0),
            new: new.0,
        }
    }

    fn update_event(&mut self) -> Step {
        let (base, run) = self.wanted(Queue::Event);
        let new = EvtControl::default()
            .with_base(base.address() >> 12)
            .with_len_code(base.len_code())
            .with_event_int_en(self.interrupts && self.control.event_int_en())
            .with_event_log_en(run);
        let old = core::mem::replace(&mut self.evt_control, new);

        let stop = old.event_log_en() && !new.event_log_en();
        Step {
            offset: vfctrl::EVT_CONTROL,
            run: Status::EVENT_LOG_RUN,
            old: old.0,
            stopped: stop.then_some(old.with_event_log_en(false).0),
            new: new.0,
        }
    }

    fn base(&self, queue: Queue) -> &Base {
        match queue {
            Queue::Command => &self.command,
            Queue::Event => &self.event,
        }
    }

    fn base_mut(&mut self, queue: Queue) -> &mut Base {
        match queue {
            Queue::Command => &mut self.command,
            Queue::Event => &mut self.event,
        }
    }
}

impl Base {
    /// The register, if it names what the VMM presented. That has a legal length.
    fn usable(self) -> Option<RingBase> {
        self.presented
            .filter(|&presented| presented == self.register)
    }
}

/// The base register of a queue.
fn ring(address: u64, length: u64) -> Option<RingBase> {
    RingBase::new(address, usize::try_from(length).ok()?)
}
