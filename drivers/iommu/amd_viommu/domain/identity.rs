// SPDX-License-Identifier: GPL-2.0

//! Devices that go on without translation.

use super::{claim, requester::Requester};
use crate::{
    domain::host::{Host, IDENTITY},
    iommu::{Iommu, Sbdf},
};
use hw::{
    device::{self, Entry, Event, State, Target},
    dte::{HostPolicy, Translation},
    ivrs::DeviceInfo,
};
use kernel::{pci, prelude::*};

/// The entry that changes nothing for a device.
fn untouched() -> Result<Translation> {
    let (_, output) =
        device::step(State::Absent, Event::LeaveAlone(IDENTITY)).map_err(|_| EINVAL)?;
    match output.write {
        Some(Entry::Plain(Target::Identity(domain_id))) => {
            Ok(Translation::PassThrough { domain_id })
        }
        _ => Err(EINVAL),
    }
}

/// Gives a device that cannot be claimed an entry that changes nothing for it.
///
/// # Errors
///
/// `EIO` when the hardware does not answer.
pub(super) fn keep(requester: &Requester) -> Result {
    requester
        .write(untouched()?)
        .and(requester.forward_interrupts())
}

/// Before translation is enabled, gives every device that is there an entry that changes nothing
/// for it: it may be in use, or a driver may bind to it at any moment. The same goes for devices that
/// firmware does not list, and for those that only ACPI knows, none of which is ever claimed.
///
/// A PCI function that is claimed already belongs to an IOMMU that was taken away. It stays blocked.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn leave_alone(host: &Host, iommu: &Iommu) -> Result {
    let untouched = untouched()?;
    preset_listed(host, iommu, untouched)?;
    for pdev in kernel_ext::pci::devices() {
        if let Some(info) = info(host, iommu, &pdev) {
            for id in host.requesters(&pdev, info)?.iter() {
                // An ID beyond the table is none that this IOMMU serves.
                let _ = iommu.preset_entry(*id, HostPolicy(info.setting), untouched);
            }
        }
    }
    Ok(())
}

/// Writes the entries of what firmware lists by other names than PCI's. Comes first: an interrupt
/// controller may send its messages under the ID of a PCI function.
fn preset_listed(host: &Host, iommu: &Iommu, untouched: Translation) -> Result {
    let ivrs = host.ivrs();
    let Some(ivhd) = ivrs
        .iommus()
        .find(|ivhd| ivhd.segment == iommu.sbdf().segment && ivhd.devid == iommu.sbdf().devid)
    else {
        return Ok(());
    };
    let policy = |id| HostPolicy(ivhd.lookup(id).map_or(0, |info| info.setting));
    // The table is made to hold every ID that firmware lists.
    for special in ivhd.specials() {
        iommu.preset_entry(special.devid, policy(special.devid), Translation::Blocked)?;
    }
    for hid in ivhd.acpi_hids() {
        iommu.preset_entry(hid.devid, policy(hid.devid), untouched)?;
    }
    Ok(())
}

/// How a function that is left alone is seen by `iommu`, unless it is none of its business.
fn info(host: &Host, iommu: &Iommu, pdev: &pci::Device) -> Option<DeviceInfo> {
    let sbdf = Sbdf::of(pdev).filter(|sbdf| sbdf.segment == iommu.sbdf().segment)?;
    if claim::is_claimed(host, pdev) {
        return None;
    }
    match host.lookup(sbdf) {
        Some((front, info)) => (front == iommu.sbdf()).then_some(info),
        None => Some(DeviceInfo {
            alias: sbdf.devid,
            setting: 0,
            ats_disabled: false,
        }),
    }
}
