// SPDX-License-Identifier: GPL-2.0

//! What the tests share: a machine, builders for tables and commands, and a bench that bundles
//! them with an IOMMU. It uses only the public interface of the crate.
//!
//! The layouts here follow `Documentation/hardware.md` on their own, so that an error in the
//! crate is not repeated by its tests.

// Each test program compiles this module for itself and uses a part of it.
#![allow(dead_code, unused_imports)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod bench;
pub mod command;
pub mod entry;
pub mod event;
pub mod machine;
pub mod tables;

pub use bench::Bench;
pub use entry::Dte;
pub use event::Logged;
pub use machine::Machine;
pub use tables::{Gcr3, HostTables, PageTables, Rights, GUEST_OFFSET};

/// Every open question that is a setting, with all its readings.
pub const READINGS: &[(&str, &[&str])] = &[
    ("oq-7", &["guest-log", "host-log"]),
    ("oq-8", &["28", "27"]),
    ("oq-10", &["first", "table"]),
    ("oq-11", &["illegal", "own"]),
    ("oq-14", &["stop", "illegal", "ignore"]),
    ("oq-15", &["5", "4"]),
    ("oq-16", &["zero", "kept"]),
    ("oq-20", &["invalid", "ignored"]),
    ("oq-30", &["registers", "registers+dirty"]),
    ("oq-33", &["on", "behind", "tail"]),
    ("oq-34", &["clears", "stays"]),
    ("oq-36", &["rising", "every"]),
    ("oq-37", &["illegal", "ignored"]),
    ("oq-38", &["logged", "silent"]),
    ("oq-39", &["held", "dead"]),
    ("oq-40", &["keeps", "resets"]),
    ("oq-41", &["hardware-error", "page-fault"]),
];
