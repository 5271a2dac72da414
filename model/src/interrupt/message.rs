// SPDX-License-Identifier: GPL-2.0

//! What a message says, in the layout that processors of this family use.

use crate::bits::mask;
use crate::interrupt::Target;
use crate::request::{Access, Delivery, Message, Request};

/// FEE0_0000h.
const BASE: u64 = 0xfee0_0000;
/// Redirection hint, in the address.
const HINT: u64 = 1 << 3;
/// Destination mode, in the address.
const LOGICAL: u64 = 1 << 2;
/// Level and trigger mode, in the data.
const TRIGGER: u32 = mask(15, 14) as u32;

/// Delivery mode, as far as it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Fixed or lowest priority.
    Vectored,
    Smi,
    Nmi,
    Init,
    /// ExtInt.
    External,
    Reserved,
}

impl Message {
    /// The message as it came.
    pub(super) fn untouched(&self) -> Delivery {
        Delivery::Send {
            address: self.address,
            data: self.data,
        }
    }

    /// The same interrupt at another place. What the table says nothing of stays as it came.
    pub(super) fn sent_to(&self, target: Target) -> Delivery {
        let (address, data) = target.message();
        Delivery::Send {
            address: address | self.address & HINT,
            data: data | self.data & TRIGGER,
        }
    }

    /// The write that carries the message.
    pub(super) fn request(&self) -> Request {
        Request {
            requester: self.requester,
            address: self.address,
            access: Access::Write,
            pasid: self.pasid,
            privileged: false,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self.data >> 8 & 7 {
            0 | 1 => Mode::Vectored,
            2 => Mode::Smi,
            4 => Mode::Nmi,
            5 => Mode::Init,
            7 => Mode::External,
            _ => Mode::Reserved,
        }
    }

    pub(super) fn is_logical(&self) -> bool {
        self.address & LOGICAL != 0
    }

    /// Index into the interrupt table.
    pub(super) fn index(&self) -> u32 {
        self.data & 0x7ff
    }
}

impl Target {
    /// Address and data of the message that goes there: edge, no hint.
    pub(crate) fn message(self) -> (u64, u32) {
        let destination = u64::from(self.destination);
        let address = BASE
            | (destination & 0xff) << 12
            | (destination >> 8) << 40
            | u64::from(self.logical) * LOGICAL;
        let data = u32::from(self.lowest_priority) << 8 | u32::from(self.vector);
        (address, data)
    }
}
