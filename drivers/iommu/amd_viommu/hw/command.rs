// SPDX-License-Identifier: GPL-2.0

//! The commands that software gives to the hardware (hardware reference 3.4).

mod batch;
mod range;

pub use batch::Batch;
pub use range::Range;

bitfield! {
    /// A command as it lies in the command buffer, `dw0` to `dw3`.
    ///
    /// Fields of different commands overlap; each says which command it belongs to.
    pub struct Command([u32; 4]) {
        /// Opcode: which command this is.
        1 31:28 opcode, with_opcode: u8;
        /// COMPLETION_WAIT s: store the data.
        0 0:0 store, with_store: bool;
        /// COMPLETION_WAIT i: raise ComWaitInt.
        0 1:1 interrupt, with_interrupt: bool;
        /// COMPLETION_WAIT f: hold later commands back until this one is done.
        0 2:2 flush, with_flush: bool;
        /// COMPLETION_WAIT: bits 31:3 of the address to store to.
        0 31:3 store_low, with_store_low: u32;
        /// COMPLETION_WAIT: bits 51:32 of the address to store to.
        1 19:0 store_high, with_store_high: u32;
        /// Device ID, of the invalidations that name a device.
        0 15:0 device_id, with_device_id: u16;
        /// RESET_VMMIO: guest ID.
        0 15:0 guest_id, with_guest_id: u16;
        /// RESET_VMMIO All: every register of the guest (OQ-8).
        0 28:28 all, with_all: bool;
        /// RESET_VMMIO vCmd: the guest's command engine.
        0 31:31 v_cmd, with_v_cmd: bool;
        /// INVALIDATE_IOMMU_PAGES: PASID, with GN.
        0 19:0 pasid, with_pasid: u32;
        /// INVALIDATE_IOMMU_PAGES: domain ID.
        1 15:0 domain_id, with_domain_id: u16;
        /// INVALIDATE_IOMMU_PAGES S: the address encodes a size.
        2 0:0 sized, with_sized: bool;
        /// INVALIDATE_IOMMU_PAGES PDE: directory entries too.
        2 1:1 pde, with_pde: bool;
        /// INVALIDATE_IOMMU_PAGES GN: guest translations, not those of the host table.
        2 2:2 gn, with_gn: bool;
        /// INVALIDATE_IOMMU_PAGES: bits 31:12 of the address.
        2 31:12 address_low, with_address_low: u32;
        /// INVALIDATE_IOMMU_PAGES: bits 63:32 of the address.
        3 31:0 address_high, with_address_high: u32;
    }
}

/// What a COMPLETION_WAIT does once all earlier commands have taken effect.
///
/// With everything off it is a pure barrier without visible effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompletionWait {
    /// Store a value, which becomes visible before the interrupt of the same command.
    pub store: Option<Store>,
    /// Raise ComWaitInt.
    pub interrupt: bool,
    /// Hold later commands back until this one is done.
    pub flush: bool,
}

/// The store of a COMPLETION_WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Physical address, bits 51:3; others are ignored.
    pub address: u64,
    /// The value.
    pub data: u64,
}

impl Command {
    /// Opcode of COMPLETION_WAIT.
    pub const COMPLETION_WAIT: u8 = 1;
    /// Opcode of INVALIDATE_DEVTAB_ENTRY.
    pub const INVALIDATE_DEVTAB_ENTRY: u8 = 2;
    /// Opcode of INVALIDATE_IOMMU_PAGES.
    pub const INVALIDATE_IOMMU_PAGES: u8 = 3;
    /// Opcode of INVALIDATE_INTERRUPT_TABLE.
    pub const INVALIDATE_INTERRUPT_TABLE: u8 = 5;
    /// Opcode of INVALIDATE_IOMMU_ALL.
    pub const INVALIDATE_IOMMU_ALL: u8 = 8;
    /// Opcode of RESET_VMMIO.
    pub const RESET_VMMIO: u8 = 0xA;

