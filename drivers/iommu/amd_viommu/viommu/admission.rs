// SPDX-License-Identifier: GPL-2.0

//! Interrupts of a guest's IOMMU, from the host's vector to what the VMM waits for.

use super::guest::Guest;
use crate::iommu::{External, Listener};
use kernel::{prelude::*, sync::Arc};
use kernel_ext::eventfd::EventFd;

/// The interrupts of a guest come to the host as long as this exists.
pub(super) struct Admission {
    external: Arc<External>,
    gid: u16,
}

impl Admission {
    fn new(external: Arc<External>, gid: u16) -> Result<Self> {
        // What fails half-way is taken back.
        let this = Self { external, gid };
        this.external.admit(gid)?;
        Ok(this)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.external.dismiss(self.gid);
    }
}

impl Guest {
    /// Takes the interrupts of event log and COMPLETION_WAIT to the guest by `eventfd`, or no more.
    ///
    /// # Errors
    ///
    /// `ENODEV`; `EOPNOTSUPP` when the host's IOMMU remaps no interrupts; `ENOSPC` when the CPUs have no
    /// vectors left; `ENOMEM`, `EIO`. There are no interrupts then, if there were none before. `ETIMEDOUT` when a
    /// queue does not stop: the eventfd is set nevertheless.
    pub(super) fn set_eventfd(&self, eventfd: Option<EventFd>) -> Result {
        let mut inner = self.alive()?;
        let wanted = eventfd.is_some();
        if wanted && inner.admission.is_none() {
            let external = self.hardware.external()?;
            inner.admission = Some(Admission::new(external, inner.gid.get())?);
        }
        self.voice.set_eventfd(eventfd);
        let changes = inner.page.set_interrupts(wanted);
        let result = self.registers.apply(&changes);
        match wanted {
            // What has become pending before has made no interrupt that got here.
            true => self.interrupt(),
            false => inner.admission = None,
        }
        result
    }

    /// Nothing comes any more.
    pub(super) fn end_interrupts(&self) {
        let admission = self.inner().admission.take();
        drop(admission);
        self.voice.set_eventfd(None);
    }
}
