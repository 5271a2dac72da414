// SPDX-License-Identifier: GPL-2.0

//! The table of registers (hardware.md 3.1). What a read shows, which bits a write may set and
//! what is counted all follow from it.
//!
//! A register whose feature the part does not announce is not there: it reads 0 and ignores
//! writes, like the space between the registers. So are those of features that the model never
//! announces (PPR and GA logs, second logs, SMI filters, MARC, XT, counters, the copy of the MSI
//! capability).

use crate::bits::mask;
use crate::config::Features;
use crate::registers::control::Control;
use crate::registers::status;

/// Offset under which accesses are counted that hit no register.
pub const OTHER: u32 = u32::MAX;

/// One register of 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    /// Offset in the MMIO window.
    pub(crate) offset: u32,
    /// Name, as a person says it.
    pub(crate) name: &'static str,
    /// What the register is.
    pub(crate) kind: Kind,
}

/// What a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Base and size of the device table (0), or of a segment (1 to 7).
    DeviceTable(u8),
    /// Base and length of a ring.
    Base(Queue),
    /// Head pointer of a ring.
    Head(Queue),
    /// Tail pointer of a ring.
    Tail(Queue),
    /// The control register.
    Control,
    /// Exclusion base.
    ExclusionBase,
    /// Exclusion limit.
    ExclusionLimit,
    /// Extended feature register, read-only.
    Features,
    /// Second extended feature register, read-only.
    Features2,
    /// vIOMMU status: fields unknown, read-only 0 (OQ-5).
    ViommuStatus,
    /// First (0) or second (1) half of the latched hardware event.
    HardwareEvent(u8),
    /// HEV and HEO of the latched hardware event, cleared by writing 1.
    HardwareEventStatus,
    /// Status: bits cleared by writing 1, Run bits read-only.
    Status,
}

/// A ring of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// The command buffer.
    Command,
    /// The event log.
    Event,
}

const fn register(offset: u32, name: &'static str, kind: Kind) -> Definition {
    Definition { offset, name, kind }
}

/// All registers that a part of this model can have.
const REGISTERS: &[Definition] = &[
    register(0x0000, "device table base", Kind::DeviceTable(0)),
    register(0x0008, "command buffer base", Kind::Base(Queue::Command)),
    register(0x0010, "event log base", Kind::Base(Queue::Event)),
    register(0x0018, "control", Kind::Control),
    register(0x0020, "exclusion base", Kind::ExclusionBase),
    register(0x0028, "exclusion limit", Kind::ExclusionLimit),
    register(0x0030, "extended features", Kind::Features),
    register(0x0040, "hardware event upper", Kind::HardwareEvent(0)),
    register(0x0048, "hardware event lower", Kind::HardwareEvent(1)),
    register(0x0050, "hardware event status", Kind::HardwareEventStatus),
    register(0x0100, "device table segment 1", Kind::DeviceTable(1)),
    register(0x0108, "device table segment 2", Kind::DeviceTable(2)),
    register(0x0110, "device table segment 3", Kind::DeviceTable(3)),
    register(0x0118, "device table segment 4", Kind::DeviceTable(4)),
    register(0x0120, "device table segment 5", Kind::DeviceTable(5)),
    register(0x0128, "device table segment 6", Kind::DeviceTable(6)),
    register(0x0130, "device table segment 7", Kind::DeviceTable(7)),
    register(0x0190, "vIOMMU status", Kind::ViommuStatus),
    register(0x01a0, "extended features 2", Kind::Features2),
    register(0x2000, "command head", Kind::Head(Queue::Command)),
    register(0x2008, "command tail", Kind::Tail(Queue::Command)),
    register(0x2010, "event head", Kind::Head(Queue::Event)),
    register(0x2018, "event tail", Kind::Tail(Queue::Event)),
    register(0x2020, "status", Kind::Status),
];

/// Name of the register that holds the byte at an offset, if the model knows one there.
pub fn name(offset: u64) -> Option<&'static str> {
    REGISTERS
        .iter()
        .find(|register| u64::from(register.offset) == offset & !7)
        .map(|register| register.name)
}

/// The register that holds the byte at an offset, if this part has it.
pub(crate) fn find(features: &Features, offset: u64) -> Option<&'static Definition> {
    REGISTERS.iter().find(|register| {
        u64::from(register.offset) == offset & !7 && register.kind.exists(features)
    })
}

impl Kind {
    fn exists(self, features: &Features) -> bool {
        match self {
            Kind::DeviceTable(segment) => segment < 1 << features.segments(),
            Kind::HardwareEvent(_) | Kind::HardwareEventStatus => features.hardware_error(),
            Kind::ViommuStatus => features.viommu(),
            _ => true,
        }
    }

    /// Bits that a write may find or leave set; the others are reserved.
    pub(crate) fn legal(self, features: &Features) -> u64 {
        match self {
            Kind::DeviceTable(0) => mask(51, 12) | mask(8, 0),
            Kind::DeviceTable(_) => mask(51, 12) | mask(7, 0),
            Kind::Base(_) => mask(59, 56) | mask(51, 12),
            Kind::Head(_) | Kind::Tail(_) => mask(18, 4),
            Kind::Control => Control::legal(features),
            Kind::ExclusionBase => mask(51, 12) | mask(1, 0),
            Kind::ExclusionLimit => mask(51, 12),
            Kind::Features | Kind::Features2 | Kind::ViommuStatus => 0,
            Kind::HardwareEvent(_) => u64::MAX,
            Kind::HardwareEventStatus => mask(1, 0),
            Kind::Status => status::VALID,
        }
    }

    /// Bits that careful software may write as 1. Beyond the legal ones these are bits that
    /// software can only find by trying, the ones that the exclusion limit reads back, and the
    /// status bits of other logs: to clear what is not set does no harm.
    pub(crate) fn writable(self, features: &Features) -> u64 {
        match self {
            Kind::Control => Control::writable(features),
            Kind::ExclusionLimit => mask(51, 0),
            Kind::Status => status::KNOWN,
            _ => self.legal(features),
        }
    }

    /// A written 1 clears a bit, a 0 leaves it.
    pub(crate) fn clears_by_one(self) -> bool {
        matches!(self, Kind::Status | Kind::HardwareEventStatus)
    }
}
