// SPDX-License-Identifier: GPL-2.0

//! The structures and numbers of `include/uapi/linux/amd-viommu.h`, which documents them.

#![allow(missing_docs)]

use kernel::ioctl::{_IOW, _IOWR};
use kernel_ext::user_structure;

const TYPE: u32 = 0xb9;

/// Size of what is mapped, and unit of a guest's queues.
pub(super) const PAGE: u64 = 4096;

/// Bits of [`Info::modes`].
pub(super) const MODE_GPA: u32 = 1 << 1;

user_structure! {
    pub(super) struct Info {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) index: u32,
        pub(super) host: u32,
        pub(super) modes: u32,
        pub(super) guests: u32,
        pub(super) efr: u64,
        pub(super) efr2: u64,
        pub(super) guest_efr: u64,
        pub(super) guest_efr2: u64,
        pub(super) mmap_len: u64,
        pub(super) queue_max: u64,
    }
}
pub(super) const GET_INFO: u32 = _IOWR::<Info>(TYPE, 0);

user_structure! {
    pub(super) struct VmInit {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) host: u32,
        pub(super) device: u32,
        pub(super) group_fd: i32,
        pub(super) handle: u32,
        pub(super) mmap_offset: u64,
        pub(super) mmap_len: u64,
    }
}
pub(super) const VM_INIT: u32 = _IOWR::<VmInit>(TYPE, 1);

user_structure! {
    pub(super) struct Vm {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) handle: u32,
        pub(super) reserved: u32,
    }
}
pub(super) const VM_DESTROY: u32 = _IOW::<Vm>(TYPE, 2);
pub(super) const VM_RESET: u32 = _IOW::<Vm>(TYPE, 3);
pub(super) const VM_RUN: u32 = _IOW::<Vm>(TYPE, 4);

/// Flag of [`VM_RUN`].
pub(super) const RUN: u32 = 1 << 0;

user_structure! {
    pub(super) struct Device {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) handle: u32,
        pub(super) guest_id: u32,
        pub(super) device: u32,
        pub(super) group_fd: i32,
    }
}
pub(super) const DEVICE_ATTACH: u32 = _IOW::<Device>(TYPE, 5);
pub(super) const DEVICE_DETACH: u32 = _IOW::<Device>(TYPE, 6);

user_structure! {
    pub(super) struct Domain {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) handle: u32,
        pub(super) guest_id: u32,
        pub(super) dte: [u64; 4],
    }
}
pub(super) const DOMAIN_ATTACH: u32 = _IOW::<Domain>(TYPE, 7);
pub(super) const DOMAIN_DETACH: u32 = _IOW::<Domain>(TYPE, 8);

user_structure! {
    pub(super) struct Mmio {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) handle: u32,
        pub(super) offset: u32,
        pub(super) length: u32,
        pub(super) reserved: u32,
        pub(super) value: u64,
    }
}
pub(super) const MMIO_ACCESS: u32 = _IOWR::<Mmio>(TYPE, 9);

/// Flag of [`MMIO_ACCESS`].
pub(super) const MMIO_WRITE: u32 = 1 << 0;

user_structure! {
    pub(super) struct Queue {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) handle: u32,
        pub(super) queue: u32,
        pub(super) address: u64,
        pub(super) length: u64,
    }
}
pub(super) const CMDBUF_MAP_UPDATE: u32 = _IOW::<Queue>(TYPE, 10);

/// Values of [`Queue::queue`].
pub(super) const QUEUE_CMD: u32 = 0;
pub(super) const QUEUE_EVENT: u32 = 1;

/// What every structure has.
pub(super) trait Flags {
    /// Its flags.
    fn flags(&self) -> u32;
}

macro_rules! flags {
    ($($name:ty),*) => {
        $(impl Flags for $name {
            fn flags(&self) -> u32 {
                self.flags
            }
        })*
    };
}

flags!(Info, VmInit, Vm, Device, Domain, Mmio, Queue);
