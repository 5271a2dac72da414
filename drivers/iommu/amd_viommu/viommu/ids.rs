// SPDX-License-Identifier: GPL-2.0

//! The IDs that guests take from an IOMMU: guest IDs, and requester IDs that no device has.

use super::guest::Guest;
use crate::{
    domain::host::Host,
    iommu::{Iommu, Sbdf},
};
use hw::viommu::ids;
use kernel::{
    new_mutex, pci,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
};

/// What is taken.
struct Taken {
    guests: KVec<u16>,
    /// Guests that are told when the IOMMU goes.
    listed: KVec<Arc<Guest>>,
}

/// The IDs of one IOMMU.
pub(super) struct Ids(Arc<Pool>);

#[pin_data]
struct Pool {
    iommu: Arc<Iommu>,
    /// Requester IDs that firmware's table gives to devices in place of their own, or to devices that
    /// are no PCI functions.
    named: KVec<u16>,
    #[pin]
    taken: Mutex<Taken>,
}

impl Ids {
    /// How many guests there can be; one ID is the template's.
    pub(super) const GUESTS: u32 = *ids::GUESTS.end() as u32 - *ids::GUESTS.start() as u32;

    /// Nothing is taken.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(host: &Host, iommu: &Arc<Iommu>) -> Result<Self> {
        let named = named_by_firmware(host, iommu.sbdf().segment)?;
        let pool = Arc::pin_init(
            pin_init!(Pool {
                iommu: iommu.clone(),
                named,
                taken <- new_mutex!(
                    Taken {
                        guests: KVec::new(),
                        listed: KVec::new(),
                    },
                    "amd_viommu::ids"
                ),
            }),
            GFP_KERNEL,
        )?;
        Ok(Self(pool))
    }

    /// Takes a guest ID.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when all are taken, `ENOMEM`.
    pub(super) fn guest(&self) -> Result<GuestId> {
        let mut taken = self.0.taken.lock();
        let id = ids::guest(|id| taken.guests.contains(&id)).ok_or(ENOSPC)?;
        taken.guests.push(id, GFP_KERNEL)?;
        Ok(GuestId(self.0.clone(), id, Atomic::new(false)))
    }

    /// Takes a requester ID that no device has and none can get. Its entry blocks.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when there is none, `ENOMEM`.
    pub(super) fn spare(&self, host: &Host) -> Result<SpareId> {
        // No device is claimed between the look and the choice.
        let _claiming = host.claiming();
        let iommu = &self.0.iommu;
        let used = UsedIds::collect(host, iommu)?;
        let named = &self.0.named;
        let own = iommu.sbdf().devid;
        let id = iommu.take_spare(|taken| {
            ids::translate(own, |id| {
                used.contains(id) || named.contains(&id) || taken.contains(&id)
            })
        })?;
        Ok(SpareId(iommu.clone(), id, Atomic::new(false)))
    }

    /// Has a guest told when the IOMMU goes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn list(&self, guest: &Arc<Guest>) -> Result {
        Ok(self.0.taken.lock().listed.push(guest.clone(), GFP_KERNEL)?)
    }

    /// The reverse of [`Ids::list`].
    pub(super) fn unlist(&self, guest: &Guest) {
        let mut taken = self.0.taken.lock();
        let at = taken
            .listed
            .iter()
            .position(|other| core::ptr::eq(&**other, guest));
        let removed = at.and_then(|at| taken.listed.remove(at).ok());
        drop(taken);
        drop(removed);
    }

    /// A guest in the list, which may change between two calls.
    pub(super) fn nth(&self, n: usize) -> Option<Arc<Guest>> {
        self.0.taken.lock().listed.get(n).cloned()
    }

    /// Whether there are guests.
    pub(super) fn is_used(&self) -> bool {
        !self.0.taken.lock().listed.is_empty()
    }

    /// Takes the IOMMU from all guests, which are given back.
    pub(super) fn lose_all(&self) -> KVec<Arc<Guest>> {
        let lost = core::mem::take(&mut self.0.taken.lock().listed);
        for guest in lost.iter() {
            guest.iommu_gone();
        }
        lost
    }
}

