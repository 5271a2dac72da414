// SPDX-License-Identifier: GPL-2.0

//! A ring of 16-byte entries: base, length, head and tail. The host's command buffer and event
//! log, and those of the guests.

use crate::bits::{field, mask};

/// Base, length and pointers of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Address of the first entry.
    pub base: u64,
    /// Length code: `16 << code` bytes, 8 to 15.
    pub code: u8,
    /// Byte offset of the first entry in use.
    pub head: u32,
    /// Byte offset behind the last entry in use.
    pub tail: u32,
}

impl Default for Ring {
    fn default() -> Self {
        Ring {
            base: 0,
            code: 8,
            head: 0,
            tail: 0,
        }
    }
}

impl Ring {
    /// Address of the entry at the head.
    pub fn at_head(&self) -> u64 {
        self.base.wrapping_add(u64::from(self.head))
    }

    /// An empty ring as a base register describes it; `None` if its length code does not exist.
    pub fn from_register(value: u64) -> Option<Self> {
        let code = field(value, 59, 56) as u8;
        (code >= 8).then(|| Ring {
            base: value & mask(51, 12),
            code,
            head: 0,
            tail: 0,
        })
    }

    /// Value of the base register.
    pub fn register(&self) -> u64 {
        self.base | u64::from(self.code) << 56
    }

    /// Size in bytes. A code outside 8 to 15 counts as the nearest legal one.
    pub fn bytes(&self) -> u32 {
        16 << self.code.clamp(8, 15)
    }

    /// The pointer behind `pointer`.
    pub fn after(&self, pointer: u32) -> u32 {
        (pointer.wrapping_add(16)) & (self.bytes() - 1)
    }

    /// Nothing is in the ring.
    pub fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// No entry fits any more.
    pub fn is_full(&self) -> bool {
        self.after(self.tail) == self.head
    }

    /// Bytes from one pointer forward to another.
    pub fn distance(&self, from: u32, to: u32) -> u32 {
        to.wrapping_sub(from) & (self.bytes() - 1)
    }

    /// Bytes in use.
    pub fn used(&self) -> u32 {
        self.distance(self.head, self.tail)
    }

    /// Bytes that can still be filled. One entry stays free, or a full ring would read as empty.
    pub fn free(&self) -> u32 {
        self.distance(self.after(self.tail), self.head)
    }

    /// Takes a pointer value that software wrote; `false` if it lies outside the ring.
    pub fn set_pointer(target: &mut u32, bytes: u32, value: u64) -> bool {
        let pointer = (value & 0x7_fff0) as u32;
        if pointer >= bytes {
            return false;
        }
        *target = pointer;
        true
    }
}
