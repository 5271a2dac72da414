// SPDX-License-Identifier: GPL-2.0

//! The order of stores that changes a device table entry under the eyes of the hardware.
//!
//! The hardware reads the 256 bits of an entry as one access, but software can store only 128 bits
//! at once (hardware reference 3.3). It may read between any two stores, and it may keep any value
//! that the entry had since the last completed INVALIDATE_DEVTAB_ENTRY. So each value in between
//! must mean, for memory requests, exactly what the old or the new entry means, or block; and the
//! same for interrupts.
//!
//! Interrupt fields are all in the high half, which changes in one store. Most fields for memory
//! requests are in the low half, but GuestPagingMode, HPTMode, vImuEn and its two IDs, and the
//! snoop attributes are in the high half: they are why the order depends on the entries. [`plan`]
//! tries the orders and takes the shortest that is safe. A transition for which neither order is
//! safe passes through a blocked entry, which the hardware must have taken notice of before the
//! rest follows (hardware reference 3.3, change of levels).

use crate::dte::Dte;

/// A half of an entry: what software can store at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// `q1` and `q0`.
    Low,
    /// `q3` and `q2`.
    High,
}

/// One step of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Store 128 bits atomically; the lower 64 bits are the quadword with the lower address.
    Store(Half, u128),
    /// Issue INVALIDATE_DEVTAB_ENTRY for the device and wait for its completion.
    Flush,
}

/// The steps of a change, in order. Empty if there is nothing to change; otherwise the last one is
/// a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    steps: [Step; Self::MAX],
    len: usize,
}

impl Plan {
    /// The longest change: block, flush, store both halves, flush.
    pub const MAX: usize = 5;

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..self.len).unwrap_or_default()
    }

    /// Takes the steps over; `N` is at most [`Self::MAX`].
    fn new<const N: usize>(steps: [Step; N]) -> Self {
        let mut all = [Step::Flush; Self::MAX];
        for (to, from) in all.iter_mut().zip(steps) {
            *to = from;
        }

        Self { steps: all, len: N }
    }
}

/// Works out how to change an entry from `old` to `new`.
///
/// The caller owns the entry: nobody else writes it until the last step is done.
pub fn plan(old: Dte, new: Dte) -> Plan {
    let low = Step::Store(Half::Low, new.low());
    let high = Step::Store(Half::High, new.high());

    match (old.low() == new.low(), old.high() == new.high()) {
        (true, true) => Plan::new([]),
        (false, true) => Plan::new([low, Step::Flush]),
        (true, false) => Plan::new([high, Step::Flush]),
        (false, false) if safe(old, Dte::from_halves(old.low(), new.high()), new) => {
            Plan::new([high, low, Step::Flush])
        }
        (false, false) if safe(old, Dte::from_halves(new.low(), old.high()), new) => {
            Plan::new([low, high, Step::Flush])
        }
        (false, false) => {
            let block = Step::Store(Half::Low, Dte::default().with_v(true).low());
            Plan::new([block, Step::Flush, high, low, Step::Flush])
        }
    }
}

/// GuestPagingMode and HPTMode.
const DMA_IN_Q2: u64 = 0x08C0_0000_0000_0000;

/// Everything but the bits that are reserved and bit 53, which software may use.
const DMA_IN_Q3: u64 = 0xFFC0_FFFF_FFFF_8000;

/// Whether the hardware may see `between` while the entry changes from `old` to `new`.
fn safe(old: Dte, between: Dte, new: Dte) -> bool {
    let view = dma_view(between);

    between.blocks() || view == dma_view(old) || view == dma_view(new)
}

/// What the hardware may look at when the device makes a memory request: entries with equal views
/// act alike.
///
/// Fields that another field makes meaningless are 0. Bits that are not reserved count as used
/// whenever the entry is valid, whether or not [`Dte`] has a name for them.
fn dma_view(dte: Dte) -> Dte {
    let [q0, q1, q2, q3] = dte.0;
    if !dte.v() {
        return Dte::default();
    }
    let mut view = Dte([q0, q1, q2 & DMA_IN_Q2, q3 & DMA_IN_Q3]);
    if !view.v_imu_en() {
        view = view.with_g_device_id(0).with_guest_id(0);
    }
    if !view.gv() {
        view = without_guest(view);
    }

    view
}

/// Clears what GV = 0 makes meaningless.
fn without_guest(dte: Dte) -> Dte {
    dte.with_glx(0)
        .with_giov(false)
        .with_gcr3_14_12(0)
        .with_gcr3_30_15(0)
        .with_gcr3_51_31(0)
        .with_guest_paging_mode(0)
}
