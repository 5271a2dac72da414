// SPDX-License-Identifier: GPL-2.0

//! Which devices are claimed.
//!
//! A running device is never taken over: its driver has made mappings without translation, and
//! would go on using them. Nor is a device that cannot be told or kept apart from a running one,
//! since a group of it alone would be a lie. Such devices keep an identity entry.

use super::{client::Client, identity, requester::Requester};
use crate::{
    domain::host::{self, Host},
    iommu::Sbdf,
};
use kernel::{
    device::Device,
    pci,
    prelude::*,
    sync::{aref::ARef, Arc},
};
use kernel_ext::device::{self, LockedDevice};

/// Claims a device.
///
/// # Errors
///
/// `ENODEV` when it is not behind one of our IOMMUs or must be left alone, and for everything that is
/// wrong with this device only: any other error makes the core give the whole IOMMU up. `ENOMEM`.
pub(super) fn claim(pdev: &ARef<pci::Device>) -> Result<Arc<Client>> {
    let host = host::get()?;
    let _claiming = host.claiming();
    let sbdf = Sbdf::of(pdev).ok_or(ENODEV)?;
    let (iommu, info) = host.lookup(sbdf).ok_or(ENODEV)?;
    let iommu = host.iommu(iommu).ok_or(ENODEV)?;
    if crate::iommu::is_function(pdev) {
        return Err(ENODEV);
    }
    let Some(unused) = lock_unused(pdev) else {
        if !kernel_ext::pci::is_bridge(pdev) {
            dev_info!(
                pdev,
                "has a driver: left untranslated until removed and found again\n"
            );
        }
        return Err(ENODEV);
    };
    let accepts = iommu.accepts();
    let requester = Requester::new(&host, iommu, pdev, info)?;
    if !accepts {
        dev_warn!(
            pdev,
            "comes while its IOMMU goes offline: left untranslated\n"
        );
        return decline(&requester);
    }
    // As those are that were there when the module was loaded. Its driver stays bound for good, so `offline` must
    // not depend on it; with interrupts as they are it would make VFIO refuse all that is in a group with it.
    if kernel_ext::pci::is_port(pdev) {
        return decline(&requester);
    }
    if let Some(blocker) = blocker(&host, pdev) {
        dev_warn!(
            pdev,
            "shares its fate with {}, which has a driver: left untranslated\n",
            core::format_args!("{}", Name(&blocker))
        );
        return decline(&requester);
    }
    let client = Client::new(host.clone(), pdev.clone(), &unused, requester)?;
    host.add_client(&client).inspect_err(|_| client.release())?;
    Ok(client)
}

/// Lets a device go on without an IOMMU.
///
/// Not if it shares a requester ID with a device that is in use behind the IOMMU: the entry is that device's, and would
/// let it reach all memory.
fn decline(requester: &Requester) -> Result<Arc<Client>> {
    if requester.is_used() || identity::keep(requester).is_err() {
        pr_err!(
            "{} stays blocked\n",
            core::format_args!("{}", requester.sbdf())
        );
    }
    Err(ENODEV)
}

/// The lock of a device that no driver has, nor is getting at this moment. None gets it while the lock is
/// held.
fn lock_unused(pdev: &pci::Device) -> Option<LockedDevice> {
    let dev: &Device = pdev.as_ref();
    LockedDevice::try_new(dev.into()).filter(|lock| !device::has_driver(lock))
}

struct Name<'a>(&'a pci::Device);

impl core::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match Sbdf::of(self.0) {
            Some(sbdf) => sbdf.fmt(f),
            None => f.write_str("a device of another segment"),
        }
    }
}

/// A running device that `pdev` would have to be in one group with.
///
/// Bridges do not count: their drivers handle hot-plug and errors, and start no DMA.
fn blocker(host: &Host, pdev: &ARef<pci::Device>) -> Option<ARef<pci::Device>> {
    kernel_ext::pci::devices().find(|other| {
        other.dev_id() != pdev.dev_id()
            && device::has_driver(other.as_ref())
            && !is_claimed(host, other)
            && !kernel_ext::pci::is_bridge(other)
            && host.shares_fate(pdev, other)
    })
}

/// A claimed device that `pdev` has to be in one group with.
pub(super) fn mate(pdev: &ARef<pci::Device>) -> Option<Arc<Client>> {
    let host = host::get().ok()?;
    host.find_client(|client| {
        let other = client.pdev();
        !is_same(other, pdev)
            && device::has_iommu_group(other.as_ref())
            && host.shares_fate(pdev, other)
    })
}

/// Whether this driver has the device. A group alone does not say so: VFIO makes groups for devices
/// without an IOMMU.
pub(super) fn is_claimed(host: &Host, pdev: &pci::Device) -> bool {
    host.find_client(|client| is_same(client.pdev(), pdev))
        .is_some()
}

fn is_same(a: &pci::Device, b: &pci::Device) -> bool {
    core::ptr::eq(a, b)
}
