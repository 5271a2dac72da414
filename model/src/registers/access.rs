// SPDX-License-Identifier: GPL-2.0

//! Accesses of the processor: width, halves, counting, reserved bits. What a write then does is
//! in `write`.

use alloc::format;
use alloc::string::String;

use crate::counters::{Accesses, Aperture};
use crate::referee::Rule;
use crate::registers::map::{find, Definition, Kind, Queue, OTHER};
use crate::registers::Registers;
use crate::system::System;
use crate::Iommu;

/// Size of the MMIO window in bytes. Without performance counters (PCSup = 0) there are 16 KiB.
pub const WINDOW: u64 = 0x4000;

/// Which bits of a 64-bit register an access covers.
#[derive(Clone, Copy)]
struct Lanes {
    shift: u32,
    mask: u64,
}

impl Lanes {
    /// The lanes of an aligned 32- or 64-bit access; other widths are undefined (hardware.md 3.2).
    fn of(offset: u64, size: u8) -> Option<Self> {
        match (size, offset & 7) {
            (8, 0) => Some(Lanes {
                shift: 0,
                mask: u64::MAX,
            }),
            (4, 0) => Some(Lanes {
                shift: 0,
                mask: 0xffff_ffff,
            }),
            (4, 4) => Some(Lanes {
                shift: 32,
                mask: 0xffff_ffff << 32,
            }),
            _ => None,
        }
    }
}

impl Iommu {
    /// Reads a register. `size` is in bytes.
    ///
    /// An access that is not 32 or 64 bits wide and aligned reads 0.
    pub fn mmio_read(&mut self, _system: &mut dyn System, offset: u64, size: u8) -> u64 {
        let register = self.register_at(offset);
        let reads = &mut self.accesses(register).reads;
        *reads = reads.saturating_add(1);
        let Some(lanes) = Lanes::of(offset, size) else {
            self.report_width(register, size);
            return 0;
        };
        register.map_or(0, |register| {
            (self.register_value(register.kind) & lanes.mask) >> lanes.shift
        })
    }

    /// Writes a register. `size` is in bytes.
    ///
    /// A 32-bit write keeps the other half of the register. A write that is not 32 or 64 bits
    /// wide and aligned is ignored.
    pub fn mmio_write(&mut self, system: &mut dyn System, offset: u64, size: u8, value: u64) {
        let register = self.register_at(offset);
        let writes = &mut self.accesses(register).writes;
        *writes = writes.saturating_add(1);
        let Some(lanes) = Lanes::of(offset, size) else {
            return self.report_width(register, size);
        };
        let value = (value << lanes.shift) & lanes.mask;
        self.check_reserved(register, value);
        if let Some(register) = register {
            let value = value | (self.other_half(register.kind) & !lanes.mask);
            self.write_register(system, register, value);
        }
    }

    /// What a 32-bit write is merged with. The half that is not written must not clear anything,
    /// so a register whose bits are cleared by ones is merged with zeros.
    fn other_half(&self, kind: Kind) -> u64 {
        if kind.clears_by_one() {
            0
        } else {
            self.register_value(kind)
        }
    }

    fn register_at(&self, offset: u64) -> Option<&'static Definition> {
        find(&self.config.features, offset)
    }

    fn accesses(&mut self, register: Option<&Definition>) -> &mut Accesses {
        let key = (Aperture::Mmio, place(register));
        self.counters.registers.entry(key).or_default()
    }

    fn register_value(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Features => self.config.features.efr,
            Kind::Features2 => self.config.features.efr2,
            kind => self.registers.value(kind),
        }
    }

    fn report_width(&mut self, register: Option<&Definition>, size: u8) {
        self.referee
            .report(Rule::BadAccessWidth, place(register).into(), || {
                format!(
                    "{}: access of {size} bytes, or not aligned to its size",
                    describe(register)
                )
            });
    }

    fn check_reserved(&mut self, register: Option<&Definition>, value: u64) {
        let features = &self.config.features;
        let writable = register.map_or(0, |register| register.kind.writable(features));
        let reserved = value & !writable;
        if reserved != 0 {
            self.report_reserved(register, reserved);
        }
    }

    /// Tells the referee of bits that must not have been written as 1.
    pub(super) fn report_reserved(&mut self, register: Option<&Definition>, bits: u64) {
        self.referee
            .report(Rule::ReservedRegisterBit, place(register).into(), || {
                format!(
                    "{}: bits {bits:016x}h that this part does not have were written as 1",
                    describe(register)
                )
            });
    }
}

impl Registers {
    /// What software reads. Feature registers hold no state and read 0 here.
    fn value(&self, kind: Kind) -> u64 {
        match kind {
            Kind::DeviceTable(segment) => self.device_table_register(segment),
            Kind::Base(queue) => self.ring(queue).register(),
            Kind::Head(queue) => self.ring(queue).head.into(),
            Kind::Tail(queue) => self.ring(queue).tail.into(),
            Kind::Control => self.control.0,
            Kind::ExclusionBase => self.exclusion[0],
            Kind::ExclusionLimit => self.exclusion[1] | 0xfff,
            Kind::HardwareEvent(0) => self.hardware_error[0],
            Kind::HardwareEvent(_) => self.hardware_error[1],
            Kind::HardwareEventStatus => self.hardware_error[2],
            Kind::Status => self.status.0,
            Kind::Features | Kind::Features2 | Kind::ViommuStatus => 0,
        }
    }

    fn device_table_register(&self, segment: u8) -> u64 {
        self.device_table
            .get(usize::from(segment))
            .copied()
            .unwrap_or(0)
    }

    fn ring(&self, queue: Queue) -> &super::Ring {
        match queue {
            Queue::Command => &self.command,
            Queue::Event => &self.event,
        }
    }
}

/// Where counters and referee file a register.
fn place(register: Option<&Definition>) -> u32 {
    register.map_or(OTHER, |register| register.offset)
}

fn describe(register: Option<&Definition>) -> String {
    match register {
        Some(register) => format!("register {:04x}h ({})", register.offset, register.name),
        None => "an offset without a register".into(),
    }
}
