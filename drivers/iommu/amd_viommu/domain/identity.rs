// SPDX-License-Identifier: GPL-2.0

//! Devices that go on without translation.

use super::requester::Requester;
use crate::{
    domain::host::{Host, IDENTITY},
    iommu::{Iommu, Sbdf},
};
use hw::{
    device::{self, Event, State, Target},
    dte::{HostPolicy, Translation},
};
use kernel::prelude::*;

/// The entry that changes nothing for a device.
fn untouched() -> Result<Translation> {
    let (_, output) =
        device::step(State::Absent, Event::LeaveAlone(IDENTITY)).map_err(|_| EINVAL)?;
    match output.write {
        Some(Target::Identity(domain_id)) => Ok(Translation::PassThrough { domain_id }),
        _ => Err(EINVAL),
    }
}

/// Gives a device that cannot be claimed an entry that changes nothing for it.
///
/// # Errors
///
/// `EIO` when the hardware does not answer.
pub(super) fn keep(requester: &Requester) -> Result {
    requester.write(untouched()?)
}

/// Before translation is enabled, gives every device that is there an entry that changes nothing
/// for it: it may be in use, or a driver may bind to it at any moment. The same goes for devices
/// that only ACPI knows, none of which is ever claimed.
///
/// A PCI function that is claimed already belongs to an IOMMU that was taken away. It stays blocked.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn leave_alone(host: &Host, iommu: &Iommu) -> Result {
    let untouched = untouched()?;
    for pdev in kernel_ext::pci::devices() {
        let Some((front, info)) = Sbdf::of(&pdev).and_then(|sbdf| host.lookup(sbdf)) else {
            continue;
        };
        if front != iommu.sbdf() || kernel_ext::device::has_iommu_group(pdev.as_ref()) {
            continue;
        }
        for id in host.requesters(&pdev, info)?.iter() {
            if iommu
                .preset_entry(*id, HostPolicy(info.setting), untouched)
                .is_err()
            {
                dev_warn!(
                    pdev,
                    "requester ID 0x{:04x} is beyond what IVRS describes\n",
                    *id
                );
            }
        }
    }
    for ivhd in host.ivrs()?.iommus() {
        let sbdf = Sbdf {
            segment: ivhd.segment,
            devid: ivhd.devid,
        };
        for hid in ivhd.acpi_hids().filter(|_| sbdf == iommu.sbdf()) {
            let setting = ivhd.lookup(hid.devid).map_or(0, |info| info.setting);
            // The table is made to hold every ID that firmware lists.
            iommu.preset_entry(hid.devid, HostPolicy(setting), untouched)?;
        }
    }
    Ok(())
}
