// SPDX-License-Identifier: GPL-2.0

//! The devices of a domain with a page table, and the domain ID that they share.

use super::host::Host;
use super::requester::Requester;
use crate::iommu::Iommu;
use hw::command::Range;
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, SpinLockIrq,
    },
};
use kernel_ext::iommu::generic_pt::Top;

/// An IOMMU that has walked the domain's table.
struct Walker {
    iommu: Arc<Iommu>,
    /// Devices behind it that are attached now.
    devices: usize,
}

struct Lists {
    /// Never shrinks while the domain lives, so that a position stays what it is.
    walkers: KVec<Walker>,
    requesters: KVec<Arc<Requester>>,
}

impl Lists {
    /// Adds a device if there is room.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; nothing has changed.
    fn add(&mut self, requester: &Arc<Requester>) -> Result {
        let iommu = requester.iommu();
        if self.requesters.len() == self.requesters.capacity() {
            return Err(ENOMEM);
        }
        let known = self
            .walkers
            .iter_mut()
            .find(|walker| Arc::ptr_eq(&walker.iommu, iommu));
        match known {
            Some(walker) => walker.devices += 1,
            None => {
                let walker = Walker {
                    iommu: iommu.clone(),
                    devices: 1,
                };
                self.walkers
                    .push_within_capacity(walker)
                    .map_err(|_| ENOMEM)?;
            }
        }
        self.requesters
            .push_within_capacity(requester.clone())
            .map_err(|_| ENOMEM)
    }
}

/// Everything behind one domain ID.
///
/// Lives until both the domain and the last device that leaves it are gone; then the ID is free.
#[pin_data(PinnedDrop)]
pub(super) struct Members {
    host: Arc<Host>,
    id: u16,
    spoiled: Atomic<bool>,
    #[pin]
    lists: SpinLockIrq<Lists>,
}

impl Members {
    /// A domain without devices, with room for all that are claimed now and behind the same IOMMU: the
    /// core does not let the first attachment of a group fail.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when domain IDs have run out, `ENOMEM`.
    pub(super) fn new(host: Arc<Host>) -> Result<Arc<Self>> {
        let walkers = KVec::with_capacity(1, GFP_KERNEL)?;
        let requesters = KVec::with_capacity(host.client_count(), GFP_KERNEL)?;
        let id = host.take_domain_id()?;
        let shared = host.clone();
        Arc::pin_init(
            pin_init!(Self {
                host,
                id,
                spoiled: Atomic::new(false),
                lists <- new_spinlock_irq!(
                    Lists { walkers, requesters },
                    "amd_viommu::members"
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

    /// Adds a device: from now on its IOMMU takes part in flushes.
    ///
    /// A device that comes back takes the place that it left, which needs no memory: the core has
    /// paths back to the default domain that must not fail.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn join(&self, requester: &Arc<Requester>) -> Result {
        loop {
            if self.lists.lock().add(requester).is_ok() {
                return Ok(());
            }
            // Memory can be waited for only outside the lock.
            let (walkers, requesters) = {
                let lists = self.lists.lock();
                (lists.walkers.len() + 1, lists.requesters.len() + 1)
            };
            let mut new_walkers = KVec::with_capacity(walkers, GFP_KERNEL)?;
            let mut new_requesters = KVec::with_capacity(requesters, GFP_KERNEL)?;
            let mut lists = self.lists.lock();
            if lists.walkers.len() < walkers && lists.requesters.len() < requesters {
                move_all(&mut lists.walkers, &mut new_walkers);
                move_all(&mut lists.requesters, &mut new_requesters);
                let joined = lists.add(requester);
                drop(lists);
                // What is left in the new vectors is the old memory, empty.
                return joined;
            }
        }
    }

    /// Takes a device off; nothing of the domain is cached for it any more.
    pub(super) fn leave(&self, requester: &Arc<Requester>) {
        let mut lists = self.lists.lock();
        let Some(at) = lists
            .requesters
            .iter()
            .position(|other| Arc::ptr_eq(other, requester))
        else {
            return;
        };
        let last = lists.requesters.len() - 1;
        lists.requesters.swap(at, last);
        let left = lists.requesters.pop();
        let iommu = requester.iommu();
        if let Some(walker) = lists
            .walkers
            .iter_mut()
            .find(|walker| Arc::ptr_eq(&walker.iommu, iommu))
        {
            walker.devices -= 1;
        }
        drop(lists);
        drop(left);
    }

    /// Drops what the IOMMUs have cached of a range.
    ///
    /// # Errors
    ///
    /// `EIO` when an IOMMU does not confirm. The domain ID is not used again then: translations may
    /// still be cached under it.
    pub(super) fn flush(&self, range: Range, tables: bool) -> Result {
        let mut result = Ok(());
        for at in 0.. {
            let iommu = match self.lists.lock().walkers.get(at) {
                None => break,
                Some(walker) if walker.devices == 0 => continue,
                Some(walker) => walker.iommu.clone(),
            };
            result = result.and(iommu.invalidate_pages(self.id, range, tables));
        }
        if result.is_err() {
            self.spoil();
        }
        result
    }

    /// Notes that translations may stay cached under the domain ID.
    pub(super) fn spoil(&self) {
        self.spoiled.store(true, Relaxed);
    }

    /// Brings the entries of all devices to a new top table. Called with the lock of the top held,
    /// which keeps devices from joining.
    pub(super) fn change_top(&self, top: Top) {
        for requester in self.lists.lock().requesters.iter() {
            let _ = requester.write_table(self.id, top);
        }
        let _ = self.flush(Range::ALL, true);
    }
}

fn move_all<T>(from: &mut KVec<T>, to: &mut KVec<T>) {
    core::mem::swap(from, to);
    for value in to.drain_all() {
        // There is room for one more than there were.
        let _ = from.push_within_capacity(value);
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
