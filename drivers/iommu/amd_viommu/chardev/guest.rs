// SPDX-License-Identifier: GPL-2.0

//! Calls on behalf of the guest's driver: its registers, and where its queues lie.

use super::{abi, call::Call, machine::QUEUE_MAX};
use crate::viommu::Vm;
use core::mem::offset_of;
use hw::viommu::guest_page::Queue;
use kernel::{prelude::*, sync::Arc};
use kernel_ext::eventfd::EventFd;

/// Size of a guest's register window.
const WINDOW: u32 = 16 << 10;

/// The page of the window that the guest reaches without a call: it is what can be mapped.
const VF_PAGE: u32 = 2;

/// Whether a guest can make such an access, and it comes here.
fn is_trapped(offset: u32, length: u32) -> bool {
    let is_word = match length {
        4 => offset % 4 == 0,
        8 => offset % 8 == 0,
        _ => false,
    };
    is_word && offset < WINDOW && offset / abi::PAGE as u32 != VF_PAGE
}

pub(super) struct MmioAccess;

impl Call for MmioAccess {
    type Structure = abi::Mmio;
    const NUMBER: u32 = abi::MMIO_ACCESS;
    const FLAGS: u32 = abi::MMIO_WRITE;

    fn is_clean(argument: &abi::Mmio) -> bool {
        argument.reserved == 0
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::Mmio) -> Result {
        let abi::Mmio {
            handle,
            offset,
            length,
            value,
            ..
        } = *argument;
        if !is_trapped(offset, length) {
            return Err(EINVAL);
        }
        if argument.flags & abi::MMIO_WRITE == 0 {
            argument.value = vm.mmio_read(handle, offset, length)?;
            return Ok(());
        }
        if length == 4 && value > u64::from(u32::MAX) {
            return Err(EINVAL);
        }
        vm.mmio_write(handle, offset, length, value)
    }
}

pub(super) struct MapUpdate;

impl Call for MapUpdate {
    type Structure = abi::Queue;
    const NUMBER: u32 = abi::CMDBUF_MAP_UPDATE;

    fn run(vm: &Arc<Vm>, argument: &mut abi::Queue) -> Result {
        let abi::Queue {
            handle,
            queue,
            address,
            length,
            ..
        } = *argument;
        let queue = match queue {
            abi::QUEUE_CMD => Queue::Command,
            abi::QUEUE_EVENT => Queue::Event,
            _ => return Err(EINVAL),
        };
        if !is_place(address, length) {
            return Err(EINVAL);
        }
        vm.map_queue(handle, queue, address, length)
    }
}

pub(super) struct SetEventFd;

impl Call for SetEventFd {
    type Structure = abi::EventFd;
    const NUMBER: u32 = abi::SET_EVENTFD;
    const LEAST: usize = offset_of!(abi::EventFd, reserved);

    fn is_clean(argument: &abi::EventFd) -> bool {
        argument.reserved == 0
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::EventFd) -> Result {
        match argument.interrupt {
            abi::INTERRUPT_EVENT => {}
            // Guests have no page requests.
            abi::INTERRUPT_PPR => return Err(EOPNOTSUPP),
            _ => return Err(EINVAL),
        }
        let eventfd = match argument.fd {
            -1 => None,
            fd => Some(EventFd::open(fd)?),
        };
        vm.set_eventfd(argument.handle, eventfd)
    }
}

/// Whether a queue can lie there. Length 0 says that there is none.
fn is_place(address: u64, length: u64) -> bool {
    let is_size = length.is_power_of_two() && (abi::PAGE..=QUEUE_MAX).contains(&length);
    let fits = address % abi::PAGE == 0 && address.checked_add(length).is_some();
    (is_size && fits) || (length == 0 && address == 0)
}