    /// COMPLETION_WAIT: tells when all earlier commands have taken effect.
    pub fn completion_wait(wait: CompletionWait) -> Self {
        let command = Self::new(Self::COMPLETION_WAIT)
            .with_interrupt(wait.interrupt)
            .with_flush(wait.flush);

        match wait.store {
            None => command,
            Some(store) => command.with_store(true).with_store_to(store),
        }
    }

    /// INVALIDATE_DEVTAB_ENTRY: forgets the cached entry of a device, but no translation made under
    /// it.
    pub fn invalidate_devtab_entry(device_id: u16) -> Self {
        Self::new(Self::INVALIDATE_DEVTAB_ENTRY).with_device_id(device_id)
    }

    /// INVALIDATE_IOMMU_PAGES: forgets the host translations of a domain in `range`.
    ///
    /// With `pde` cached directory entries go too, which is needed whenever a table came, went or
    /// moved.
    pub fn invalidate_iommu_pages(domain_id: u16, range: Range, pde: bool) -> Self {
        Self::new(Self::INVALIDATE_IOMMU_PAGES)
            .with_domain_id(domain_id)
            .with_sized(range.sized())
            .with_pde(pde)
            .with_address_low((range.address() >> 12) as u32)
            .with_address_high((range.address() >> 32) as u32)
    }

    /// INVALIDATE_IOMMU_PAGES with GN: forgets the translations that a domain made by the guest
    /// table of a PASID, directory entries and the entry of the GCR3 table included.
    pub fn invalidate_guest_pages(domain_id: u16, pasid: u32, range: Range) -> Self {
        Self::invalidate_iommu_pages(domain_id, range, true)
            .with_gn(true)
            .with_pasid(pasid)
    }

    /// INVALIDATE_INTERRUPT_TABLE: forgets the cached interrupt entries of a device.
    pub fn invalidate_interrupt_table(device_id: u16) -> Self {
        Self::new(Self::INVALIDATE_INTERRUPT_TABLE).with_device_id(device_id)
    }

    /// INVALIDATE_IOMMU_ALL: forgets everything. Legal only if EFR says IASup.
    pub fn invalidate_iommu_all() -> Self {
        Self::new(Self::INVALIDATE_IOMMU_ALL)
    }

    /// RESET_VMMIO: puts the registers of a guest into their first state, its engine included.
    pub fn reset_vmmio(guest_id: u16) -> Self {
        Self::new(Self::RESET_VMMIO)
            .with_guest_id(guest_id)
            .with_all(true)
            .with_v_cmd(true)
    }

    /// AMD's name of the command.
    pub fn name(self) -> &'static str {
        match self.opcode() {
            Self::COMPLETION_WAIT => "COMPLETION_WAIT",
            Self::INVALIDATE_DEVTAB_ENTRY => "INVALIDATE_DEVTAB_ENTRY",
            Self::INVALIDATE_IOMMU_PAGES => "INVALIDATE_IOMMU_PAGES",
            Self::INVALIDATE_INTERRUPT_TABLE => "INVALIDATE_INTERRUPT_TABLE",
            Self::INVALIDATE_IOMMU_ALL => "INVALIDATE_IOMMU_ALL",
            Self::RESET_VMMIO => "RESET_VMMIO",
            _ => "UNKNOWN",
        }
    }

    /// The range that an INVALIDATE_IOMMU_PAGES names.
    pub fn range(self) -> Range {
        let address =
            (u64::from(self.address_high()) << 32) | (u64::from(self.address_low()) << 12);

        Range::from_fields(address, self.sized())
    }

    /// A command with all fields 0.
    fn new(opcode: u8) -> Self {
        Self::default().with_opcode(opcode)
    }

    /// Fills in address and data of a COMPLETION_WAIT.
    fn with_store_to(self, store: Store) -> Self {
        let mut command = self
            .with_store_low((store.address >> 3) as u32)
            .with_store_high((store.address >> 32) as u32);
        command.0[2] = store.data as u32;
        command.0[3] = (store.data >> 32) as u32;

        command
    }
}
