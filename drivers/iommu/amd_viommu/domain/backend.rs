// SPDX-License-Identifier: GPL-2.0

//! What the IOMMU core sees of the driver.

use super::{claim, client::Client, members::Members, v1::V1Domain};
use crate::{domain::host, iommu::Iommu};
use kernel::{
    bindings,
    device::Device,
    pci,
    prelude::*,
    sync::{aref::ARef, Arc},
};
use kernel_ext::iommu::{Claim, Driver, PagingDomain};

/// The driver.
pub(crate) struct Backend;

impl Driver for Backend {
    type Iommu = Iommu;
    type Client = Client;
    type Domain = V1Domain;
    type HwInfo = bindings::iommu_hw_info_amd;

    const HW_INFO_TYPE: u32 = bindings::iommu_hw_info_type_IOMMU_HW_INFO_TYPE_AMD;

    fn module() -> &'static ThisModule {
        crate::compat::this_module()
    }

    fn probe(dev: &Device) -> Result<Claim<Self>> {
        // Platform and ACPI devices go through the same door; only PCI functions are claimed.
        let pdev: &pci::Device = dev.try_into().map_err(|_| ENODEV)?;
        let client = claim::claim(&pdev.into())?;
        Ok(Claim {
            iommu: client.iommu().clone(),
            client,
        })
    }

    fn release(_dev: &Device, client: Arc<Client>) {
        client.release();
        if let Ok(host) = host::get() {
            host.remove_client(&client);
        }
    }

    fn group_mate(dev: &Device) -> Option<ARef<Device>> {
        let pdev: &pci::Device = dev.try_into().ok()?;
        let mate = claim::mate(&pdev.into())?;
        let mate: &Device = mate.pdev().as_ref();
        Some(mate.into())
    }

    fn domain(client: &Client) -> Result<Pin<KBox<PagingDomain<Self>>>> {
        V1Domain::create(Members::new(host::get()?)?, client.iommu().clone())
    }
}
