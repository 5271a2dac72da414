// SPDX-License-Identifier: GPL-2.0

//! What walks are asked, and what they find.

use crate::caches::low_bits;
use crate::viommu::Stage;

/// Rights of a page, or of the path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) user: bool,
    pub(crate) execute: bool,
}

impl Rights {
    /// Nothing is forbidden.
    pub(crate) const ALL: Rights = Rights {
        read: true,
        write: true,
        user: true,
        execute: true,
    };

    /// Everything is forbidden.
    pub(crate) const NONE: Rights = Rights {
        read: false,
        write: false,
        user: false,
        execute: false,
    };

    /// What both allow.
    pub(crate) fn and(self, other: Rights) -> Rights {
        Rights {
            read: self.read && other.read,
            write: self.write && other.write,
            user: self.user && other.user,
            execute: self.execute && other.execute,
        }
    }

    /// Whether they suffice.
    pub(crate) fn allow(self, need: Need) -> bool {
        (self.read || !need.read)
            && (self.write || !need.write)
            && (self.user || !need.user)
            && (self.execute || !need.execute)
    }
}

/// What an access needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) user: bool,
    pub(crate) execute: bool,
}

impl Need {
    /// A read by the IOMMU itself.
    pub(crate) const READ: Need = Need {
        read: true,
        write: false,
        user: false,
        execute: false,
    };

    /// A write by the IOMMU itself.
    pub(crate) const WRITE: Need = Need {
        write: true,
        read: false,
        ..Need::READ
    };

    /// What the stage below, which knows only reads and writes, is asked.
    pub(crate) fn below(self) -> Need {
        Need {
            user: false,
            execute: false,
            ..self
        }
    }
}

/// A naturally aligned range that is translated as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Where its first byte goes.
    pub(crate) target: u64,
    /// log2 of its size, 12 to 64.
    pub(crate) shift: u8,
    /// What the tables allow; the rights of the device-table entry are not in here.
    pub(crate) rights: Rights,
    /// A write needs no change in the tables: D is set, or nobody wants it.
    pub(crate) dirty: bool,
}

impl Page {
    /// The page of a stage that does nothing.
    pub(crate) const IDENTITY: Page = Page {
        target: 0,
        shift: 64,
        rights: Rights::ALL,
        dirty: true,
    };

    /// Where an address inside the page goes.
    pub(crate) fn at(&self, address: u64) -> u64 {
        self.target | (address & low_bits(self.shift))
    }

    /// This page of a first stage on the page of the second stage at which `address` ends.
    pub(crate) fn on(&self, below: &Page, address: u64) -> Page {
        let shift = self.shift.min(below.shift);
        Page {
            target: below.at(self.at(address)) & !low_bits(shift),
            shift,
            rights: self.rights.and(below.rights),
            dirty: self.dirty && below.dirty,
        }
    }
}

/// A table that a walk has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Address of its first entry: system physical in a host table, what the entry above says
    /// in a guest table.
    pub(crate) address: u64,
    /// Its level, 1 to 6.
    pub(crate) level: u8,
    /// Rights of the entries above it.
    pub(crate) rights: Rights,
}

impl Table {
    /// Address of the entry for `address`.
    pub(crate) fn slot(&self, address: u64) -> u64 {
        let index = (address >> reach(self.level.saturating_sub(1))) & 0x1ff;
        self.address | index << 3
    }
}

/// log2 of what an entry in the table above `level` covers: all that a table of `level` reaches.
/// 12 for level 0, which is a page. Levels above 6 do not exist.
pub(crate) fn reach(level: u8) -> u8 {
    12 + 9 * level.min(6)
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The walk goes on.
    Table(Table),
    /// The walk is at its end.
    Page(Page),
}

/// Why an address is not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No page: PR = 0.
    NotPresent,
    /// No right: PR = 1, PE = 1.
    Permission,
    /// A level or a size that cannot be: PR = 1, RZ = 0.
    BadTable,
    /// A reserved bit: PR = 1, RZ = 1.
    Reserved,
    /// The entry at this system physical address could not be read or written.
    Failed(u64),
}

/// A fault, and whose table it was found in: a guest may see what is wrong with its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) fault: Fault,
    pub(crate) stage: Stage,
}

impl Denial {
    /// A fault in a guest's table.
    pub(crate) fn guest(fault: Fault) -> Self {
        let stage = Stage::Guest;
        Denial { fault, stage }
    }
}

impl From<Fault> for Denial {
    fn from(fault: Fault) -> Self {
        let stage = Stage::Host;
        Denial { fault, stage }
    }
}
