// SPDX-License-Identifier: GPL-2.0

//! The hardware model behind a C interface, for `-device amd-viommu-hw`.
//!
//! Only [`interface`] and [`machine`] know C. [`device`] is one IOMMU of the machine: its settings,
//! and the model once the machine is built. Every call takes that device's lock and returns plain
//! values. The model is never entered a second time from inside: the machine's callbacks reach RAM
//! only, and interrupts wait in a queue until C fetches them after the call.

pub mod device;
pub mod interface;
pub mod machine;
pub mod settings;
pub mod trace;
