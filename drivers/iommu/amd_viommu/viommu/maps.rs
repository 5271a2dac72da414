// SPDX-License-Identifier: GPL-2.0

//! A guest's maps in the private address space.
//!
//! They begin as the template's pages, which the hardware may only read, so that no guest can change
//! what others see. A page becomes the guest's own before the first entry in it changes.

use super::{
    hardware::Hardware,
    registers::Registers,
    template::{Map, Template},
};
use hw::viommu::vfctrl::DidMap;
use kernel::{alloc::flags::GFP_KERNEL_ACCOUNT, prelude::*, sync::Arc};
use kernel_ext::{iommu::Access, uncached::UncachedPage};

/// The hardware's own page.
const PAGE: u64 = 4096;

/// A page that is the guest's own.
struct Own {
    at: u64,
    _memory: UncachedPage,
}

/// Both maps of one guest.
pub(super) struct Maps {
    hardware: Arc<Hardware>,
    template: Arc<Template>,
    gid: u16,
    own: KVec<Own>,
}

impl Maps {
    /// Maps the template's pages for a guest. [`PrivateSpace::forget`] has to follow.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(hardware: Arc<Hardware>, template: Arc<Template>, gid: u16) -> Result<Self> {
        let maps = Self {
            hardware,
            template,
            gid,
            own: KVec::new(),
        };
        for map in Map::ALL {
            for offset in (0..map.bytes()).step_by(PAGE as usize) {
                maps.share(map, offset)?;
            }
        }
        Ok(maps)
    }

    /// Maps a page of the template.
    fn share(&self, map: Map, offset: u64) -> Result {
        let phys = self.template.phys(map, offset);
        let at = map.base(self.gid) + offset;
        self.hardware.private().map(at, phys, Access::Read)
    }

    /// Whether the entry of an ID can be changed now.
    pub(super) fn owns(&self, map: Map, id: u16) -> bool {
        let at = map.base(self.gid) + map.page_of(id);
        self.own.iter().any(|own| own.at == at)
    }

    /// Gives the guest its own page for the entry of an ID. The page is absent for a moment, so the
    /// guest's engine must not run.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: the guest has the page that it had. `EIO` when the hardware does not confirm.
    pub(super) fn take(&mut self, map: Map, id: u16) -> Result {
        let (offset, private) = (map.page_of(id), self.hardware.private());
        let at = map.base(self.gid) + offset;
        let memory = private.page()?;
        memory.copy_from(self.template.source(map), offset as usize)?;
        self.own.reserve(1, GFP_KERNEL_ACCOUNT)?;
        private.unmap(at, PAGE);
        if let Err(error) = private.map(at, memory.phys(), Access::ReadWrite) {
            // The tables are still there, so that this needs no memory.
            let _ = self.share(map, offset);
            let _ = private.forget(at, PAGE);
            return Err(error);
        }
        let own = Own {
            at,
            _memory: memory,
        };
        self.own.push(own, GFP_KERNEL_ACCOUNT)?;
        private.forget(at, PAGE)
    }

    /// Points the guest's ID to one of the host's.
    pub(super) fn set(&self, registers: &Registers, map: Map, id: u16, to: u16) {
        if self.owns(map, id) {
            registers.write_control(map.register(), DidMap::set(id, to).0);
            // The barrier (OQ-20).
            registers.read_control(map.register());
        }
    }

    /// Points the guest's ID to the sink.
    pub(super) fn sink(&self, registers: &Registers, map: Map, id: u16) {
        self.set(registers, map, id, self.template.sink(map));
    }
}

impl Drop for Maps {
    /// Nothing is mapped any more when the memory goes.
    fn drop(&mut self) {
        for map in Map::ALL {
            self.hardware
                .private()
                .unmap(map.base(self.gid), map.bytes());
        }
    }
}
