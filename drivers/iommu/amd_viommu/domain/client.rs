// SPDX-License-Identifier: GPL-2.0

//! One claimed device.

mod lease;
mod life;

pub(crate) use lease::{Lease, Owner};

use super::{backend::Backend, requester::Requester, v1::V1Domain};
use crate::{
    domain::host::{Host, IDENTITY},
    iommu::{Iommu, Remapped, Sbdf, Stats},
};
use hw::device::{Event, State, Target};
use kernel::{
    bindings,
    device::Device,
    new_mutex, pci,
    prelude::*,
    str::CStr,
    sync::{aref::ARef, Arc, Mutex},
};
use kernel_ext::{
    device::LockedDevice,
    iommu::{self, Capability, Regions, Reserved},
};
use life::Life;

/// Writes here are interrupts, and never translated (hardware reference 3.9).
const MSI: (u64, u64) = (0xfee0_0000, 0xfeef_ffff);

/// The HyperTransport range, not usable for DMA unless the hardware says so (hardware reference 3.9).
const HYPER_TRANSPORT: (u64, u64) = (0xfd_0000_0000, 0xff_ffff_ffff);

/// A device that the IOMMU core has given to this driver.
#[pin_data]
pub(crate) struct Client {
    host: Arc<Host>,
    pdev: ARef<pci::Device>,
    requester: Arc<Requester>,
    /// The core serialises attaching, but not against the removal of the IOMMU.
    #[pin]
    life: Mutex<Life>,
    /// There is none for a device whose interrupts are as they were.
    #[pin]
    interrupts: Mutex<Option<Remapped>>,
}

impl Client {
    /// Takes a device over. What its entry says about memory stays as it is until the core attaches a
    /// domain; its interrupts go through a table from now on. The lock is the device's.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(
        host: Arc<Host>,
        pdev: ARef<pci::Device>,
        lock: &LockedDevice,
        requester: Requester,
    ) -> Result<Arc<Self>> {
        let open = requester.passes_through();
        let state = if open {
            State::Untouched(IDENTITY)
        } else {
            State::Absent
        };
        let client = Arc::pin_init(
            try_pin_init!(Self {
                host,
                pdev,
                requester: Arc::new(requester, GFP_KERNEL)?,
                life <- new_mutex!(
                    Life::new(state),
                    "amd_viommu::client"
                ),
                interrupts <- new_mutex!(None, "amd_viommu::client_interrupts"),
            }? Error),
            GFP_KERNEL,
        )?;
        client
            .take_over(open, lock)
            .inspect_err(|_| client.close(&mut client.life.lock()))?;
        Stats::count(&client.iommu().stats().devices);
        Ok(client)
    }

    fn take_over(&self, open: bool, lock: &LockedDevice) -> Result {
        // The core does not let the first attachment fail, so that it may need no memory.
        self.requester.reserve()?;
        if open {
            self.requester.open()?;
            self.life.lock().open = true;
        }
        self.remap(lock)?;
        self.happen(Event::Probe, None)
    }

    /// Interrupts of an I/O APIC are not remapped, and a table would take those that come under an ID of
    /// the device for the device's.
    fn remap(&self, lock: &LockedDevice) -> Result {
        let own = self.sbdf();
        let ids = self.requester.ids();
        if ids.iter().any(|devid| {
            self.host.is_special(Sbdf {
                devid: *devid,
                ..own
            })
        }) {
            dev_info!(
                self.pdev,
                "shares its requester ID with an interrupt controller: interrupts are not remapped\n"
            );
            return self.forward();
        }
        let alone = ids.len() == 1 && !self.host.may_share_requester(&self.pdev, own);
        let remapped = Remapped::new(self.iommu(), &self.pdev, lock, ids, alone)?;
        if remapped.is_none() {
            return self.forward();
        }
        *self.interrupts.lock() = remapped;
        Ok(())
    }

    /// What the hardware does not confirm has been reported; the device is claimed nevertheless.
    fn forward(&self) -> Result {
        let _ = self.requester.forward_interrupts();
        Ok(())
    }

    /// Whether a driver that stays bound keeps the IOMMU from going: that of a bridge starts no DMA, but
    /// may have interrupts.
    pub(crate) fn may_have_interrupts(&self) -> bool {
        let interrupts = self.interrupts.lock();
        interrupts.as_ref().is_some_and(Remapped::can_interrupt)
    }

    /// Whether the core has attached something: until then it may not be done with claiming.
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.life.lock().state;
        matches!(state, State::Claimed { attached: true, .. } | State::Gone)
    }

    /// The device.
    pub(crate) fn pdev(&self) -> &ARef<pci::Device> {
        &self.pdev
    }

    /// The IOMMU in front of the device.
    pub(crate) fn iommu(&self) -> &Arc<Iommu> {
        self.requester.iommu()
    }

    /// The device's own requester ID.
    pub(crate) fn sbdf(&self) -> Sbdf {
        self.requester.sbdf()
    }

    /// All requester IDs that it uses, its own first.
    pub(crate) fn devids(&self) -> &[u16] {
        self.requester.ids()
    }

    /// The device's name, for messages.
    pub(crate) fn name(&self) -> &CStr {
        let dev: &Device = self.pdev.as_ref();
        dev.name()
    }

    /// The core gives the device back.
    pub(super) fn release(&self) {
        // Never refused for a claimed device; what the hardware does not confirm has been reported.
        let _ = self.happen(Event::Release(IDENTITY), None);
        self.close(&mut self.life.lock());
        let remapped = self.interrupts.lock().take();
        drop(remapped);
        Stats::uncount(&self.iommu().stats().devices);
    }

    /// The IOMMU is being taken away while the device is in use. The owner of a lease is not told yet:
    /// [`Client::tell_owner`] has to follow, without locks.
    pub(super) fn lose_iommu(&self) {
        let _ = self.advance(&mut self.life.lock(), Event::IommuGone, None);
    }

    fn reserve(&self, regions: &mut Regions) -> Result {
        let Sbdf { segment, devid } = self.sbdf();
        for region in self.host.ivrs().memory(segment, devid) {
            let kind = Reserved::Direct {
                read: region.read,
                write: region.write,
            };
            regions.add(region.start, region.end, kind)?;
        }
        regions.add(MSI.0, MSI.1, Reserved::Msi)?;
        let (_, efr2) = self.iommu().features();
        if !efr2.ht_range_ignore() {
            regions.add(HYPER_TRANSPORT.0, HYPER_TRANSPORT.1, Reserved::Unusable)?;
        }
        Ok(())
    }
}

