// SPDX-License-Identifier: GPL-2.0

//! The worked examples of hardware.md chapter 10, as far as the public interface shows them: one
//! file for each group of sections, one row for each example.

// A test may panic: it has failed then.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod device;
mod events;
mod registers;
mod tables;
mod viommu;
