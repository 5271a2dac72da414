// SPDX-License-Identifier: GPL-2.0

//! A device with guest tables, nested or not, for the tests of walks.

use amd_iommu_model::request::Access;
use amd_iommu_model::{Answer, Request};

use crate::support::{event, Bench, Dte, Gcr3, HostTables, PageTables, Rights, GUEST_OFFSET};

pub const DEVICE: u16 = 0x0300;
pub const DOMAIN: u16 = 7;
pub const PR: u32 = 1 << 20;
pub const RW: u32 = 1 << 21;
pub const PE: u32 = 1 << 22;
pub const RZ: u32 = 1 << 23;
pub const NX: u32 = 1 << 17;
pub const US: u32 = 1 << 18;
pub const A: u64 = 1 << 5;
pub const D: u64 = 1 << 6;

/// A device with guest tables, on a host table if `nested`.
pub struct Stage {
    pub bench: Bench,
    pub host: Option<HostTables>,
    pub gcr3: Gcr3,
    pub tables: PageTables,
    pub entry: Dte,
}

impl Stage {
    pub fn new(nested: bool, levels: u8, glx: u8, pasid: u32) -> Self {
        Self::on(Bench::genoa(), nested, levels, glx, pasid)
    }

    pub fn on(mut bench: Bench, nested: bool, levels: u8, glx: u8, pasid: u32) -> Self {
        let offset = if nested { GUEST_OFFSET } else { 0 };
        let machine = &mut bench.machine;
        let gcr3 = Gcr3::new(machine, glx, offset);
        let tables = PageTables::new(machine, levels, offset);
        gcr3.set(machine, pasid, &tables);
        let mut entry = Dte::guest(DOMAIN, gcr3.pointer, glx.into());
        entry.paging_mode = u64::from(levels - 4);
        let host = nested.then(|| HostTables::new(machine, 4));
        if let Some(host) = &host {
            host.map_guest_memory(machine);
            entry = entry.nested_on(host.root, 4);
        }
        bench.install(DEVICE, &entry);
        Stage {
            bench,
            host,
            gcr3,
            tables,
            entry,
        }
    }

    pub fn map(&mut self, from: u64, to: u64, size: u64, rights: Rights) {
        self.tables
            .map(&mut self.bench.machine, from, to, size, rights);
    }

    pub fn ask(
        &mut self,
        address: u64,
        access: Access,
        pasid: Option<u32>,
        privileged: bool,
    ) -> Answer {
        self.bench.request(&Request {
            requester: DEVICE,
            address,
            access,
            pasid,
            privileged,
        })
    }

    pub fn target(&mut self, address: u64, access: Access, pasid: Option<u32>) -> Option<u64> {
        match self.ask(address, access, pasid, false) {
            Answer::Forward(page) => Some(page.address),
            Answer::Abort => None,
        }
    }

    /// Memory that a walk for 1000h under PASID 1 reads: four entries, then the GCR3 entry.
    pub fn walked(&mut self) -> Vec<u64> {
        let mut places = self.tables.path(&self.bench.machine, 0x1000);
        places.push(self.gcr3.entry(&mut self.bench.machine, 1));
        places
    }

    /// Gives the host table these pages with these rights, and no other.
    pub fn host_maps(&mut self, pages: &[(u64, Rights)]) {
        let (table, machine) = (self.host.unwrap(), &mut self.bench.machine);
        table.unmap(machine, 0x8000_0000, 1 << 30);
        for (page, rights) in pages {
            let page = page & !0xfff;
            table.map(machine, page - GUEST_OFFSET, page, 0x1000, *rights);
        }
    }

    /// The flags of the one event there is, a page fault at `address`.
    pub fn fault(&mut self, address: u64, pasid: Option<u32>) -> u32 {
        let events = self.bench.events();
        assert_eq!(events.len(), 1, "{events:?}");
        let found = &events[0];
        assert_eq!(
            (found.code(), found.device()),
            (event::PAGE_FAULT, DEVICE),
            "{events:?}"
        );
        assert_eq!(
            (found.address(), found.pasid()),
            (address, pasid),
            "{events:?}"
        );
        if pasid.is_none() {
            assert_eq!(found.domain(), DOMAIN);
        }
        found.0[1] & 0x01fe_0000
    }
}
