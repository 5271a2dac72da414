// SPDX-License-Identifier: GPL-2.0

//! Proofs of the `hw` crate on the host.
//!
//! Expected values are taken from the worked examples of the hardware reference (W1, W2 and so on)
//! or worked out by hand from its tables. Where a property is checked against a model, the model is
//! written here anew and shares no definition with the crate.

#[macro_use]
mod fields;

mod batch;
mod cap;
mod command;
mod device;
mod dte;
mod event;
mod interrupt;
mod ivrs;
mod random;
mod regs;
mod ring;
mod sequence;
mod viommu;
