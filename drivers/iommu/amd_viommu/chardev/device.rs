// SPDX-License-Identifier: GPL-2.0

//! Calls about one device of a guest.

use super::{abi, call::Call};
use crate::{iommu::Sbdf, viommu::Vm};
use core::mem::offset_of;
use kernel::{prelude::*, sync::Arc};
use kernel_ext::{pci, vfio::OwnedDevice};

/// Takes the number of a PCI function apart.
pub(super) fn sbdf(number: u32) -> Sbdf {
    Sbdf {
        segment: (number >> 16) as u16,
        devid: number as u16,
    }
}

/// Has the caller prove that the device with this number is his.
pub(super) fn owned(group_fd: i32, number: u32) -> Result<OwnedDevice> {
    let Sbdf { segment, devid } = sbdf(number);
    let pdev = pci::find(segment, devid).ok_or(ENODEV)?;
    OwnedDevice::prove(group_fd, pdev)
}

fn guest_id(number: u32) -> Result<u16> {
    u16::try_from(number).map_err(|_| EINVAL)
}

pub(super) struct Attach;

impl Call for Attach {
    type Structure = abi::Device;
    const NUMBER: u32 = abi::DEVICE_ATTACH;

    fn run(vm: &Arc<Vm>, argument: &mut abi::Device) -> Result {
        let guest_id = guest_id(argument.guest_id)?;
        let device = owned(argument.group_fd, argument.device)?;
        vm.attach_device(argument.handle, guest_id, &device)
    }
}

pub(super) struct Detach;

impl Call for Detach {
    type Structure = abi::Device;
    const NUMBER: u32 = abi::DEVICE_DETACH;
    const LEAST: usize = offset_of!(abi::Device, device);

    fn is_clean(argument: &abi::Device) -> bool {
        argument.device == 0 && argument.group_fd == 0
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::Device) -> Result {
        vm.detach_device(argument.handle, guest_id(argument.guest_id)?)
    }
}

pub(super) struct DomainAttach;

impl Call for DomainAttach {
    type Structure = abi::Domain;
    const NUMBER: u32 = abi::DOMAIN_ATTACH;

    fn run(vm: &Arc<Vm>, argument: &mut abi::Domain) -> Result {
        let guest_id = guest_id(argument.guest_id)?;
        vm.attach_domain(argument.handle, guest_id, argument.dte)
    }
}

pub(super) struct DomainDetach;

impl Call for DomainDetach {
    type Structure = abi::Domain;
    const NUMBER: u32 = abi::DOMAIN_DETACH;
    const LEAST: usize = offset_of!(abi::Domain, dte);

    fn is_clean(argument: &abi::Domain) -> bool {
        argument.dte == [0; 4]
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::Domain) -> Result {
        vm.detach_domain(argument.handle, guest_id(argument.guest_id)?)
    }
}
