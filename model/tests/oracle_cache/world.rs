// SPDX-License-Identifier: GPL-2.0

//! Devices, their tables, and what the caches may still know of earlier contents.
//!
//! For each address the world keeps every result that was right at some time since software last
//! made sure that no cache holds an older one. An answer that is none of these is an error, and
//! so is one that is not the newest unless the referee complains.

use amd_iommu_model::config::Features;
use amd_iommu_model::request::Access;
use amd_iommu_model::{Config, Request};

use super::outcome::{guest_outcome, through, under, Below, Outcome};
use super::setup::{guest_spaces, host_spaces};
use super::space::{Device, Space, Table};
use crate::oracle::{verdict, Fault, Part, Verdict};
use crate::support::{Bench, Dte, Gcr3, HostTables, PageTables, Rights};

/// Kind of translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Host tables.
    Host,
    /// Guest tables.
    Guest,
    /// Guest tables on host tables.
    Nested,
}

/// Addresses that requests and mappings use: several in one table, in two tables, far away.
pub const ADDRESSES: [u64; 6] = [0, 0x1000, 0x3000, 0x20_0000, 0x20_1000, 0x4000_0000];

/// First guest address that nested leaves point to.
pub const POOL: u64 = 0x10_0000_0000;

const PART: Part = Part {
    host_levels: 6,
    guest_levels: 5,
    pasid_bits: 16,
    glx: 1,
};

/// A change of the host table under guests that has not been invalidated.
struct HostChange {
    first: u64,
    last: u64,
    structure: bool,
}

/// The machine with two address spaces.
pub struct World {
    pub bench: Bench,
    pub kind: Kind,
    pub devices: Vec<Device>,
    pub spaces: [Space; 2],
    below: Option<HostTables>,
    gcr3: Option<Gcr3>,
    /// What the table below gave since the last time that all was invalidated, oldest first.
    below_known: Vec<Below>,
    host_changes: Vec<HostChange>,
}

/// Which entries an invalidation drops.
#[derive(Clone, Copy, Debug)]
pub struct Drop {
    pub domain: u16,
    /// GN = 1 with this PASID.
    pub pasid: Option<u32>,
    pub first: u64,
    pub last: u64,
    pub directories: bool,
}

impl Drop {
    fn covers(&self, first: u64, last: u64) -> bool {
        self.first <= first && last <= self.last
    }
}

pub const DOMAINS: [u16; 2] = [0x11, 0x12];
pub const PASID: u32 = 5;

impl World {
    /// A world whose tables are empty.
    pub fn new(kind: Kind, seed: Option<u64>) -> Self {
        let mut config = Config::new(Features::genoa());
        config.asynchrony = seed;
        let mut bench = Bench::on(config);
        // The sibling shares the domain of the first device and may not write.
        let (spaces, entries, below, gcr3) = match kind {
            Kind::Host => host_spaces(&mut bench),
            _ => guest_spaces(&mut bench, kind),
        };
        let devices = entries.into_iter().map(Device::new).collect();
        let mut world = World {
            bench,
            kind,
            devices,
            spaces,
            below,
            gcr3,
            below_known: Vec::new(),
            host_changes: Vec::new(),
        };
        for device in &world.devices {
            world.bench.install(device.requester, &device.entry);
        }
        world.remember(false, |_, _| false);
        world.below_known.push(world.below_now());
        world
    }

    /// Notes what memory says now. `leaf` tells the addresses of spaces whose table changed,
    /// `structure` whether a directory entry changed as well.
    fn remember(&mut self, structure: bool, leaf: impl Fn(usize, u64) -> bool) {
        for number in 0..self.spaces.len() {
            for address in ADDRESSES {
                let now = self.outcome(number, address);
                let results = self.spaces[number].results.entry(address).or_default();
                if results.outcomes.last() != Some(&now) {
                    results.outcomes.push(now);
                }
                results.old_leaf |= leaf(number, address);
                results.old_directory |= structure && leaf(number, address);
            }
        }
    }

    fn outcome(&self, space: usize, address: u64) -> Outcome {
        let space = &self.spaces[space];
        if let (Kind::Nested, Table::Guest(tables)) = (self.kind, space.table) {
            return guest_outcome(&tables, &self.bench.machine, address);
        }
        let device = &self.devices[space.devices.start];
        [Access::Read, Access::Write].map(|access| {
            let request = request(space.pasid, device.requester, address, access);
            let full = Dte {
                ir: true,
                iw: true,
                ..device.entry
            };
            verdict(PART, &self.bench.machine, full.words(), &request)
        })
    }

    fn below_now(&self) -> Below {
        let Some(host) = self.below else {
            return Below::new();
        };
        let entry = Dte::host(DOMAINS[0], host.root, host.levels.into()).words();
        let outcome = |address| {
            [Access::Read, Access::Write].map(|access| {
                let request = request(None, 0, address, access);
                verdict(PART, &self.bench.machine, entry, &request)
            })
        };
        let pages = (0..4).flat_map(|block| (0..4).map(move |page| block << 21 | page << 12));
        pages
            .map(|offset| (POOL + offset, outcome(POOL + offset)))
            .collect()
    }

    /// Maps, changes or (`to` = `None`) unmaps a page of a space.
    pub fn change(&mut self, space: usize, address: u64, size: u64, to: Option<(u64, Rights)>) {
        let from = address & !(size - 1);
        let machine = &mut self.bench.machine;
        let structure = self.spaces[space]
            .table
            .replaces_directory(machine, from, size);
        match to {
            Some((to, rights)) => self.spaces[space]
                .table
                .map(machine, from, to, size, rights),
            None => self.spaces[space].table.unmap(machine, from, size),
        }
        // A table in place of a large page concerns all of it.
        let block = 0x20_0000 - 1;
        self.remember(structure, |changed, address| {
            changed == space && address & !block == from & !block
        });
    }

