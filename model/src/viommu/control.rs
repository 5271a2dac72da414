// SPDX-License-Identifier: GPL-2.0

//! The VF control aperture: 64 bytes of registers for each guest (hardware.md 6.2).
//!
//! Sources show 64-bit accesses; a 32-bit write is merged with the other half as in the base map.
//! Reads give back what the register holds (OQ-29). Bit 63 of the two map registers starts an update,
//! which is done when the write returns, or in an asynchronous model when the block is read
//! (OQ-20), so it reads as 0.
//!
//! While CmdBufRun = 1 a write leaves base and length of the command buffer as they are, unless
//! it clears CmdBufEn, and likewise for the event log: the rule of the base registers of the host
//! (3.2), because none is stated.

use super::guest::Guest;
use super::maps::Map;
use super::Part;
use crate::bits::{bit, field, mask};
use crate::config::{ControlRead, ControlReset, MapRead, MiscBits, Readings};
use crate::counters::Aperture;
use crate::registers::status::{COMMAND_RUN, EVENT_RUN};
use crate::system::System;
use crate::Iommu;

/// Size of the control block of one guest.
const BLOCK_SIZE: u64 = 0x40;

/// CmdBufEn of GUEST_CMD_CONTROL, EventLogEn of GUEST_EVT_CONTROL.
const ENABLE: u32 = 8;
/// ComWaitIntEn of GUEST_CMD_CONTROL, EventIntEn of GUEST_EVT_CONTROL.
const INTERRUPT_ENABLE: u32 = 9;

/// A register of the control block; the number is its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// 00h GUEST_DID_MAP_CONTROL0.
    DeviceMap = 0,
    /// 08h GUEST_DID_MAP_CONTROL1.
    DomainMap = 1,
    /// 10h GUEST_MISC_CONTROL.
    Misc = 2,
    /// 18h event log B base.
    EventB = 3,
    /// 20h GUEST_CMD_CONTROL.
    Command = 4,
    /// 28h GUEST_EVT_CONTROL.
    Event = 5,
    /// 30h GUEST_PPR_CONTROL.
    Requests = 6,
    /// 38h PPR log B base.
    RequestsB = 7,
}

impl Register {
    /// Base address in registers 18h, 20h, 28h and 38h.
    pub const BASE: u64 = mask(51, 12);
    /// Length code in registers 20h and 28h.
    pub const LENGTH: u64 = mask(3, 0);

    const ALL: [Register; 8] = [
        Register::DeviceMap,
        Register::DomainMap,
        Register::Misc,
        Register::EventB,
        Register::Command,
        Register::Event,
        Register::Requests,
        Register::RequestsB,
    ];

    /// The register that an offset into a control block lies in.
    fn at(offset: u64) -> Self {
        let index = (offset / 8) as usize % 8;
        Self::ALL.get(index).copied().unwrap_or(Self::DeviceMap)
    }

    /// Offset in the block.
    pub const fn offset(self) -> u64 {
        self as u64 * 8
    }

    /// Bits that hold what is written to them.
    fn stored(self, misc: MiscBits) -> u64 {
        match self {
            Register::DeviceMap | Register::DomainMap => mask(61, 46) | mask(29, 14) | 1,
            Register::Misc if misc == MiscBits::Kept => u64::MAX,
            Register::Misc => mask(31, 16),
            Register::EventB | Register::RequestsB => Self::BASE,
            Register::Command => Self::BASE | mask(9, 8) | Self::LENGTH,
            Register::Event => Self::BASE | mask(11, 0),
            Register::Requests => mask(55, 0),
        }
    }

    /// Bits whose meaning is known.
    fn known(self) -> u64 {
        match self {
            Register::DeviceMap | Register::DomainMap => self.stored(MiscBits::Zero) | 1 << 63,
            _ => self.stored(MiscBits::Zero),
        }
    }