/// A guest ID, taken.
pub(super) struct GuestId(Arc<Pool>, u16, Atomic<bool>);

impl GuestId {
    /// The ID.
    pub(super) fn get(&self) -> u16 {
        self.1
    }

    /// The hardware may go on using it: it stays taken.
    pub(super) fn keep(&self) {
        self.2.store(true, Relaxed);
    }
}

impl Drop for GuestId {
    fn drop(&mut self) {
        if !self.2.load(Relaxed) {
            self.0.taken.lock().guests.retain(|id| *id != self.1);
        }
    }
}

/// A requester ID without a device, taken.
pub(super) struct SpareId(Arc<Iommu>, u16, Atomic<bool>);

impl SpareId {
    /// The ID.
    pub(super) fn get(&self) -> u16 {
        self.1
    }

    /// The hardware may go on using it: it stays taken.
    pub(super) fn keep(&self) {
        self.2.store(true, Relaxed);
    }
}

impl Drop for SpareId {
    fn drop(&mut self) {
        if !self.2.load(Relaxed) {
            self.0.put_spare(self.1);
        }
    }
}

fn named_by_firmware(host: &Host, segment: u16) -> Result<KVec<u16>> {
    let mut named = KVec::new();
    let ivrs = host.ivrs();
    for ivhd in ivrs.iommus().filter(|ivhd| ivhd.segment == segment) {
        named.push(ivhd.devid, GFP_KERNEL)?;
        for special in ivhd.specials() {
            named.push(special.devid, GFP_KERNEL)?;
        }
        for hid in ivhd.acpi_hids() {
            named.push(hid.devid, GFP_KERNEL)?;
        }
        for alias in ivhd.aliases() {
            named.push(alias, GFP_KERNEL)?;
        }
    }
    Ok(named)
}

/// The requester IDs of a segment that devices have, or may get: single IDs, and ranges of buses.
struct UsedIds {
    single: KVec<u16>,
    buses: KVec<(u8, u8)>,
}

impl UsedIds {
    fn collect(host: &Host, iommu: &Iommu) -> Result<Self> {
        let mut used = Self {
            single: KVec::new(),
            buses: KVec::new(),
        };
        let segment = iommu.sbdf().segment;
        for pdev in kernel_ext::pci::devices() {
            let Some(sbdf) = Sbdf::of(&pdev).filter(|sbdf| sbdf.segment == segment) else {
                continue;
            };
            used.add(host, sbdf, &pdev)?;
        }
        Ok(used)
    }

    /// A function takes its own ID and its aliases, the bus it is on (more functions may be plugged
    /// there, virtual ones among them), and if it is a bridge all buses behind it.
    fn add(&mut self, host: &Host, sbdf: Sbdf, pdev: &pci::Device) -> Result {
        let bus = (sbdf.devid >> 8) as u8;
        self.buses.push((bus, bus), GFP_KERNEL)?;
        if let Some(range) = buses_behind(pdev) {
            self.buses.push(range, GFP_KERNEL)?;
        }
        if let Some((_, info)) = host.lookup(sbdf) {
            for id in host.requesters(pdev, info)?.iter() {
                self.single.push(*id, GFP_KERNEL)?;
            }
        }
        Ok(())
    }

    fn contains(&self, id: u16) -> bool {
        let bus = (id >> 8) as u8;
        self.single.contains(&id)
            || self
                .buses
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&bus))
    }
}

/// Class of bridges to another PCI bus.
const BRIDGE: u32 = 0x06_0400;

/// Where a bridge keeps the numbers of its buses: secondary 15:8, subordinate 23:16.
const BUS_NUMBERS: u32 = 0x18;

/// First and last bus behind a bridge.
fn buses_behind(pdev: &pci::Device) -> Option<(u8, u8)> {
    if kernel_ext::pci::class(pdev) >> 8 != BRIDGE >> 8 {
        return None;
    }
    let numbers = kernel_ext::pci::read_config(pdev, BUS_NUMBERS).ok()?;
    Some(((numbers >> 8) as u8, (numbers >> 16) as u8))
}
