// SPDX-License-Identifier: GPL-2.0

//! The part of an entry that remaps interrupts. It is independent of the rest: the hardware uses it
//! whatever V says (hardware reference 3.9), and each part survives a change of the other. Whether faults are
//! reported is the same for both, and ends with the owner: it belongs to the part that translates.

use super::Dte;
use crate::interrupt::Interrupts;

impl Dte {
    /// The [`Dte::int_ctl`] that remaps. With 0 and [`Dte::iv`] interrupts are aborted.
    const REMAP: u8 = 2;

    /// The same entry with other interrupts.
    #[must_use]
    pub fn with_interrupts(self, interrupts: Interrupts) -> Self {
        let forwarded = self
            .with_iv(false)
            .with_int_tab_len(0)
            .with_int_trp(0)
            .with_int_ctl(0);
        match interrupts {
            Interrupts::Forwarded => forwarded,
            // IntCtl = 0, and no table is read.
            Interrupts::Blocked => forwarded.with_iv(true),
            Interrupts::Remapped(table) => forwarded
                .with_iv(true)
                .with_int_tab_len(table.length().field())
                .with_int_trp(table.phys() >> 6)
                .with_int_ctl(Self::REMAP),
        }
    }

    /// The same entry with the interrupts of `other`, which are reported as this entry says.
    #[must_use]
    pub fn with_interrupts_of(self, other: Self) -> Self {
        self.with_iv(other.iv())
            .with_int_tab_len(other.int_tab_len())
            .with_int_trp(other.int_trp())
            .with_int_ctl(other.int_ctl())
    }
}