    /// Bits that a read shows of what the register holds.
    fn readable(self, readings: &Readings) -> u64 {
        let hidden = match self {
            Register::DeviceMap | Register::DomainMap => {
                return match readings.map_read {
                    MapRead::Value => u64::MAX,
                    MapRead::Zero => 0,
                };
            }
            Register::Command => mask(9, 8),
            Register::Event => mask(11, 8),
            Register::Requests => mask(15, 8),
            Register::Misc | Register::EventB | Register::RequestsB => 0,
        };
        match readings.control_read {
            ControlRead::Value => u64::MAX,
            ControlRead::Zero => !hidden,
        }
    }

    /// The engine whose flag an event about this register carries.
    fn part(self) -> Part {
        match self {
            Register::DeviceMap | Register::DomainMap | Register::Misc | Register::Command => {
                Part::Commands
            }
            Register::EventB | Register::Event => Part::Events,
            Register::Requests | Register::RequestsB => Part::Requests,
        }
    }
}

/// The eight registers of a control block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block([u64; 8]);

impl Block {
    /// Value of a register.
    pub fn get(&self, register: Register) -> u64 {
        self.0.get(register as usize).copied().unwrap_or(0)
    }

    /// Replaces the value of a register.
    pub fn set(&mut self, register: Register, value: u64) {
        if let Some(slot) = self.0.get_mut(register as usize) {
            *slot = value;
        }
    }

    /// CmdBufEn or EventLogEn.
    pub fn enabled(&self, register: Register) -> bool {
        bit(self.get(register), ENABLE)
    }

    /// ComWaitIntEn or EventIntEn.
    pub fn interrupt_enabled(&self, register: Register) -> bool {
        bit(self.get(register), INTERRUPT_ENABLE)
    }

    /// TransDevID.
    pub fn translate_id(&self) -> u16 {
        field(self.get(Register::Misc), 31, 16) as u16
    }

    /// The registers as they lie in memory.
    pub fn to_bytes(self) -> [u8; BLOCK_SIZE as usize] {
        let mut bytes = [0; BLOCK_SIZE as usize];
        for (slot, value) in bytes.chunks_exact_mut(8).zip(self.0) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }
}

/// The guest whose control block an aperture offset lies in.
fn guest_of(offset: u64) -> Option<u16> {
    u16::try_from(offset / BLOCK_SIZE).ok()
}

/// Aligned accesses of 4 and 8 bytes are the only ones.
pub(super) fn is_regular(offset: u64, size: u8) -> bool {
    matches!(size, 4 | 8) && offset % u64::from(size) == 0
}

/// The part of a register that an access of `size` bytes at `offset` reads.
pub(super) fn part_of(register: u64, offset: u64, size: u8) -> u64 {
    match (size, offset % 8) {
        (8, _) => register,
        (_, 0) => field(register, 31, 0),
        _ => field(register, 63, 32),
    }
}

/// The register after a write of `size` bytes at `offset`, with its other half as it was.
pub(super) fn merged(register: u64, offset: u64, size: u8, value: u64) -> u64 {
    match (size, offset % 8) {
        (8, _) => value,
        (_, 0) => (register & mask(63, 32)) | (value & mask(31, 0)),
        _ => (register & mask(31, 0)) | (value << 32),
    }
}

impl Iommu {
    /// Reads the VF control aperture; `offset` is that from its base.
    pub fn vf_control_read(&mut self, system: &mut dyn System, offset: u64, size: u8) -> u64 {
        let Some(gid) = self.control_access(offset, size) else {
            return 0;
        };
        let register = Register::at(offset);
        self.count_control(register).reads += 1;
        self.finish_updates(system, Some(gid));
        let readable = register.readable(&self.config.readings);
        let value = self.guests.look(gid).block.get(register) & readable;
        part_of(value, offset, size)
    }

    /// Writes the VF control aperture.
    pub fn vf_control_write(&mut self, system: &mut dyn System, offset: u64, size: u8, value: u64) {
        self.judge_map_gate(offset);
        let Some(gid) = self.control_access(offset, size) else {
            return;
        };
        let register = Register::at(offset);
        self.count_control(register).writes += 1;
        let old = self.guests.look(gid).block.get(register);
        self.write_block(system, gid, register, merged(old, offset, size, value));
    }