impl iommu::Client<Backend> for Client {
    fn attach(&self, target: iommu::Target<'_, Backend>) -> Result {
        match target {
            iommu::Target::Identity => {
                self.open()?;
                self.happen(Event::Attach(Target::Identity(IDENTITY)), None)
            }
            iommu::Target::Paging(domain) => {
                let driver: &V1Domain = domain.driver();
                if !driver.suits(self.iommu()) {
                    return Err(EINVAL);
                }
                self.open()?;
                let target = Target::Paging(driver.members().id());
                self.happen(Event::Attach(target), Some(domain))
            }
            iommu::Target::Blocked => {
                // Must not fail. If the hardware did not confirm, that has been reported.
                let _ = self.happen(Event::Attach(Target::Blocked), None);
                Ok(())
            }
        }
    }

    fn capable(&self, capability: Capability) -> bool {
        match capability {
            Capability::CacheCoherency | Capability::EnforceCacheCoherency => true,
            // Hardware that caches absent entries is emulated, and does not like ranges that are
            // flushed late.
            Capability::DeferredFlush => !self.iommu().caches_absent(),
            Capability::Other(_) => false,
        }
    }

    fn hw_info(&self) -> bindings::iommu_hw_info_amd {
        let (efr, efr2) = self.iommu().features();
        bindings::iommu_hw_info_amd {
            efr: efr.0,
            efr2: efr2.0,
        }
    }

    fn reserved(&self, regions: &mut Regions) {
        if let Err(error) = self.reserve(regions) {
            dev_err!(self.pdev, "reserved regions are incomplete: {:?}\n", error);
        }
    }
}
