// SPDX-License-Identifier: GPL-2.0

//! The 256 bits of a device-table entry.

use crate::bits::{bit, field};

/// A device-table entry as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceEntry(pub [u64; 4]);

/// Root of a host (v1) table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostTable {
    /// System physical address of the top table.
    pub root: u64,
    /// Mode: number of levels, 1 to 6.
    pub levels: u8,
}

/// Root of a GCR3 table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestTable {
    /// GCR3 table root pointer: guest or system physical address.
    pub pointer: u64,
    /// GLX: levels of the GCR3 table minus 1.
    pub glx: u8,
    /// Levels of the page tables, 4 or 5 in an entry that passed its checks.
    pub levels: u8,
}

/// What becomes of fixed and lowest-priority interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntCtl {
    /// Target abort.
    Abort,
    /// Forwarded untouched.
    Forward,
    /// Remapped.
    Remap,
    /// Reserved.
    Reserved,
}

impl DeviceEntry {
    /// Quadword `index`, 0 to 3.
    pub(crate) fn q(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }
    /// V.
    pub fn valid(&self) -> bool {
        bit(self.q(0), 0)
    }
    /// TV.
    pub fn translation_valid(&self) -> bool {
        bit(self.q(0), 1)
    }
    /// HAD: 0 none, 1 accessed, 3 accessed and dirty.
    pub fn had(&self) -> u8 {
        field(self.q(0), 8, 7) as u8
    }
    /// Mode.
    pub fn mode(&self) -> u8 {
        field(self.q(0), 11, 9) as u8
    }
    /// HostTRP.
    pub fn host_root(&self) -> u64 {
        field(self.q(0), 51, 12) << 12
    }
    /// GIOV.
    pub fn giov(&self) -> bool {
        bit(self.q(0), 54)
    }
    /// GV.
    pub fn guest_valid(&self) -> bool {
        bit(self.q(0), 55)
    }
    /// GLX.
    pub fn glx(&self) -> u8 {
        field(self.q(0), 57, 56) as u8
    }
    /// GCR3 TRP put together.
    pub fn gcr3_pointer(&self) -> u64 {
        (field(self.q(0), 60, 58) << 12)
            | (field(self.q(1), 31, 16) << 15)
            | (field(self.q(1), 63, 43) << 31)
    }
    /// IR.
    pub fn read_allowed(&self) -> bool {
        bit(self.q(0), 61)
    }
    /// IW.
    pub fn write_allowed(&self) -> bool {
        bit(self.q(0), 62)
    }
    /// DomainID.
    pub fn domain(&self) -> u16 {
        field(self.q(1), 15, 0) as u16
    }
    /// I: the device may have a remote IOTLB.
    pub fn iotlb(&self) -> bool {
        bit(self.q(1), 32)
    }
    /// SE: only the first page fault is logged.
    pub fn suppress_after_first(&self) -> bool {
        bit(self.q(1), 33)
    }
    /// SA: no page fault is logged.
    pub fn suppress_all(&self) -> bool {
        bit(self.q(1), 34)
    }
    /// EX: the exclusion range applies to this device.
    pub fn excluded(&self) -> bool {
        bit(self.q(1), 39)
    }
    /// IV.
    pub fn interrupts_valid(&self) -> bool {
        bit(self.q(2), 0)
    }
    /// IntTabLen.
    pub fn interrupt_table_length(&self) -> u8 {
        field(self.q(2), 4, 1) as u8
    }
    /// IntTRP.
    pub fn interrupt_table(&self) -> u64 {
        field(self.q(2), 51, 6) << 6
    }
    /// IG.
    pub fn ignore_interrupt_faults(&self) -> bool {
        bit(self.q(2), 5)
    }
    /// GuestPagingMode.
    pub fn guest_paging_mode(&self) -> u8 {
        field(self.q(2), 55, 54) as u8
    }
    /// IntCtl.
    pub fn int_ctl(&self) -> IntCtl {
        match field(self.q(2), 61, 60) {
            0 => IntCtl::Abort,
            1 => IntCtl::Forward,
            2 => IntCtl::Remap,
            _ => IntCtl::Reserved,
        }
    }
    /// INITPass, EIntPass, NMIPass, Lint0Pass, Lint1Pass, in this order.
    pub fn passes(&self) -> [bool; 5] {
        [56, 57, 58, 62, 63].map(|index| bit(self.q(2), index))
    }
    /// vImuEn.
    pub fn viommu_enabled(&self) -> bool {
        bit(self.q(3), 15)
    }
    /// GDeviceID.
    pub fn guest_device(&self) -> u16 {
        field(self.q(3), 31, 16) as u16
    }
    /// GuestID.
    pub fn guest(&self) -> u16 {
        field(self.q(3), 47, 32) as u16
    }
    /// Root of the host table; `None` if Mode = 0.
    pub fn host_table(&self) -> Option<HostTable> {
        (self.mode() != 0).then(|| HostTable {
            root: self.host_root(),
            levels: self.mode(),
        })
    }
    /// Root of the GCR3 table; `None` if GV = 0.
    pub fn guest_table(&self) -> Option<GuestTable> {
        self.guest_valid().then(|| GuestTable {
            pointer: self.gcr3_pointer(),
            glx: self.glx(),
            levels: 4 + self.guest_paging_mode(),
        })
    }
}
