// SPDX-License-Identifier: GPL-2.0

//! What an IOMMU has for guests: its apertures, its enables and the commands about guests
//! (hardware reference 1.3, 6 and 7.1).

use super::Iommu;
use hw::{
    command::Command,
    regs::{self, Control},
    viommu::{
        features::{self, Missing},
        vsc::{self, Apertures},
    },
};
use kernel::{device::Bound, pci, prelude::*};

/// Why an IOMMU serves no guests.
pub(crate) type Lack = &'static str;

/// Reads the vendor-specific capability.
///
/// # Errors
///
/// What is missing.
pub(super) fn apertures(pdev: &pci::Device<Bound>) -> Result<Apertures, Lack> {
    let at =
        kernel_ext::pci::find_capability(pdev, vsc::ID).ok_or("no vendor-specific capability")?;
    let mut words = [0; Apertures::DWORDS];
    for (word, offset) in words.iter_mut().zip((at..).step_by(4)) {
        *word = kernel_ext::pci::read_config(pdev, offset)
            .map_err(|_| "its vendor-specific capability cannot be read")?;
    }
    Apertures::decode(words).ok_or("firmware has not placed its apertures")
}

impl Iommu {
    /// Where the registers of guests are.
    ///
    /// # Errors
    ///
    /// What is missing for guests (hardware reference 7.1, steps 1 and 2).
    pub(crate) fn apertures(&self) -> Result<Apertures, Lack> {
        features::check(self.efr, self.efr2).map_err(|Missing(name)| name)?;
        self.apertures
    }

    /// Lets guests have queues whose addresses are theirs (hardware reference 7.1, steps 6 to 8). The
    /// private address space is complete.
    ///
    /// # Errors
    ///
    /// What the hardware does not take.
    pub(crate) fn enable_guests(&self) -> Result<(), Lack> {
        self.registers.control(|control| {
            control
                .with_gt_en(true)
                .with_gcr3_trp_mode(true)
                .with_gst_buffer_trp_mode(true)
        });
        // There is no feature bit for it (OQ-3).
        if !self.control_now().gst_buffer_trp_mode() {
            self.disable_guests();
            return Err("GstBufferTRPMode is not supported");
        }
        self.registers
            .control(|control| control.with_v_cmd_en(true));
        self.registers
            .control(|control| control.with_v_iommu_en(true));
        Ok(())
    }

    /// The reverse of [`Iommu::enable_guests`]. No guest is left.
    pub(crate) fn disable_guests(&self) {
        self.registers
            .control(|control| control.with_v_cmd_en(false).with_v_iommu_en(false));
        self.registers.control(|control| {
            control
                .with_gt_en(false)
                .with_gcr3_trp_mode(false)
                .with_gst_buffer_trp_mode(false)
        });
    }

    fn control_now(&self) -> Control {
        Control(self.registers.read(regs::CONTROL))
    }

    /// Puts the registers of a guest back to what they are after power-on.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not confirm.
    pub(crate) fn reset_guest(&self, gid: u16) -> Result {
        self.run(&[Command::reset_vmmio(gid)])
    }

    /// Takes a requester ID that no device has, see [`Spares::take`](super::spares::Spares::take).
    ///
    /// # Errors
    ///
    /// `ENOSPC`, `ENOMEM`.
    pub(crate) fn take_spare(&self, choose: impl FnOnce(&[u16]) -> Option<u16>) -> Result<u16> {
        self.spares.take(choose)
    }

    /// Gives a requester ID back, whose entry blocks.
    pub(crate) fn put_spare(&self, id: u16) {
        self.spares.put(id);
    }

    /// Whether a requester ID is used for something that is no device.
    pub(crate) fn is_spare(&self, id: u16) -> bool {
        self.spares.has(id)
    }
}
