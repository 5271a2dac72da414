// SPDX-License-Identifier: GPL-2.0

//! What a model is built with: features, addresses, readings of open questions, asynchrony.

mod choices;
mod features;
mod readings;

use crate::event::LateEvent;

pub use choices::*;
pub use features::{ConfigError, Features};
pub use readings::*;

/// Everything that is decided before power-on.
#[derive(Clone, Debug)]
pub struct Config {
    /// Requester ID of the IOMMU function itself; indexes the device-table entry that describes
    /// the private address space.
    pub device_id: u16,
    /// EFR, EFR2 and what hangs on them.
    pub features: Features,
    /// System physical address of the VF aperture (256 MiB, aligned), if firmware placed it.
    pub vf_bar: Option<u64>,
    /// System physical address of the VF control aperture (4 MiB, aligned), if firmware placed it.
    pub vf_control_bar: Option<u64>,
    /// Readings of the open questions.
    pub readings: Readings,
    /// Seed of random delays, interleaving and evictions. `None`: everything is done when the
    /// register write returns.
    pub asynchrony: Option<u64>,
    /// An event whose content comes later than the tail of the log, or never.
    pub late_event: Option<LateEvent>,
    /// Every n-th use of a cached translation is compared with the tables in memory by the
    /// referee. 0: never.
    pub check_hits: u32,
}

impl Config {
    /// A model with the features of a named part and nothing random.
    pub fn new(features: Features) -> Self {
        Config {
            device_id: 0x0002,
            features,
            vf_bar: None,
            vf_control_bar: None,
            readings: Readings::default(),
            asynchrony: None,
            late_event: None,
            check_hits: 1,
        }
    }
}
