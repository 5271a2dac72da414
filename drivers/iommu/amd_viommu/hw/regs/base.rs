// SPDX-License-Identifier: GPL-2.0

//! The registers that tell the hardware where its tables are (hardware reference 3.1).

/// Bits that an address in a base register or a table pointer can have.
const ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// What an address and a length are a multiple of.
const PAGE: usize = 4096;

/// Returns `phys` if a base register can hold it.
fn checked_address(phys: u64) -> Option<u64> {
    (phys & !ADDRESS == 0).then_some(phys)
}

bitfield! {
    /// Device table base address, MMIO 0000h.
    pub struct DevTabBase(u64) {
        /// Length of the table in pages of 4 KiB, minus one.
        8:0 size, with_size: u16;
    }
}

impl DevTabBase {
    /// The smallest table, 128 entries.
    pub const MIN_BYTES: usize = PAGE;

    /// The table that holds every device ID there can be.
    pub const MAX_BYTES: usize = 2 << 20;

    /// Describes a table of `bytes` bytes at `phys`, which includes the encryption bit if there is
    /// one.
    ///
    /// Returns `None` if the address is not aligned to a page or too large, or if the size is not a
    /// multiple of 4 KiB up to 2 MiB.
    pub fn new(phys: u64, bytes: usize) -> Option<Self> {
        let address = checked_address(phys)?;
        if bytes % PAGE != 0 || bytes > Self::MAX_BYTES {
            return None;
        }
        let size = u16::try_from((bytes / PAGE).checked_sub(1)?).ok()?;

        Some(Self(address).with_size(size))
    }

    /// The bytes that a table needs to have an entry for every device ID up to `max_devid`.
    pub fn bytes_for(max_devid: u16) -> usize {
        ((usize::from(max_devid) + 1) * crate::dte::Dte::BYTES).next_multiple_of(PAGE)
    }

    /// The address of the table.
    pub fn address(self) -> u64 {
        self.0 & ADDRESS
    }

    /// The register without the bits that it does not have.
    #[must_use]
    pub fn legal(self) -> Self {
        Self(self.address()).with_size(self.size())
    }

    /// The size of the table in bytes.
    pub fn bytes(self) -> usize {
        (usize::from(self.size()) + 1) * PAGE
    }
}

bitfield! {
    /// Command buffer or event log base address, MMIO 0008h and 0010h.
    pub struct RingBase(u64) {
        /// Length code: the ring has 16 << code bytes. Legal are 8 to 15.
        59:56 len_code, with_len_code: u8;
    }
}

impl RingBase {
    /// The smallest ring, 256 entries.
    pub const MIN_BYTES: usize = PAGE;

    /// The largest ring, 32768 entries.
    pub const MAX_BYTES: usize = 512 << 10;

    /// Describes a ring of `bytes` bytes at `phys`, which includes the encryption bit if there is
    /// one.
    ///
    /// Returns `None` if the address is not aligned to a page or too large, or if the size is not a
    /// power of two from 4 KiB to 512 KiB.
    pub fn new(phys: u64, bytes: usize) -> Option<Self> {
        let address = checked_address(phys)?;
        if !bytes.is_power_of_two() || !(Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes) {
            return None;
        }
        let code = u8::try_from(bytes.trailing_zeros()).ok()?.checked_sub(4)?;

        Some(Self(address).with_len_code(code))
    }

    /// The address of the ring.
    pub fn address(self) -> u64 {
        self.0 & ADDRESS
    }

    /// The register without the bits that it does not have.
    #[must_use]
    pub fn legal(self) -> Self {
        Self(self.address()).with_len_code(self.len_code())
    }

    /// Whether the length code is one that hardware accepts.
    pub fn has_length(self) -> bool {
        self.bytes() >= Self::MIN_BYTES
    }

    /// The size of the ring in bytes.
    pub fn bytes(self) -> usize {
        16 << self.len_code()
    }
}
