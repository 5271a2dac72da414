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

user_structure! {
    pub(super) struct EventFd {
        pub(super) size: u32,
        pub(super) flags: u32,
        pub(super) handle: u32,
        pub(super) interrupt: u32,
        pub(super) fd: i32,
        pub(super) reserved: u32,
    }
}
pub(super) const SET_EVENTFD: u32 = _IOW::<EventFd>(TYPE, 11);

/// Values of [`EventFd::interrupt`].
pub(super) const INTERRUPT_EVENT: u32 = 0;
pub(super) const INTERRUPT_PPR: u32 = 1;

user_structure! {
    pub(super) struct Event {
        pub(super) version: u16,
        pub(super) size: u16,
        pub(super) kind: u32,
        pub(super) handle: u32,
        pub(super) flags: u32,
        pub(super) sequence: u64,
        pub(super) lost: u64,
        pub(super) guest_id: u32,
        pub(super) code: u32,
        pub(super) access: u32,
        pub(super) pasid: u32,
        pub(super) address: u64,
        pub(super) reserved: u64,
    }
}

/// Value of [`Event::version`].
pub(super) const EVENT_VERSION: u16 = 1;

/// Values of [`Event::kind`].
pub(super) const EVENT_LOST: u32 = 0;
pub(super) const EVENT_DEVICE: u32 = 1;
pub(super) const EVENT_QUEUE: u32 = 2;
pub(super) const EVENT_HARDWARE: u32 = 3;
pub(super) const EVENT_DEVICE_LEFT: u32 = 4;
pub(super) const EVENT_IOMMU_GONE: u32 = 5;
pub(super) const EVENT_HUSHED: u32 = 6;

/// Bits of [`Event::flags`].
pub(super) const EVENT_OVERFLOW: u32 = 1 << 0;
pub(super) const EVENT_HAS_PASID: u32 = 1 << 1;
pub(super) const EVENT_HAS_ADDRESS: u32 = 1 << 2;

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

flags!(Info, VmInit, Vm, Device, Domain, Mmio, Queue, EventFd);
