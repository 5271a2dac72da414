// SPDX-License-Identifier: GPL-2.0

//! `offline`, and the removal that cannot refuse.

use super::{function, Function, Phase, Running, FUNCTIONS};
use crate::{
    domain::{
        host::{self, Host},
        Client,
    },
    iommu::{Iommu, Sbdf},
};
use kernel::{
    device::Device,
    pci,
    prelude::*,
    str::CStr,
    sync::Arc,
    time::{delay::fsleep, Delta},
};
use kernel_ext::{
    device::{has_driver, LockedDevice},
    sysfs::Command,
};

/// How often removal tries to lock the devices behind the IOMMU, and the pause between.
const TRIES: u32 = 20;
const PAUSE: Delta = Delta::from_millis(50);

/// The attribute `offline` of the IOMMU's PCI function.
pub(super) struct Offline;

impl Command for Offline {
    const NAME: &'static CStr = c"offline";

    fn store(dev: &Device, input: &[u8]) -> Result {
        if input != b"1" {
            return Err(EINVAL);
        }
        let pdev: &pci::Device = dev.try_into()?;
        let sbdf = Sbdf::of(pdev).ok_or(ENODEV)?;
        function(sbdf).ok_or(ENODEV)?.go_offline()
    }
}

/// Why an IOMMU cannot go.
enum Busy {
    /// This device has a driver.
    Driver(Arc<Client>),
    /// This device is being bound, unbound or removed at this moment.
    Changing(Arc<Client>),
    /// There is no memory to remember the locks.
    NoMemory,
}

/// The locks of all devices behind an IOMMU: no driver binds while they are held.
fn lock_clients(host: &Host, iommu: &Arc<Iommu>) -> Result<KVec<LockedDevice>, Busy> {
    let mut locks = KVec::new();
    host.for_each_client(iommu, |client| {
        let dev: &Device = client.pdev().as_ref();
        let Some(lock) = LockedDevice::try_new(dev.into()) else {
            return Err(Busy::Changing(client.clone()));
        };
        // Ports and bridges start no DMA, and the drivers of some cannot be unbound.
        let harmless = kernel_ext::pci::is_bridge(client.pdev()) && !client.may_have_interrupts();
        if has_driver(&lock) && !harmless {
            return Err(Busy::Driver(client.clone()));
        }
        if !client.is_settled() {
            return Err(Busy::Changing(client.clone()));
        }
        locks.push(lock, GFP_KERNEL).map_err(|_| Busy::NoMemory)
    })?;
    Ok(locks)
}

/// Names the device that keeps an IOMMU online.
fn refuse(iommu: &Iommu, busy: Busy) -> Error {
    match busy {
        Busy::Driver(client) => {
            dev_info!(
                iommu.dev(),
                "stays online: {} has a driver\n",
                client.name()
            );
        }
        Busy::Changing(client) => {
            dev_info!(
                iommu.dev(),
                "stays online: {} is being changed\n",
                client.name()
            );
        }
        Busy::NoMemory => return ENOMEM,
    }
    EBUSY
}

impl Function {
    fn go_offline(&self) -> Result {
        let host = host::get()?;
        let mut phase = self.phase.lock();
        let Phase::Running(running) = &*phase else {
            return Ok(());
        };
        let iommu = running.iommu().clone();
        running.close_service()?;
        // No device is claimed from here on, so the list of those to lock is complete.
        host.close_iommu(&iommu);
        let locks = lock_clients(&host, &iommu).map_err(|busy| {
            iommu.accept(true);
            running.open_service();
            refuse(&iommu, busy)
        })?;
        if let Phase::Running(running) = core::mem::replace(&mut *phase, Phase::Offline) {
            running.take_down();
        }
        drop(locks);
        Ok(())
    }

    /// The PCI function goes, or could not be brought up.
    pub(super) fn remove(&self) {
        let mut phase = self.phase.lock();
        match core::mem::replace(&mut *phase, Phase::Offline) {
            Phase::Running(running) => {
                if let Some(orphan) = remove_running(running) {
                    *phase = Phase::Orphaned(orphan);
                    return;
                }
            }
            orphan @ Phase::Orphaned(..) => {
                *phase = orphan;
                return;
            }
            Phase::Offline => {}
        }
        self.forget();
    }

    fn forget(&self) {
        if let Some(functions) = FUNCTIONS.get() {
            functions
                .lock()
                .retain(|other| !core::ptr::eq(&**other, self));
        }
    }

    /// Whether an orphan is still needed by devices in use. One that is not is let go of.
    pub(super) fn is_needed(&self) -> bool {
        let mut phase = self.phase.lock();
        let Phase::Orphaned(orphan) = &*phase else {
            return true;
        };
        let Ok(host) = host::get() else {
            return true;
        };
        let Ok(locks) = lock_clients(&host, &orphan.powered.0) else {
            return true;
        };
        *phase = Phase::Offline;
        drop(locks);
        self.forget();
        false
    }
}

/// Takes an IOMMU down if nobody uses it; gives back what has to stay otherwise.
fn remove_running(running: Running) -> Option<super::Registered> {
    let Ok(host) = host::get() else {
        running.take_down();
        return None;
    };
    let iommu = running.iommu().clone();
    host.close_iommu(&iommu);
    for _ in 0..TRIES {
        match lock_clients(&host, &iommu) {
            Ok(_locks) => {
                running.take_down();
                return None;
            }
            Err(Busy::Driver(_)) => break,
            Err(Busy::Changing(_) | Busy::NoMemory) => fsleep(PAUSE),
        }
    }
    Some(running.orphan(&host))
}
