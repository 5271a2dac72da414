// SPDX-License-Identifier: GPL-2.0

//! What firmware demands for a device, whatever domain the device is in.

use super::Dte;

bitfield! {
    /// The setting byte of an IVHD device entry (hardware reference 3.7).
    pub struct HostPolicy(u8) {
        /// INITPass: forward INIT.
        0:0 init_pass: bool;
        /// EIntPass: forward external interrupts.
        1:1 eint_pass: bool;
        /// NMIPass: forward NMI.
        2:2 nmi_pass: bool;
        /// SysMgt: what happens to system management requests.
        5:4 sys_mgt: u8;
        /// Lint0Pass: forward LINT0.
        6:6 lint0_pass: bool;
        /// Lint1Pass: forward LINT1.
        7:7 lint1_pass: bool;
    }
}

impl HostPolicy {
    /// The [`HostPolicy::sys_mgt`] that forwards system management requests untranslated.
    const FORWARD: u8 = 1;

    /// Overrides the fields of `dte` that belong to the host.
    pub(super) fn apply(self, dte: Dte) -> Dte {
        // Erratum 63: forwarding of system management requests works only if the entry also permits
        // writes. That opens nothing of the host: without TV the permission is not looked at, and
        // with TV it is given anyway, except by a guest that denies writes to its own memory and
        // still has its tables to do so.
        let iw = dte.iw() || self.sys_mgt() == Self::FORWARD;

        dte.with_iw(iw)
            .with_sys_mgt(self.sys_mgt())
            .with_init_pass(self.init_pass())
            .with_eint_pass(self.eint_pass())
            .with_nmi_pass(self.nmi_pass())
            .with_lint0_pass(self.lint0_pass())
            .with_lint1_pass(self.lint1_pass())
    }
}
