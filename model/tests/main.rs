// SPDX-License-Identifier: GPL-2.0

//! The tests of the model, one program: they use only the public interface of the crate.

// A test may panic: it has failed then. What it indexes, it has asked for.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod async_outcome;
mod caches;
mod command_decode;
mod commands;
mod config;
mod device_table;
mod device_table_races;
mod event_late;
mod event_layout;
mod events;
mod fuzz;
mod interrupt_cache;
mod interrupt_entries;
mod interrupt_oracle;
mod interrupt_rows;
mod oracle;
mod oracle_cache;
mod oracle_walk;
mod pci;
mod referee_dirty;
mod referee_grace;
mod referee_words;
mod registers;
mod registers_rules;
mod schedule;
mod statistics;
mod support;
mod viommu_apart;
mod viommu_budget;
mod viommu_commands;
mod viommu_control;
mod viommu_engine;
mod viommu_external;
mod viommu_interpreter;
mod viommu_late;
mod viommu_log;
mod viommu_notice;
mod viommu_page;
mod viommu_readback;
mod viommu_reset;
mod walk_caches;
mod walk_gate;
mod walk_guest;
mod walk_host;
mod walk_hostile;
mod walk_hypertransport;
mod walk_interrupt;
mod walk_nested;
mod walk_quiet;
mod walk_update;
mod worked;
