// SPDX-License-Identifier: GPL-2.0

//! What the tests share: a machine, builders for tables and commands, and a bench that bundles
//! them with an IOMMU. It uses only the public interface of the crate.
//!
//! The layouts here follow `Documentation/hardware.md` on their own, so that an error in the
//! crate is not repeated by its tests.

use proptest::test_runner::Config as RandomConfig;

pub mod bench;
pub mod command;
pub mod entry;
pub mod event;
pub mod interrupts;
pub mod machine;
pub mod racing;
pub mod recorder;
pub mod stage;
pub mod tables;
pub mod viommu;

pub use bench::Bench;
pub use entry::Dte;
pub use event::Logged;
pub use interrupts::{Irte, IrteTable};
pub use machine::Machine;
pub use racing::Racing;
pub use tables::{Gcr3, HostTables, PageTables, Rights, GUEST_OFFSET};

/// Every open question that is a setting, with the names of its readings, the default first.
pub const READINGS: &[(&str, &[&str])] = &[
    ("oq-7", &["guest-log", "host-log"]),
    ("oq-8", &["28", "27"]),
    ("oq-8-scope", &["engine", "apart", "whole"]),
    ("oq-10", &["first", "table"]),
    ("oq-11", &["illegal", "own"]),
    ("oq-14", &["stop", "illegal", "ignore"]),
    (
        "oq-14-access",
        &["hardware-error", "page-fault", "command-error"],
    ),
    ("oq-14-guest", &["nothing", "event"]),
    ("oq-15", &["5", "4"]),
    ("oq-16", &["zero", "kept"]),
    ("oq-18", &["limits", "exact"]),
    ("oq-20", &["invalid", "ignored"]),
    ("oq-20-read", &["value", "zero"]),
    ("oq-29", &["value", "zero"]),
    ("oq-30", &["registers", "registers+dirty", "registers-misc"]),
    ("oq-32", &["63:3", "63:4"]),
    ("oq-33", &["on", "behind", "tail"]),
    ("oq-34", &["clears", "stays"]),
    ("oq-36", &["rising", "every"]),
    ("oq-37", &["illegal", "ignored"]),
    ("oq-38", &["logged", "silent"]),
    ("oq-39", &["held", "dead"]),
    ("oq-40", &["keeps", "resets"]),
    ("oq-41", &["hardware-error", "page-fault"]),
    ("oq-42", &["hardware-error", "silent"]),
];

/// So many random cases, or as many as `PROPTEST_CASES` says. One that fails is shown; no file
/// remembers it.
pub fn random_cases(cases: u32) -> RandomConfig {
    RandomConfig {
        cases,
        failure_persistence: None,
        ..RandomConfig::default()
    }
}
