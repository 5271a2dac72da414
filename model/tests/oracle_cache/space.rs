// SPDX-License-Identifier: GPL-2.0

//! Devices and address spaces, and what caches may know of them.

use std::collections::HashMap;
use std::ops::Range;

use super::outcome::Outcome;
use crate::support::{Dte, HostTables, Machine, PageTables, Rights};

/// A requester and the entry of it that caches may know.
pub struct Device {
    pub requester: u16,
    pub entry: Dte,
    /// Entries since the last INVALIDATE_DEVTAB_ENTRY; the last one is in memory.
    pub known: Vec<Dte>,
}

/// An address space with its table and what is known of it.
pub struct Space {
    pub domain: u16,
    pub pasid: Option<u32>,
    pub devices: Range<usize>,
    pub table: Table,
    /// By address: results that caches may give.
    pub results: HashMap<u64, Results>,
}

#[derive(Clone, Copy)]
pub enum Table {
    Host(HostTables),
    Guest(PageTables),
}

#[derive(Default)]
pub struct Results {
    /// Oldest first; the last one is what memory says.
    pub outcomes: Vec<Outcome>,
    /// A cached translation of the table itself may be old.
    pub old_leaf: bool,
    /// So may be a cached directory entry.
    pub old_directory: bool,
}

impl Space {
    /// A space with nothing known of it.
    pub fn new(domain: u16, pasid: Option<u32>, devices: Range<usize>, table: Table) -> Self {
        Space {
            domain,
            pasid,
            devices,
            table,
            results: HashMap::new(),
        }
    }
}

impl Results {
    pub fn dropped(&mut self, directories: bool) {
        self.old_directory &= !directories;
        self.old_leaf &= self.old_directory;
    }

    pub fn settle(&mut self) {
        if !self.old_leaf && !self.old_directory {
            let newest = self.outcomes.len().saturating_sub(1);
            self.outcomes.drain(..newest);
        }
    }
}

impl Device {
    pub fn new((requester, entry): (u16, Dte)) -> Self {
        Device {
            requester,
            entry,
            known: vec![entry],
        }
    }
}

impl Table {
    pub fn map(&self, machine: &mut Machine, from: u64, to: u64, size: u64, r: Rights) {
        match self {
            Table::Host(table) => table.map(machine, from, to, size, r),
            Table::Guest(table) => table.map(machine, from, to, size, r),
        }
    }

    pub fn unmap(&self, machine: &mut Machine, from: u64, size: u64) {
        match self {
            Table::Host(table) => table.unmap(machine, from, size),
            Table::Guest(table) => table.unmap(machine, from, size),
        }
    }

    /// Whether putting a page of `size` at `from` takes a table or a large page away.
    pub fn replaces_directory(&self, machine: &Machine, from: u64, size: u64) -> bool {
        let (path, levels) = match self {
            Table::Host(table) => (table.path(machine, from), table.levels),
            Table::Guest(table) => (table.path(machine, from), table.levels),
        };
        let present = |at: &u64| machine.peek(*at) & 1 != 0;
        let depth = usize::from(levels - HostTables::level_of(size));
        let table_goes = path.len() > depth + 1 && present(&path[depth]);
        let large_goes = path.len() < depth + 1 && path.last().is_some_and(present);
        table_goes || large_goes
    }
}