    /// Gives a PASID an empty table.
    pub fn empty(&mut self, space: usize) {
        let Some(gcr3) = self.gcr3 else { return };
        let machine = &mut self.bench.machine;
        let tables = PageTables::new(machine, 4, gcr3.offset);
        gcr3.set(machine, self.spaces[space].pasid.unwrap_or(0), &tables);
        self.spaces[space].table = Table::Guest(tables);
        self.remember(true, |changed, _| changed == space);
    }

    /// [`World::change`] for the host table below guest tables.
    pub fn change_below(&mut self, address: u64, size: u64, to: Option<(u64, Rights)>) {
        let Some(host) = self.below else { return };
        let from = address & !(size - 1);
        let machine = &mut self.bench.machine;
        let structure = Table::Host(host).replaces_directory(machine, from, size);
        match to {
            Some((to, rights)) => host.map(machine, from, to, size, rights),
            None => host.unmap(machine, from, size),
        }
        let size = if structure { 0x20_0000 } else { size };
        let first = from & !(size - 1);
        self.host_changes.push(HostChange {
            first,
            last: first + size - 1,
            structure,
        });
        self.below_known.push(self.below_now());
    }

    /// Changes the right to write of a device.
    pub fn allow_writes(&mut self, device: usize, iw: bool) {
        let device = &mut self.devices[device];
        device.entry.iw = iw;
        device.known.push(device.entry);
        self.bench.put_entry(device.requester, device.entry.words());
    }

    /// Software has waited for INVALIDATE_DEVTAB_ENTRY of a device.
    pub fn entry_dropped(&mut self, device: usize) {
        let device = &mut self.devices[device];
        device.known = vec![device.entry];
    }

    /// Software has waited for an invalidation.
    pub fn dropped(&mut self, drop: Drop) {
        let nested = self.kind == Kind::Nested;
        if nested && drop.pasid.is_none() && drop.domain == DOMAINS[0] {
            self.host_changes.retain(|change| {
                !drop.covers(change.first, change.last) || change.structure && !drop.directories
            });
        }
        self.settle_below();
        for space in &mut self.spaces {
            // A request without PASID uses the table of PASID 0.
            let pasid = (self.kind != Kind::Host).then_some(space.pasid.unwrap_or(0));
            let own = drop.domain == space.domain && drop.pasid == pasid;
            for (&address, results) in &mut space.results {
                if own && drop.covers(address, address + 0xfff) {
                    results.dropped(drop.directories);
                }
                results.settle();
            }
        }
    }

    fn settle_below(&mut self) {
        if self.host_changes.is_empty() {
            let newest = self.below_known.len() - 1;
            self.below_known.drain(..newest);
        }
    }

    /// Software has waited for INVALIDATE_IOMMU_ALL.
    pub fn all_dropped(&mut self) {
        self.host_changes.clear();
        self.settle_below();
        for device in 0..self.devices.len() {
            self.entry_dropped(device);
        }
        for results in self
            .spaces
            .iter_mut()
            .flat_map(|space| space.results.values_mut())
        {
            results.dropped(true);
            results.settle();
        }
    }

    /// A request of one of the devices of a space.
    pub fn request(&self, space: usize, device: usize, address: u64, write: bool) -> Request {
        let space = &self.spaces[space];
        let device = space.devices.start + device % space.devices.len();
        let access = if write { Access::Write } else { Access::Read };
        request(space.pasid, self.devices[device].requester, address, access)
    }

    /// Whether no old answer can come from the tables of a guest, which the host does not judge.
    pub fn is_guest_certain(&self, space: usize, request: &Request) -> bool {
        let results = &self.spaces[space].results[&(request.address & !0xfff)];
        let old = results.old_leaf || results.old_directory || results.outcomes.len() > 1;
        self.kind != Kind::Nested || !old
    }

    /// Whether the driver owes no invalidation: everything that is old is the guest's.
    pub fn is_host_certain(&self, request: &Request) -> bool {
        let mut devices = self.devices.iter();
        let device = devices.find(|d| d.requester == request.requester);
        let known = device.map_or(0, |device| device.known.len());
        self.kind == Kind::Nested && self.host_changes.is_empty() && known == 1
    }

    /// All that may come of a request; the last one is right. `true` if it is the only one.
    pub fn expected(&self, space: usize, request: &Request) -> (Vec<Verdict>, bool) {
        let device = self
            .devices
            .iter()
            .find(|d| d.requester == request.requester);
        let known = device.map(|device| device.known.as_slice()).unwrap_or(&[]);
        let results = &self.spaces[space].results[&(request.address & !0xfff)];
        let write = request.access.writes();
        let last = results.outcomes.len() - 1;
        let mut all = Vec::new();
        for (age, outcome) in results.outcomes.iter().enumerate() {
            let old = outcome[usize::from(write)];
            // Not-present entries are not cached; an old directory may lead to one.
            let cached = old != Verdict::Fault(Fault::NotPresent) || results.old_directory;
            if age < last && !cached {
                continue;
            }
            for below in &self.below_known {
                let through = through(old, below, write);
                all.extend(
                    known
                        .iter()
                        .map(|entry| under(entry, through, write, request)),
                );
            }
        }
        let certain = results.outcomes.len() == 1 && known.len() == 1 && !results.old_leaf;
        (all, certain && self.host_changes.is_empty())
    }
}

fn request(pasid: Option<u32>, requester: u16, address: u64, access: Access) -> Request {
    Request {
        requester,
        address,
        access,
        pasid,
        privileged: false,
    }
}
