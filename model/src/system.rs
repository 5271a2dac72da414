// SPDX-License-Identifier: GPL-2.0

//! What the IOMMU sees of the machine around it.

/// How often an object that changes under the reader is read again.
const ROUNDS: usize = 8;

/// Reads an object of several words until two reads agree.
///
/// Hardware reads it in one access (hardware.md 3.3), but a machine that runs the model may read
/// it piece by piece while a processor writes its parts. Software that changes it all the time
/// gets the last one.
///
/// # Errors
///
/// Those of `read`.
pub(crate) fn read_whole<T: PartialEq, E>(mut read: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut found = read()?;
    for _ in 0..ROUNDS {
        let again = read()?;
        if again == found {
            break;
        }
        found = again;
    }
    Ok(found)
}

/// The machine: system memory, interrupt delivery and time.
///
/// Only memory answers. An address that belongs to a device, or to nothing, is an [`Abort`]:
/// so the IOMMU can never be made to access its own registers.
pub trait System {
    /// Reads `buffer.len()` bytes at a system physical address, as one access.
    ///
    /// # Errors
    ///
    /// [`Abort`] if a part of the range is not memory; the buffer is then undefined.
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> Result<(), Abort>;

    /// Writes `bytes` at a system physical address, as one access.
    ///
    /// # Errors
    ///
    /// [`Abort`] if a part of the range is not memory; nothing is then written.
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Abort>;

    /// Replaces the 64-bit value at an aligned address by `new` if it is `old`, atomically with
    /// respect to the processors. Returns the value found.
    ///
    /// # Errors
    ///
    /// [`Abort`] if the address is not memory.
    fn compare_exchange(&mut self, address: u64, old: u64, new: u64) -> Result<u64, Abort>;

    /// Delivers an interrupt of the IOMMU itself.
    fn interrupt(&mut self, interrupt: Interrupt);

    /// Nanoseconds since an arbitrary start. Never goes back.
    fn now(&self) -> u64;

    /// Asks for [`crate::Iommu::run`] to be called at `time` or soon after. A later request
    /// replaces an earlier one.
    fn wake(&mut self, time: u64);

    /// Reads a little-endian 64-bit value.
    ///
    /// # Errors
    ///
    /// As [`System::read`].
    fn read_u64(&mut self, address: u64) -> Result<u64, Abort> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes a little-endian 64-bit value.
    ///
    /// # Errors
    ///
    /// As [`System::write`].
    fn write_u64(&mut self, address: u64, value: u64) -> Result<(), Abort> {
        self.write(address, &value.to_le_bytes())
    }
}

/// Nothing answered an access to system memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort;

/// An interrupt of the IOMMU function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The message that software programmed into the MSI capability, with this message number.
    Msi {
        /// MsiNum of the capability block: which message of the function.
        number: u8,
    },
    /// A message composed from an XT interrupt control register (IntCapXTEn = 1).
    Message {
        /// Address of the message, with destination bits 31:8 of an x2APIC ID in 63:40.
        address: u64,
        /// Vector and delivery mode as in MSI data.
        data: u32,
    },
}
