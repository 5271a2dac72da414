// SPDX-License-Identifier: GPL-2.0

//! The maps that every guest starts with.
//!
//! Guests invalidate device and domain IDs that they have never used, Linux all of them when it boots.
//! An ID that has no map entry may stop the guest's engine (OQ-14), so every entry exists from the
//! start and names the sink: a requester ID without a device and a domain ID without a domain. The
//! hardware writes map entries itself (hardware reference 5.3) and their format is not known, so it is
//! made to fill one pair of maps, for a guest ID that no guest gets. All guests map that pair
//! read-only, and get a page of their own where they need one.

use super::{
    hardware::Hardware,
    ids::{GuestId, SpareId},
    registers::Registers,
};
use crate::domain::HostDomain;
use hw::viommu::{
    private,
    vfctrl::{DidMap, DEVICE_MAP, DOMAIN_MAP},
};
use kernel::prelude::*;
use kernel_ext::{iommu::Access, uncached::Uncached};

/// One map: which guests' entries it holds, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    /// Device IDs.
    Device,
    /// Domain IDs.
    Domain,
}

impl Map {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Device, Self::Domain];

    /// The address of a guest's map.
    pub(super) fn base(self, gid: u16) -> u64 {
        match self {
            Self::Device => private::device_map(gid),
            Self::Domain => private::domain_map(gid),
        }
    }

    /// The bytes of a guest's map.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::Device => private::DEVICE_MAP_LEN,
            Self::Domain => private::DOMAIN_MAP_LEN,
        }
    }

    /// The offset of the page that holds the entry of an ID.
    pub(super) fn page_of(self, id: u16) -> u64 {
        match self {
            Self::Device => private::device_page(id),
            Self::Domain => private::domain_page(id),
        }
    }

    /// The register that changes an entry.
    pub(super) fn register(self) -> usize {
        match self {
            Self::Device => DEVICE_MAP,
            Self::Domain => DOMAIN_MAP,
        }
    }
}

/// The maps of a guest ID while the hardware fills them; nothing is mapped any more when this goes.
struct Window<'a> {
    hardware: &'a Hardware,
    gid: u16,
}

impl Window<'_> {
    fn map(&self, template: &Template) -> Result {
        let private = self.hardware.private();
        for map in Map::ALL {
            let base = map.base(self.gid);
            for offset in (0..map.bytes()).step_by(4096) {
                private.map(base + offset, template.phys(map, offset), Access::ReadWrite)?;
            }
            private.forget(base, map.bytes())?;
        }
        Ok(())
    }
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        for map in Map::ALL {
            self.hardware
                .private()
                .unmap(map.base(self.gid), map.bytes());
        }
    }
}

/// The pair of maps, and what all their entries name.
pub(super) struct Template {
    device: Uncached,
    domain: Uncached,
    sink_device: SpareId,
    sink_domain: HostDomain,
    /// The guest ID for which the hardware filled the maps. Not used again: nothing says how long the
    /// hardware remembers them.
    _gid: GuestId,
}

impl Template {
    /// Has the hardware fill the maps, once per IOMMU: 131,072 register writes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` when IDs have run out, `EIO` when the hardware does not confirm.
    pub(super) fn new(hardware: &Hardware) -> Result<Self> {
        let node = hardware.iommu().node();
        let gid = hardware.ids().guest()?;
        let template = Self {
            device: Uncached::new(node, private::DEVICE_MAP_LEN as usize)?,
            domain: Uncached::new(node, private::DOMAIN_MAP_LEN as usize)?,
            sink_device: hardware.ids().spare(hardware.host())?,
            sink_domain: HostDomain::new(hardware.host().clone())?,
            _gid: gid,
        };
        let gid = template._gid.get();
        let registers = Registers::new(hardware.apertures(), gid)?;
        let window = Window { hardware, gid };
        window.map(&template)?;
        hardware.iommu().reset_guest(gid)?;
        for map in Map::ALL {
            template.fill(&registers, map);
        }
        drop(window);
        hardware.iommu().reset_guest(gid)?;
        Ok(template)
    }

    fn fill(&self, registers: &Registers, map: Map) {
        for id in 0..=u16::MAX {
            registers.write_control(map.register(), DidMap::set(id, self.sink(map)).0);
        }
        // The barrier (OQ-20).
        registers.read_control(map.register());
    }

    fn memory(&self, map: Map) -> &Uncached {
        match map {
            Map::Device => &self.device,
            Map::Domain => &self.domain,
        }
    }

    /// The physical address of a page of the template.
    pub(super) fn phys(&self, map: Map, offset: u64) -> u64 {
        self.memory(map).phys() + offset
    }

    /// The memory of a map, to copy from.
    pub(super) fn source(&self, map: Map) -> &Uncached {
        self.memory(map)
    }

    /// What an entry names that names nothing of the guest's.
    pub(super) fn sink(&self, map: Map) -> u16 {
        match map {
            Map::Device => self.sink_device.get(),
            Map::Domain => self.sink_domain.id(),
        }
    }
}
