// SPDX-License-Identifier: GPL-2.0

//! The devices of a domain with a page table, and the domain IDs under which the table is walked.

mod flush;
mod lists;

use super::host::Host;
use super::parent::Dependant;
use super::requester::Requester;
use crate::iommu::Iommu;
use hw::{
    command::Range,
    device::Stale,
    dte::{GuestEntry, GuestIds, HostRoot, Translation},
};
use kernel::{
    new_mutex, new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex, SpinLockIrq,
    },
};
use kernel_ext::iommu::generic_pt::Top;
use lists::{Lists, Room};

/// How the entry of a member uses the table.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// The device is the host's.
    Host,
    /// A guest has the device.
    Guest(GuestIds, GuestEntry),
}

impl Form {
    /// # Errors
    ///
    /// `EINVAL` for a table that an entry cannot express.
    fn translation(self, domain_id: u16, top: Top) -> Result<Translation> {
        let root = kernel_ext::pages::encrypted(top.phys);
        let root = HostRoot::new(root, top.levels).ok_or(EINVAL)?;
        Ok(match self {
            Self::Host => Translation::V1 { domain_id, root },
            Self::Guest(ids, entry) => Translation::Guest {
                ids,
                domain_id,
                root,
                entry,
            },
        })
    }
}

/// Who wants to hear of the end of the domain.
struct Dependants {
    all: KVec<Arc<dyn Dependant>>,
    freed: bool,
}

/// Everything behind one page table.
///
/// Lives until the domain, the last device that leaves it and the last guest that used it are gone;
/// then the domain ID is free.
#[pin_data(PinnedDrop)]
pub(super) struct Members {
    host: Arc<Host>,
    id: u16,
    spoiled: Atomic<bool>,
    /// Somebody else than the DMA API maps the domain.
    unmanaged: Atomic<bool>,
    #[pin]
    lists: SpinLockIrq<Lists>,
    #[pin]
    dependants: Mutex<Dependants>,
}

impl Members {
    /// A domain without devices, with room for all that are claimed now and behind the same IOMMU: the
    /// core does not let the first attachment of a group fail.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when domain IDs have run out, `ENOMEM`.
    pub(super) fn new(host: Arc<Host>) -> Result<Arc<Self>> {
        let lists = Lists::new(host.client_count())?;
        let id = host.take_domain_id()?;
        let shared = host.clone();
        Arc::pin_init(
            pin_init!(Self {
                host,
                id,
                spoiled: Atomic::new(false),
                unmanaged: Atomic::new(false),
                lists <- new_spinlock_irq!(lists, "amd_viommu::members"),
                dependants <- new_mutex!(
                    Dependants { all: KVec::new(), freed: false },
                    "amd_viommu::dependants"
                ),
            }),
            GFP_KERNEL,
        )
        .inspect_err(|_| shared.put_domain_id(id))
    }

    /// The domain ID.
    pub(super) fn id(&self) -> u16 {
        self.id
    }

    /// Notes whose domain it is, which is known when the first device is attached.
    pub(super) fn set_unmanaged(&self, yes: bool) {
        self.unmanaged.store(yes, Relaxed);
    }

    /// Whether the domain was made by somebody who maps it himself, like VFIO does. A device on any
    /// other may get a driver of the host at any time.
    pub(super) fn is_unmanaged(&self) -> bool {
        self.unmanaged.load(Relaxed)
    }

    /// Says where the table begins. Comes before the first device.
    pub(super) fn set_top(&self, top: Top) {
        self.lists.lock().top = Some(top);
    }

    /// Adds a device: from now on its IOMMU takes part in flushes.
    ///
    /// A device of the core that comes back takes the place that it left, which needs no memory: the
    /// core has paths back to the default domain that must not fail.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when the domain is being freed.
    pub(super) fn join(&self, requester: &Arc<Requester>) -> Result {
        self.with_room(|lists| lists.add(requester))
    }

    /// Changes the lists, with more memory as long as `change` has too little.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what else `change` answers.
    fn with_room(&self, change: impl Fn(&mut Lists) -> Result<(), Room>) -> Result {
        loop {
            let wanted = match change(&mut self.lists.lock()) {
                Ok(()) => return Ok(()),
                Err(wanted) => wanted,
            };
            // Memory can be waited for only outside the lock, and what is left over freed.
            let mut memory = wanted.allocate()?;
            self.lists.lock().grow(&mut memory);
        }
    }

    /// Takes a device off; nothing of the domain is cached for it any more.
    pub(super) fn leave(&self, requester: &Arc<Requester>) {
        let left = self.lists.lock().remove(requester);
        drop(left);
    }

