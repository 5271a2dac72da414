// SPDX-License-Identifier: GPL-2.0

//! Contents of memory that look right more often than not: table entries, device-table entries,
//! commands.

use super::{Fuzz, PAGES};
use crate::support::tables::{v1_leaf, v1_table, v2_leaf, v2_table};
use crate::support::*;

impl Fuzz {
    /// An address of a page in use, or of nothing.
    pub fn page(&mut self) -> u64 {
        let page = self.pages + self.random.below(PAGES) * 0x1000;
        match self.random.below(8) {
            0 => self.host.root,
            1 => page - GUEST_OFFSET,
            2 => self.random.value() & 0xf_ffff_ffff_f000,
            _ => page,
        }
    }

    /// A device-table entry that is mostly right.
    pub fn entry(&mut self) -> [u64; 4] {
        let domain = 0x10 + self.random.below(3) as u16;
        let (root, gcr3) = (self.page(), self.page());
        let mode = self.random.below(8);
        let guest = Dte::guest(domain, gcr3, self.random.below(3));
        let entry = match self.random.below(5) {
            0 => Dte::pass(domain),
            1 => Dte::host(domain, root, mode),
            2 => guest,
            3 => guest.nested_on(self.host.root, 4),
            _ => guest
                .nested_on(root, mode)
                .of_guest(1 + self.random.below(2) as u16, 3),
        };
        let mut words = Dte {
            had: self.random.below(4),
            se: self.random.chance(10),
            iv: self.random.chance(70),
            int_ctl: self.random.pick(&[0, 1, 2, 2, 2, 2, 3]),
            int_tab_len: self.random.pick(&[0, 3, 8, 9, 10, 10, 11, 12, 15]),
            int_table: self.page() | self.random.pick(&[0, 0, 0x40, 0x80]),
            pass: self.random.below(8),
            ..entry
        }
        .words();
        if self.random.chance(10) {
            let word = self.random.below(4) as usize;
            words[word] ^= 1 << self.random.below(64);
        }
        words
    }

    /// A table entry of some format.
    pub fn table_entry(&mut self) -> u64 {
        let (page, level) = (self.page(), 1 + self.random.below(6) as u8);
        match self.random.below(9) {
            0 => v1_table(page, level),
            1 => v1_leaf(page, 1, 0x1000, Rights::ALL),
            2 => v1_leaf(page & !0xffff, 1, 0x1_0000, Rights::READ),
            3 => v2_table(page),
            4 => v2_leaf(page, level, Rights::ALL),
            5 => page | 1,
            6 => page | 8 << 2 | 1,
            7 => Irte::fixed(self.random.below(4), self.random.below(256)).long()[0],
            _ => self.random.value(),
        }
    }

    /// A command that is mostly right. Its store goes to memory, `offset` above the address, nine
    /// times out of ten.
    pub fn command(&mut self, offset: u64) -> [u32; 4] {
        let device = self.random.below(10) as u16;
        let domain = 0x0e + self.random.below(6) as u16;
        let pasid = self.random.chance(40).then(|| self.random.below(4) as u32);
        let (first, last) = (self.random.value(), self.random.value());
        let address = match self.random.below(10) {
            0 => self.page(),
            _ => self.pages + self.random.below(PAGES) * 0x1000 - offset,
        };
        let store = self
            .random
            .chance(70)
            .then(|| (address, self.random.next()));
        let mut words = match self.random.below(10) {
            0..=2 => command::completion_wait(store, self.random.chance(50)),
            3 => command::invalidate_entry(device),
            4 | 5 => command::invalidate_pages(domain, pasid, first, last, self.random.chance(50)),
            6 => command::invalidate_iotlb(device, pasid, first, last),
            7 => command::invalidate_interrupts(device),
            8 => command::reset_vmmio(self.random.below(4) as u16),
            _ => self.rare_command(),
        };
        if self.random.chance(3) {
            words[self.random.below(4) as usize] ^= 1 << self.random.below(32);
        }
        words
    }

    pub fn rare_command(&mut self) -> [u32; 4] {
        match self.random.below(4) {
            0 => command::invalidate_all(),
            1 => command::insert_guest_event(self.random.below(4) as u16),
            2 => [0; 4].map(|_: u32| self.random.value() as u32),
            _ => [0, (self.random.below(16) as u32) << 28, 0, 0],
        }
    }
}
