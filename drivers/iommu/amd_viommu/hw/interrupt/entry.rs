// SPDX-License-Identifier: GPL-2.0

//! The entry of an interrupt table (IRTE) in its two formats.
//!
//! Which one the hardware reads is decided for the whole IOMMU by GAEn in the control register.

bitfield! {
    /// An entry of 32 bits, while GAEn is 0.
    pub struct Irte32(u32) {
        /// RemapEn: the entry is valid.
        0:0 remap_en, with_remap_en: bool;
        /// SupIOPF: no fault is reported while the entry is not valid.
        1:1 sup_io_pf, with_sup_io_pf: bool;
        /// IntType: how the CPU delivers the interrupt, 0 for fixed.
        4:2 int_type, with_int_type: u8;
        /// RqEoi: the end of the interrupt is asked for.
        5:5 rq_eoi, with_rq_eoi: bool;
        /// DM: the destination is a logical one.
        6:6 dm, with_dm: bool;
        /// Destination: the APIC that gets the interrupt.
        15:8 destination, with_destination: u8;
        /// Vector.
        23:16 vector, with_vector: u8;
    }
}

bitfield! {
    /// An entry of 128 bits, while GAEn is 1, in the form that interrupts the host: GuestMode is 0.
    pub struct Irte128([u64; 2]) {
        /// Valid.
        0 0:0 valid, with_valid: bool;
        /// NoFault: no fault is reported while the entry is not valid.
        0 1:1 no_fault, with_no_fault: bool;
        /// IntType: how the CPU delivers the interrupt, 0 for fixed.
        0 4:2 int_type, with_int_type: u8;
        /// RqEoi: the end of the interrupt is asked for.
        0 5:5 rq_eoi, with_rq_eoi: bool;
        /// DestMode: the destination is a logical one.
        0 6:6 dest_mode, with_dest_mode: bool;
        /// GuestMode: the interrupt goes to a virtual APIC.
        0 7:7 guest_mode, with_guest_mode: bool;
        /// Dest: bits 23:0 of the APIC that gets the interrupt.
        0 31:8 destination_23_0, with_destination_23_0: u32;
        /// Vector.
        1 7:0 vector, with_vector: u8;
        /// Dest: bits 31:24.
        1 63:56 destination_31_24, with_destination_31_24: u8;
    }
}

/// Where an interrupt goes. It is always a fixed one: the given CPU gets the given vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The vector.
    pub vector: u8,
    /// ID of the local APIC.
    pub destination: u32,
    /// The ID is a logical one.
    pub logical: bool,
}

/// Which entries the hardware reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// [`Irte32`]: GAEn is 0.
    Short,
    /// [`Irte128`]: GAEn is 1.
    Long {
        /// APIC IDs of 32 bits are understood: XTEn is 1.
        wide: bool,
    },
}

/// The bits of an entry, to be stored in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An [`Irte32`].
    Short(u32),
    /// An [`Irte128`]; the lower half lies at the lower address.
    Long(u128),
}

impl Format {
    /// The size of an entry in memory.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Short => 4,
            Self::Long { .. } => 16,
        }
    }

    /// Whether entries can name the local APIC with this ID.
    pub const fn names(self, apic: u32) -> bool {
        matches!(self, Self::Long { wide: true }) || apic <= 0xFF
    }

    /// The entry that sends an interrupt along `route`.
    ///
    /// Returns `None` for an APIC ID that the hardware does not understand.
    pub fn remapped(self, route: Route) -> Option<Entry> {
        match self {
            Self::Short => u8::try_from(route.destination)
                .ok()
                .map(|destination| short(route, destination)),
            Self::Long { .. } => self.names(route.destination).then(|| long(route)),
        }
    }

    /// The entry that aborts an interrupt, and has it reported.
    pub const fn absent(self) -> Entry {
        match self {
            Self::Short => Entry::Short(0),
            Self::Long { .. } => Entry::Long(0),
        }
    }
}

fn short(route: Route, destination: u8) -> Entry {
    let entry = Irte32(0)
        .with_remap_en(true)
        .with_dm(route.logical)
        .with_destination(destination)
        .with_vector(route.vector);

    Entry::Short(entry.0)
}

fn long(route: Route) -> Entry {
    let Irte128([low, high]) = Irte128([0; 2])
        .with_valid(true)
        .with_dest_mode(route.logical)
        .with_destination_23_0(route.destination)
        .with_destination_31_24((route.destination >> 24) as u8)
        .with_vector(route.vector);

    Entry::Long((u128::from(high) << 64) | u128::from(low))
}
