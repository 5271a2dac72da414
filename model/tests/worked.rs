// SPDX-License-Identifier: GPL-2.0

//! The worked examples of hardware.md chapter 10, as far as the public interface shows them: one
//! file for each group of sections, one row for each example.

mod commands;
mod device;
mod events;
mod interrupts;
mod registers;
mod tables;
mod viommu;
