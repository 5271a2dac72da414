// SPDX-License-Identifier: GPL-2.0

//! Requester IDs that no device has, and that are used for something else: the hardware reaches a
//! guest's memory by one. A device that appears under such an ID must not be claimed.

use kernel::{new_mutex, prelude::*, sync::Mutex};

/// The IDs of one IOMMU.
#[pin_data]
pub(super) struct Spares {
    #[pin]
    taken: Mutex<KVec<u16>>,
}

impl Spares {
    /// None.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            taken <- new_mutex!(KVec::new(), "amd_viommu::spares"),
        })
    }

    /// Takes an ID that `choose` finds; it is given the IDs that are taken.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when it finds none, `ENOMEM`.
    pub(super) fn take(&self, choose: impl FnOnce(&[u16]) -> Option<u16>) -> Result<u16> {
        let mut taken = self.taken.lock();
        let id = choose(&taken).ok_or(ENOSPC)?;
        taken.push(id, GFP_KERNEL)?;
        Ok(id)
    }

    /// Gives an ID back.
    pub(super) fn put(&self, id: u16) {
        self.taken.lock().retain(|other| *other != id);
    }

    /// Whether an ID is taken.
    pub(super) fn has(&self, id: u16) -> bool {
        self.taken.lock().contains(&id)
    }
}