    /// Brings the entries of a member to the table.
    ///
    /// The lock is held until the hardware uses the new entry, so that a change of the top comes before
    /// or after.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a table that an entry cannot express, `ENODEV` for a device that is no member;
    /// otherwise as [`Requester::write`].
    pub(super) fn write(&self, requester: &Arc<Requester>, form: Form) -> Result {
        let mut lists = self.lists.lock();
        let top = lists.top.ok_or(ENODEV)?;
        let member = lists.find(requester).ok_or(ENODEV)?;
        let translation = form.translation(self.id, top)?;
        member.form = Some(form);
        requester.write(translation)
    }

    /// A member is about to get an entry that has nothing to do with the table.
    pub(super) fn let_go(&self, requester: &Arc<Requester>) {
        if let Some(member) = self.lists.lock().find(requester) {
            member.form = None;
        }
    }

    /// Adds a domain ID under which the table is walked for guests behind an IOMMU.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when the domain has no device there.
    pub(super) fn add_nested(&self, iommu: &Arc<Iommu>, domain_id: u16) -> Result {
        self.with_room(|lists| lists.add_nested(iommu, domain_id))
    }

    /// Takes a domain ID away again that no entry holds any more.
    pub(super) fn remove_nested(&self, iommu: &Arc<Iommu>, domain_id: u16) {
        self.lists.lock().remove_nested(iommu, domain_id);
    }

    /// Whether flushes reach a domain ID.
    pub(super) fn knows_nested(&self, iommu: &Arc<Iommu>, domain_id: u16) -> bool {
        self.lists.lock().knows_nested(iommu, domain_id)
    }

    /// Notes that translations may stay cached under the domain ID.
    pub(super) fn spoil(&self) {
        self.spoiled.store(true, Relaxed);
    }

    /// Brings the entries of all devices to a new top table. Called with the lock of the top held.
    pub(super) fn change_top(&self, top: Top) {
        let mut lists = self.lists.lock();
        lists.top = Some(top);
        for (requester, form) in lists.in_use() {
            if let Ok(translation) = form.translation(self.id, top) {
                let _ = requester.write(translation);
            }
        }
        drop(lists);
        let _ = self.flush(Range::ALL, true);
    }

    /// Adds somebody who is told before the table is freed.
    ///
    /// # Errors
    ///
    /// `ENODEV` when that has happened, `ENOMEM`.
    pub(super) fn watch(&self, dependant: Arc<dyn Dependant>) -> Result {
        let mut dependants = self.dependants.lock();
        if dependants.freed {
            return Err(ENODEV);
        }
        Ok(dependants.all.push(dependant, GFP_KERNEL)?)
    }

    /// Takes somebody away who was added. He may be being told at the same time.
    pub(super) fn unwatch(&self, dependant: &Arc<dyn Dependant>) {
        let mut dependants = self.dependants.lock();
        let at = dependants
            .all
            .iter()
            .position(|other| core::ptr::addr_eq(&**other, &**dependant));
        let removed = at.map(|at| dependants.all.remove(at));
        drop(dependants);
        drop(removed);
    }

    /// The domain is about to be freed: nothing may use its table when this returns.
    ///
    /// The core has attached every device to something else. What may be left is what guests have: a
    /// lease that is suspended, and the entries by which the hardware reads a guest's memory.
    pub(super) fn sever(&self) {
        self.lists.lock().top = None;
        while let Some(client) = self.host.find_client(|client| client.is_lent_over(self)) {
            client.parent_freed(self);
        }
        self.dependants.lock().freed = true;
        while let Some(dependant) = self.next_dependant() {
            dependant.parent_freed(self.id);
        }
        while let Some(requester) = self.any_member() {
            self.block(&requester);
        }
    }

    fn next_dependant(&self) -> Option<Arc<dyn Dependant>> {
        self.dependants.lock().all.pop()
    }

    fn any_member(&self) -> Option<Arc<Requester>> {
        self.lists.lock().last()
    }

    /// Blocks a member and takes it off.
    pub(super) fn block(&self, requester: &Arc<Requester>) {
        self.let_go(requester);
        let stale = Stale {
            domain_id: self.id,
            guest: false,
        };
        let written = requester.write(Translation::Blocked);
        let flushed = requester.iommu().invalidate_stale(stale);
        if written.and(flushed).is_err() {
            self.spoil();
        }
        self.leave(requester);
    }
}

#[pinned_drop]
impl PinnedDrop for Members {
    fn drop(self: Pin<&mut Self>) {
        if !self.spoiled.load(Relaxed) {
            self.host.put_domain_id(self.id);
        }
    }
}