    /// The guest that an access is for, if the aperture answers it.
    fn control_access(&mut self, offset: u64, size: u8) -> Option<u16> {
        if !self.apertures_live() {
            return None;
        }
        let gid = guest_of(offset)?;
        if !is_regular(offset, size) {
            self.judge_width(offset, size);
            return None;
        }
        Some(gid)
    }

    /// A write of a map register that the aperture drops or ignores (OQ-39).
    fn judge_map_gate(&mut self, offset: u64) {
        let map = matches!(
            Register::at(offset),
            Register::DeviceMap | Register::DomainMap
        );
        let closed = self.config.features.viommu() && !self.viommu_on();
        if let Some(gid) = guest_of(offset).filter(|_| map && closed) {
            self.judge_map_closed(gid);
        }
    }

    fn count_control(&mut self, register: Register) -> &mut crate::counters::Accesses {
        let key = (Aperture::VfControl, register.offset() as u32);
        self.counters.registers.entry(key).or_default()
    }

    fn write_block(&mut self, system: &mut dyn System, gid: u16, register: Register, value: u64) {
        let old = self.guests.look(gid).block.get(register);
        self.judge_reserved(gid, register, value & !register.known() & !old);
        self.judge_reset(gid);
        match register {
            Register::DeviceMap => self.write_map(system, gid, Map::Device, value),
            Register::DomainMap => self.write_map(system, gid, Map::Domain, value),
            _ => {
                self.store_control(system, gid, register, value);
                self.save_block(system, gid, register.part());
                self.refresh_guest(system, gid);
                self.guest_commands_ready(gid);
                self.start_guests(system);
            }
        }
    }

    /// A write to a map register. While the vIOMMU is off it is dropped whole (OQ-39): nothing
    /// could reach the table.
    fn write_map(&mut self, system: &mut dyn System, gid: u16, map: Map, value: u64) {
        if !self.viommu_on() {
            return;
        }
        let (register, stored) = (map.register(), map.register().stored(MiscBits::Zero));
        self.guests.touch(gid).block.set(register, value & stored);
        if bit(value, 63) {
            self.start_update(system, gid, map, value);
        }
    }

    fn store_control(&mut self, system: &mut dyn System, gid: u16, register: Register, value: u64) {
        let value = value & register.stored(self.config.readings.misc_bits);
        match register {
            Register::Command => self.store_ring(gid, register, COMMAND_RUN, value),
            Register::Event => self.store_ring(gid, register, EVENT_RUN, value),
            Register::Misc => self.store_misc(system, gid, value),
            _ => self.guests.touch(gid).block.set(register, value),
        }
    }

    fn store_ring(&mut self, gid: u16, register: Register, run: u64, value: u64) {
        let place = Register::BASE | Register::LENGTH;
        let old = self.guests.look(gid).block;
        let moved = (old.get(register) ^ value) & place != 0;
        let stays_on = old.enabled(register) && bit(value, ENABLE);
        if moved && stays_on {
            self.judge_busy(gid, "A queue");
        }
        let resets = self.config.readings.control_reset == ControlReset::Resets;
        let guest = self.guests.touch(gid);
        if stays_on && guest.status.has(run) {
            let kept = old.get(register) & place;
            guest.block.set(register, kept | (value & !place));
        } else {
            guest.block.set(register, value);
            if moved && resets {
                reset_pointers(guest, register);
            }
        }
    }

    fn store_misc(&mut self, system: &mut dyn System, gid: u16, value: u64) {
        let guest = self.guests.touch(gid);
        let block = guest.block;
        guest.block.set(Register::Misc, value);
        let id = guest.block.translate_id();
        if id == 0 && block.translate_id() != 0 {
            guest.reset = false;
        }
        let enabled = block.enabled(Register::Command) || block.enabled(Register::Event);
        if enabled && id != block.translate_id() {
            self.judge_busy(gid, "The translate device ID");
            self.judge_translate_id(system, gid);
        }
    }
}

/// OQ-40: a base or length was moved, and with it go the pointers.
fn reset_pointers(guest: &mut Guest, register: Register) {
    let pointers = &mut guest.pointers;
    if register == Register::Command {
        (pointers.command_head, pointers.command_tail) = (0, 0);
    } else {
        (pointers.event_head, pointers.event_tail) = (0, 0);
    }
}
