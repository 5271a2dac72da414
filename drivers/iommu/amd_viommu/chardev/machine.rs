// SPDX-License-Identifier: GPL-2.0

//! Calls about an IOMMU as a whole: the host's, and the one that a guest gets.

use super::{
    abi,
    call::Call,
    device::{owned, sbdf},
};
use crate::viommu::{self, Vm};
use core::mem::offset_of;
use kernel::{prelude::*, sync::Arc};

/// Largest queue that the length field of a base register can express.
pub(super) const QUEUE_MAX: u64 = 512 << 10;

pub(super) struct GetInfo;

impl Call for GetInfo {
    type Structure = abi::Info;
    const NUMBER: u32 = abi::GET_INFO;
    const LEAST: usize = offset_of!(abi::Info, host);

    fn run(_vm: &Arc<Vm>, argument: &mut abi::Info) -> Result {
        let info = viommu::info(argument.index)?;
        let ((efr, efr2), (shown, shown2)) = (info.features, info.shown);
        let serves = info.guests != 0;
        *argument = abi::Info {
            size: argument.size,
            flags: argument.flags,
            index: argument.index,
            host: (u32::from(info.host.segment) << 16) | u32::from(info.host.devid),
            modes: if serves { abi::MODE_GPA } else { 0 },
            guests: info.guests,
            efr: efr.0,
            efr2: efr2.0,
            guest_efr: shown.0,
            guest_efr2: shown2.0,
            mmap_len: abi::PAGE,
            queue_max: QUEUE_MAX,
        };
        Ok(())
    }
}

pub(super) struct Init;

impl Call for Init {
    type Structure = abi::VmInit;
    const NUMBER: u32 = abi::VM_INIT;

    fn run(vm: &Arc<Vm>, argument: &mut abi::VmInit) -> Result {
        let device = owned(argument.group_fd, argument.device)?;
        let opened = vm.init(sbdf(argument.host), &device)?;
        argument.handle = opened.handle;
        argument.mmap_offset = opened.mmap_offset;
        argument.mmap_len = opened.mmap_len;
        Ok(())
    }

    fn undo(vm: &Vm, argument: &abi::VmInit) {
        // It was there a moment ago; if it has gone since, that is all that is wanted.
        let _ = vm.destroy(argument.handle);
    }
}

pub(super) struct Destroy;

impl Call for Destroy {
    type Structure = abi::Vm;
    const NUMBER: u32 = abi::VM_DESTROY;
    const LEAST: usize = offset_of!(abi::Vm, reserved);

    fn is_clean(argument: &abi::Vm) -> bool {
        argument.reserved == 0
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::Vm) -> Result {
        vm.destroy(argument.handle)
    }
}

pub(super) struct Reset;

impl Call for Reset {
    type Structure = abi::Vm;
    const NUMBER: u32 = abi::VM_RESET;
    const LEAST: usize = offset_of!(abi::Vm, reserved);

    fn is_clean(argument: &abi::Vm) -> bool {
        argument.reserved == 0
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::Vm) -> Result {
        vm.reset(argument.handle)
    }
}

pub(super) struct Run;

impl Call for Run {
    type Structure = abi::Vm;
    const NUMBER: u32 = abi::VM_RUN;
    const LEAST: usize = offset_of!(abi::Vm, reserved);
    const FLAGS: u32 = abi::RUN;

    fn is_clean(argument: &abi::Vm) -> bool {
        argument.reserved == 0
    }

    fn run(vm: &Arc<Vm>, argument: &mut abi::Vm) -> Result {
        vm.run(argument.handle, argument.flags & abi::RUN != 0)
    }
}
