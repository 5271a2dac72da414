// SPDX-License-Identifier: GPL-2.0

//! The IOMMU of one guest: what can be asked for, and what can happen to it.

use super::{
    actions::About,
    admission::Admission,
    devices::Device,
    domains::Domains,
    hardware::Hardware,
    ids::{GuestId, SpareId},
    maps::Maps,
    registers::Registers,
    template::Template,
    vm::Vm,
    voice::Voice,
};
use crate::domain::{Dependant, Owner, Parent, Requester};
use hw::{
    dte::Dte,
    viommu::{
        guest_entry::{Refused, Request},
        guest_page::{GuestPage, Queue},
        life::{self, Event, State},
        report::News,
    },
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex, MutexGuard,
    },
};

/// Everything that changes. Fields that need others go before them.
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) page: GuestPage,
    /// The VMM lets the guest run.
    pub(super) run: bool,
    pub(super) devices: KVec<Device>,
    pub(super) domains: Domains,
    pub(super) template: Arc<Template>,
    pub(super) maps: Option<Maps>,
    pub(super) registers: Arc<Registers>,
    /// The guest gets interrupts.
    pub(super) admission: Option<Admission>,
    /// The table that the guest's addresses go through, and who is told when it goes.
    pub(super) parent: Option<(Parent, Arc<dyn Dependant>)>,
    /// The translate ID as a device.
    pub(super) translator: Arc<Requester>,
    pub(super) translate: SpareId,
    pub(super) gid: GuestId,
}

impl Inner {
    /// The hardware may go on using the guest's IDs: nobody else gets them.
    pub(super) fn keep_ids(&self) {
        self.gid.keep();
        self.translate.keep();
    }
}

/// One guest at one IOMMU.
#[pin_data]
pub(crate) struct Guest {
    pub(super) hardware: Arc<Hardware>,
    /// Who has made it, and by which name he knows it.
    pub(super) vm: Arc<Vm>,
    pub(super) handle: u32,
    /// Where the VF page is for those who map it.
    pub(super) offset: u64,
    /// The same as in `Inner`, for those who cannot wait for that.
    pub(super) registers: Arc<Registers>,
    pub(super) translate_id: u16,
    #[pin]
    pub(super) voice: Voice,
    /// Physical address of the VF page, 0 once it is revoked. No lock: a fault reads it.
    pub(super) vf_page: Atomic<u64>,
    #[pin]
    inner: Mutex<Inner>,
}

