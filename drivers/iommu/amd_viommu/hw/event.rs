// SPDX-License-Identifier: GPL-2.0

//! The events that the hardware logs (hardware reference 3.5).
//!
//! [`RawEvent`] is an entry of the log, [`Event`] what it means. An event prints as the part of a
//! log line that follows the name of the event and the device: `key=value` fields, then the cause
//! in words.

mod flags;
mod kind;
mod line;

pub use flags::{Engine, Flags};
pub use kind::Kind;

bitfield! {
    /// An event as it lies in the log, `dw0` to `dw3`.
    ///
    /// Only the fields that several events share have a name here. Which of them an event has,
    /// [`Event`] knows.
    pub struct RawEvent([u32; 4]) {
        /// Code of the event; 0 if the hardware has not written the entry yet.
        1 31:28 code: u8;
        /// Device ID.
        0 15:0 device_id: u16;
        /// Bits 19:16 of the PASID.
        0 19:16 pasid_high: u32;
        /// Which part of the vIOMMU engine failed, if one did.
        0 31:27 engine: u8;
        /// Domain ID, or bits 15:0 of the PASID.
        1 15:0 domain_id: u16;
        /// All flags.
        1 27:16 flags: u16;
        /// GN: a guest translation; tells a PASID from a domain ID.
        1 16:16 gn: bool;
        /// Type of a hardware error.
        1 26:25 error_type: u8;
        /// Low half of the address.
        2 31:0 address_low: u32;
        /// High half of the address.
        3 31:0 address_high: u32;
    }
}

/// Fields that a single kind of event has in a place of its own.
mod own {
    bitfield! {
        /// INVALID_DEVICE_REQUEST.
        pub(super) struct DeviceRequest([u32; 4]) {
            /// Type.
            1 27:25 request_type: u8;
        }
    }

    bitfield! {
        /// INVALID_PPR_REQUEST.
        pub(super) struct PprRequest([u32; 4]) {
            /// Bits 15:0 of the PASID.
            0 31:16 pasid_low: u32;
            /// Tag of the page request.
            1 9:0 tag: u16;
            /// Bits 19:16 of the PASID.
            1 13:10 pasid_high: u32;
            /// GN.
            1 25:25 gn: bool;
        }
    }

    bitfield! {
        /// EVENT_COUNTER_ZERO.
        pub(super) struct CounterZero([u32; 4]) {
            /// Bits 51:32 of the note of the counter.
            2 19:0 note_high: u64;
            /// Bits 31:0 of the note of the counter.
            3 31:0 note_low: u64;
        }
    }

    bitfield! {
        /// VIOMMU_HARDWARE_ERROR.
        pub(super) struct ViommuError([u32; 4]) {
            /// Source of the error; what the numbers mean is OQ-9.
            0 17:16 source: u8;
        }
    }

    bitfield! {
        /// RMP_PAGE_FAULT.
        pub(super) struct RmpFault([u32; 4]) {
            /// RMP flags.
            0 23:16 rmp_flags: u8;
        }
    }
}

/// A decoded event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    kind: Kind,
    raw: RawEvent,
}

impl RawEvent {
    /// Whether the tail has moved past the entry before its content arrived (hardware reference
    /// 3.2, erratum 732). The reader tries again, and zeroes each entry that it has consumed.
    pub fn pending(self) -> bool {
        self.code() == 0
    }

    /// Tells what the entry means.
    pub fn decode(self) -> Event {
        Event {
            kind: Kind::from(self.code()),
            raw: self,
        }
    }
}

impl Event {
    /// What happened.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// AMD's name of what happened.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Code of what happened.
    pub fn code(&self) -> u8 {
        self.raw.code()
    }

    /// The device that the event is about.
    pub fn device_id(&self) -> Option<u16> {
        self.kind.has_device().then(|| self.raw.device_id())
    }

    /// The domain of the device at that time.
    pub fn domain_id(&self) -> Option<u16> {
        (self.kind.has_domain() && !self.raw.gn()).then(|| self.raw.domain_id())
    }

    /// The process address space of the request. Requests without one have none here, instead of 0.
    pub fn pasid(&self) -> Option<u32> {
        let own = own::PprRequest(self.raw.0);

        match self.kind {
            Kind::InvalidPprRequest => own.gn().then(|| (own.pasid_high() << 16) | own.pasid_low()),
            kind => (kind.has_pasid() && self.raw.gn())
                .then(|| (self.raw.pasid_high() << 16) | u32::from(self.raw.domain_id())),
        }
    }

    /// The guest that the event is about.
    pub fn guest_id(&self) -> Option<u16> {
        match self.kind {
            Kind::GuestEventFault => Some(self.raw.domain_id()),
            Kind::ViommuHardwareError => Some(self.raw.device_id()),
            _ => None,
        }
    }

    /// The address that the request was for, or that the hardware failed to reach.
    ///
    /// For commands it is a physical address.
    pub fn address(&self) -> Option<u64> {
        let address =
            (u64::from(self.raw.address_high()) << 32) | u64::from(self.raw.address_low());

        match self.kind {
            Kind::IllegalCommandError | Kind::IotlbInvTimeout => Some(address & !0xF),
            kind => kind.has_address().then_some(address),
        }
    }

    /// The flags of the event.
    pub fn flags(&self) -> Flags {
        Flags::new(self.kind, self.raw.flags())
    }

    /// The bits of `dw1[27:16]` as the hardware wrote them.
    pub fn all_flags(&self) -> u16 {
        self.raw.flags()
    }

    /// The part of the vIOMMU engine that failed, if one did.
    pub fn engine(&self) -> Engine {
        Engine::new(self.kind, self.raw.engine())
    }

    /// The type of a hardware error or of an invalid request.
    pub fn error_type(&self) -> Option<u8> {
        match self.kind {
            Kind::InvalidDeviceRequest => Some(own::DeviceRequest(self.raw.0).request_type()),
            kind => kind.has_error_type().then(|| self.raw.error_type()),
        }
    }
}
