// SPDX-License-Identifier: GPL-2.0

//! The registers that the host has for each guest (hardware reference 6.1 to 6.3).
//!
//! Offsets count from the guest's block of 64 bytes. All registers are read and written as 64 bits.
//! Enables and addresses share registers, so a register is changed only by the setters of its type,
//! on the value that was written last.

/// Changes the guest's device map, see [`DidMap::device`].
pub const DEVICE_MAP: usize = 0x00;
/// Changes the guest's domain map, see [`DidMap::domain`].
pub const DOMAIN_MAP: usize = 0x08;
/// Miscellaneous, see [`Misc`].
pub const MISC: usize = 0x10;
/// The guest's command buffer, see [`CmdControl`].
pub const CMD_CONTROL: usize = 0x20;
/// The guest's event log, see [`EvtControl`].
pub const EVT_CONTROL: usize = 0x28;

/// Offsets in the VF page, which is the guest's register page 2000h.
pub mod page {
    /// Head of the command buffer. Written only while commands are not fetched.
    pub const CMD_HEAD: usize = 0x00;
    /// Tail of the command buffer.
    pub const CMD_TAIL: usize = 0x08;
    /// Head of the event log.
    pub const EVENT_HEAD: usize = 0x10;
    /// Tail of the event log.
    pub const EVENT_TAIL: usize = 0x18;
    /// Status, see [`Status`](crate::regs::Status).
    pub const STATUS: usize = 0x20;
}

bitfield! {
    /// GUEST_DID_MAP_CONTROL0 and 1: a write changes one entry of a map.
    ///
    /// Whether the write has taken effect when it returns is OQ-20. A read of the same register
    /// behind it is the barrier.
    pub struct DidMap(u64) {
        /// Valid: the entry resolves.
        0:0 valid, with_valid: bool;
        /// What the hardware uses.
        29:14 host_id, with_host_id: u16;
        /// What the guest uses.
        61:46 guest_id, with_guest_id: u16;
        /// Write: execute.
        63:63 write, with_write: bool;
    }
}

impl DidMap {
    /// Lets a guest's device or domain ID stand for one of the host's.
    pub fn set(guest_id: u16, host_id: u16) -> Self {
        Self::default()
            .with_write(true)
            .with_valid(true)
            .with_guest_id(guest_id)
            .with_host_id(host_id)
    }
}

bitfield! {
    /// GUEST_MISC_CONTROL. Bits without a name are written as 0 (OQ-16).
    pub struct Misc(u64) {
        /// TransDevID: whose device table entry translates the guest's addresses.
        31:16 translate_id, with_translate_id: u16;
    }
}

bitfield! {
    /// GUEST_CMD_CONTROL: the guest's command buffer.
    pub struct CmdControl(u64) {
        /// Length code, as in [`RingBase`](crate::regs::RingBase).
        3:0 len_code, with_len_code: u8;
        /// CmdBufEn: fetch commands.
        8:8 cmd_buf_en, with_cmd_buf_en: bool;
        /// ComWaitIntEn: interrupt when a COMPLETION_WAIT asks for it.
        9:9 com_wait_int_en, with_com_wait_int_en: bool;
        /// Address bits 51:12.
        51:12 base, with_base: u64;
    }
}

bitfield! {
    /// GUEST_EVT_CONTROL: the guest's event log.
    pub struct EvtControl(u64) {
        /// Length code, as in [`RingBase`](crate::regs::RingBase).
        3:0 len_code, with_len_code: u8;
        /// EventLogEn: log events.
        8:8 event_log_en, with_event_log_en: bool;
        /// EventIntEn: interrupt when an event has been logged or lost.
        9:9 event_int_en, with_event_int_en: bool;
        /// Address bits 51:12.
        51:12 base, with_base: u64;
    }
}

/// The registers that let a queue run.
pub const QUEUES: [usize; 2] = [CMD_CONTROL, EVT_CONTROL];

/// The value of such a register whose queue does not run. Other registers keep theirs.
pub fn stopped(offset: usize, value: u64) -> u64 {
    match offset {
        CMD_CONTROL => CmdControl(value).with_cmd_buf_en(false).0,
        EVT_CONTROL => EvtControl(value).with_event_log_en(false).0,
        _ => value,
    }
}