impl Guest {
    /// Makes the IOMMU of a guest, which reports as `handle`. It has no device yet.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the IOMMU is going, `ENOSPC` when IDs have run out, `ENOMEM`, `EIO` when the
    /// hardware does not confirm.
    pub(super) fn new(
        hardware: Arc<Hardware>,
        vm: Arc<Vm>,
        handle: u32,
        offset: u64,
    ) -> Result<Arc<Self>> {
        if !hardware.accepts() {
            return Err(ENODEV);
        }
        let template = hardware.template()?;
        let gid = hardware.ids().guest()?;
        let translate = hardware.ids().spare(hardware.host())?;
        let registers = Registers::new(hardware.apertures(), gid.get())?;
        let translator = Requester::bare(hardware.iommu().clone(), translate.get())?;
        let (efr, efr2) = hardware.shown();
        let inner = Inner {
            state: State::Vacant,
            page: GuestPage::new(efr, efr2),
            run: true,
            devices: KVec::new(),
            domains: Domains::new(),
            template,
            maps: None,
            registers: registers.clone(),
            admission: None,
            parent: None,
            translator,
            translate,
            gid,
        };
        let overflows = hardware.iommu().overflow_count();
        let guest = Arc::pin_init(
            pin_init!(Self {
                translate_id: inner.translate.get(),
                voice <- Voice::new(overflows),
                vf_page: Atomic::new(registers.page_phys()),
                registers,
                hardware,
                vm,
                handle,
                offset,
                inner <- new_mutex!(inner, "amd_viommu::guest"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        guest.hardware.ids().list(&guest)?;
        guest.begin().inspect_err(|_| guest.destroy())?;
        Ok(guest)
    }

    fn begin(self: &Arc<Self>) -> Result {
        let mut inner = self.inner.lock();
        // It may have been closed after it was looked at.
        if !self.hardware.accepts() {
            return Err(ENODEV);
        }
        self.happen(&mut inner, Event::Init, &About::NOTHING)?;
        // Not before: what the ID's last guest did is not this one's, and has been told with its reset.
        self.hardware
            .iommu()
            .listen_to(inner.gid.get(), self.clone())
    }

    /// Where an mmap() finds the VF page.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The physical address of the VF page; `None` once it is revoked.
    pub(super) fn vf_page(&self) -> Option<u64> {
        Some(self.vf_page.load(Relaxed)).filter(|phys| *phys != 0)
    }

    /// Feeds the state machine, and does what it says.
    ///
    /// # Errors
    ///
    /// `ENODEV` for what cannot happen now: nothing has changed. Otherwise that of the action that
    /// failed.
    pub(super) fn happen(&self, inner: &mut Inner, event: Event, about: &About) -> Result {
        let (next, actions) = life::step(inner.state, event).map_err(|_| ENODEV)?;
        inner.state = next;
        self.execute(inner, actions, about)
    }

    /// What can change, while the guest exists and its IOMMU too.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the IOMMU has gone, `ENOENT` when the guest has.
    pub(super) fn alive(&self) -> Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner.lock();
        match inner.state {
            State::Parentless | State::Armed { .. } => (),
            // It was destroyed after it was looked up.
            State::Vacant => return Err(ENOENT),
            State::Gone => return Err(ENODEV),
        }
        if self.registers.has_failed() {
            let stop = inner.page.fail();
            // Nothing starts the queues again, even if they are slow to stop.
            let _ = self.registers.apply(&stop);
        }
        Ok(inner)
    }

    /// What can change, whatever has happened.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Gives everything back. Nothing of the guest is in the hardware then.
    pub(super) fn destroy(&self) {
        let mut inner = self.inner.lock();
        // Of what takes something away nothing fails that has not been reported.
        let _ = self.happen(&mut inner, Event::Destroy, &About::NOTHING);
        let gid = inner.gid.get();
        drop(inner);
        self.end_interrupts();
        self.hardware.iommu().unlisten(gid);
        self.hardware.ids().unlist(self);
    }

    /// The guest starts anew: its registers are as after power-on, and its devices reach all of its
    /// memory.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `EIO` when the hardware does not confirm.
    pub(super) fn reset(&self) -> Result {
        let mut inner = self.alive()?;
        self.happen(&mut inner, Event::Reset, &About::NOTHING)
    }

    /// Lets the guest's queues run, or stops them. They have stopped on return.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `ETIMEDOUT`.
    pub(super) fn run(&self, run: bool) -> Result {
        let mut inner = self.alive()?;
        inner.run = run;
        let changes = inner.page.set_run(run);
        inner.registers.apply(&changes)
    }

    /// The guest reads a register of its first page.
    ///
    /// # Errors
    ///
    /// `ENODEV`.
    pub(super) fn read(&self, offset: u32, length: u32) -> Result<u64> {
        Ok(self.alive()?.page.read(offset, length))
    }

    /// The guest writes a register of its first page.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `ETIMEDOUT` when a queue does not stop.
    pub(super) fn write(&self, offset: u32, length: u32, value: u64) -> Result {
        let mut inner = self.alive()?;
        let changes = inner.page.write(offset, length, value);
        inner.registers.apply(&changes)
    }

    /// The VMM presents guest memory as a queue.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `EINVAL` for what is no queue, or beyond the addresses that the IOMMU translates;
    /// `ETIMEDOUT` when a queue does not stop.
    pub(super) fn map_queue(&self, queue: Queue, address: u64, length: u64) -> Result {
        let mut inner = self.alive()?;
        let end = address.checked_add(length).ok_or(EINVAL)?;
        let limit = 1u64.checked_shl(self.hardware.iommu().input_bits().into());
        if limit.is_some_and(|limit| end > limit) {
            return Err(EINVAL);
        }
        let changes = inner.page.accept_queue(queue, address, length);
        inner.registers.apply(&changes.map_err(|_| EINVAL)?)
    }

    /// The guest's entry of a device takes effect.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `ENOENT` without such a device; `EOPNOTSUPP` for host (v1) tables; `EINVAL` for what
    /// hardware would refuse; `ENOMEM`, `ENOSPC` when domain IDs have run out: the device keeps what
    /// it had. `EIO` when the hardware does not confirm: the device is blocked.
    pub(super) fn attach_domain(&self, device: u16, dte: Dte) -> Result {
        let (efr, _) = self.hardware.shown();
        let request = Request::decode(dte, efr).map_err(|refused| match refused {
            Refused::HostTable => EOPNOTSUPP,
            Refused::Illegal => EINVAL,
        })?;
        let mut inner = self.alive()?;
        self.set_entry(&mut inner, device, Some(request))
    }

    /// The device reaches all of the guest's memory again, as behind an IOMMU that is off.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `ENOENT`; `EIO` when the hardware does not confirm: the device is blocked.
    pub(super) fn detach_domain(&self, device: u16) -> Result {
        let mut inner = self.alive()?;
        self.set_entry(&mut inner, device, None)
    }

    fn set_entry(&self, inner: &mut Inner, device: u16, request: Option<Request>) -> Result {
        let old = inner.device(device).ok_or(ENOENT)?.domain;
        let new = request.and_then(Request::g_domain_id);
        let about = About {
            device,
            old,
            new,
            request,
        };
        let users = inner.domains.users(new);
        let result = self.execute(inner, life::set_entry(old, new), &about);
        if result.is_err() && inner.domains.users(new) > users {
            self.undo_join(inner, &about);
        }
        result.map_err(Self::no_device)
    }

    /// The lease of a device may have ended while its owner waits for the lock to be told. The guest has its IOMMU, but
    /// the device no more.
    pub(super) fn no_device(error: Error) -> Error {
        if error == ENODEV {
            ENOENT
        } else {
            error
        }
    }

    /// The IOMMU goes.
    pub(super) fn iommu_gone(&self) {
        let mut inner = self.inner.lock();
        let before = inner.state;
        let _ = self.happen(&mut inner, Event::IommuGone, &About::NOTHING);
        // It may happen more than once, and that is said once.
        if inner.state == State::Gone && before != State::Gone {
            self.say(News::IommuGone);
        }
    }
}

impl Guest {
    /// The IOMMU has gone, and its private address space is closed. The guest is forgotten, since it
    /// would keep what the next driver of the IOMMU needs for as long as its file is open.
    pub(super) fn end(&self) {
        self.destroy();
        self.vm.lose(self.handle);
    }
}

impl Owner for Guest {
    fn lost(&self, lease: u64) {
        let mut inner = self.inner.lock();
        let Some(about) = inner.about_lease(lease) else {
            return;
        };
        let _ = self.happen(&mut inner, Event::Lost, &about);
        inner.forget(about.device);
        self.say(News::DeviceLeft { id: about.device });
    }
}

impl Dependant for Guest {
    fn parent_freed(&self, id: u16) {
        let mut inner = self.inner.lock();
        // It may have got another meanwhile.
        if inner
            .parent
            .as_ref()
            .is_none_or(|(parent, _)| parent.id() != id)
        {
            return;
        }
        for device in inner.devices.iter() {
            self.say(News::DeviceLeft { id: device.guest });
        }
        let _ = self.happen(&mut inner, Event::ParentFreed, &About::NOTHING);
    }
}
