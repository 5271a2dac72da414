// SPDX-License-Identifier: GPL-2.0

//! Pointer arithmetic of the command buffer and the event log (hardware reference 3.9, Rings).
//!
//! A pointer is a byte offset, as in the hardware's registers. It is a multiple of 16 and below the
//! size of the ring; equal pointers mean an empty ring, so one entry always stays unused.

/// The bytes of one command or event.
pub const ENTRY_BYTES: u32 = 16;

/// Bits that a head or tail register has, 18:4.
const POINTER: u64 = 0x7_FFF0;

/// The shape of a ring.
///
/// # Invariants
///
/// `mask` is one less than the size in bytes, which is a power of two and at least two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    mask: u32,
}

impl Ring {
    /// A ring of `bytes` bytes; `None` unless that is a power of two that holds two entries or
    /// more.
    pub const fn new(bytes: u32) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= 2 * ENTRY_BYTES {
            // INVARIANT: Just checked.
            Some(Self { mask: bytes - 1 })
        } else {
            None
        }
    }

    /// How many entries there is room for in memory. One less can be in use.
    pub const fn entries(self) -> u32 {
        self.capacity() + 1
    }

    /// How many entries can be in use.
    const fn capacity(self) -> u32 {
        self.mask / ENTRY_BYTES
    }

    /// The pointer in a head or tail register, or `None` if it lies outside the ring: a device that
    /// is gone reads as ones.
    pub fn pointer(self, register: u64) -> Option<u32> {
        let offset = u32::try_from(register & POINTER).ok()?;

        (register != u64::MAX && offset <= self.mask).then_some(offset)
    }

    /// The index of the entry at `pointer`, always below [`Ring::entries`].
    pub const fn index(self, pointer: u32) -> usize {
        (self.wrap(pointer) / ENTRY_BYTES) as usize
    }

    /// The pointer `entries` entries behind `pointer`.
    pub const fn advance(self, pointer: u32, entries: u32) -> u32 {
        self.wrap(pointer.wrapping_add(entries.wrapping_mul(ENTRY_BYTES)))
    }

    /// The pointer one entry behind `pointer`.
    pub const fn next(self, pointer: u32) -> u32 {
        self.advance(pointer, 1)
    }

    /// How many entries lie from `from` up to, but not including, `to`.
    pub const fn distance(self, from: u32, to: u32) -> u32 {
        self.wrap(to.wrapping_sub(from)) / ENTRY_BYTES
    }

    /// How many more entries can be written.
    pub const fn free(self, head: u32, tail: u32) -> u32 {
        self.capacity().saturating_sub(self.distance(head, tail))
    }

    /// Whether nothing more can be written: one more entry would make the ring look empty.
    pub const fn is_full(self, head: u32, tail: u32) -> bool {
        self.free(head, tail) == 0
    }

    /// Finds the command that stopped the engine, by its physical address as event 5 names it, in a
    /// ring at `base` with the register values `head` and `tail`.
    ///
    /// Where the head stands then is OQ-33: on the failed command, behind it, or at the tail. The
    /// engine fetches again from the head, so it has to be put back on the failed command, or what
    /// lies between the two is lost.
    ///
    /// Returns `None` if `failed` is not the address of a command in the ring that may have been
    /// fetched.
    pub fn failed(self, base: u64, failed: u64, head: u32, tail: u32) -> Option<u32> {
        let offset = u32::try_from(failed.checked_sub(base)?).ok()?;
        if offset > self.mask || offset % ENTRY_BYTES != 0 {
            return None;
        }
        // Nothing between head and tail has been fetched, except that the head may be the failed
        // command.
        let fetched = offset != tail && self.distance(offset, tail) >= self.distance(head, tail);
        fetched.then_some(offset)
    }

    /// Maps any number to a pointer inside the ring.
    const fn wrap(self, offset: u32) -> u32 {
        offset & self.mask & !(ENTRY_BYTES - 1)
    }
}
