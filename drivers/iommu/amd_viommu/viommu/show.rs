// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/amd_viommu/ivhd<N>/guests`: a line for each guest.

use super::{guest::Guest, hardware::Hardware};
use crate::iommu::Sbdf;
use hw::viommu::life::State;
use kernel::{
    debugfs::{Dir, File, Writer},
    fmt,
    prelude::*,
    sync::Arc,
};

/// The file; it goes when this goes.
pub(super) type GuestsFile = Pin<KBox<File<Guests>>>;

/// What the file shows.
pub(super) struct Guests(Arc<Hardware>);

/// Creates the file.
///
/// # Errors
///
/// `ENOMEM`.
pub(super) fn create(dir: &Dir, hardware: Arc<Hardware>) -> Result<GuestsFile> {
    KBox::pin_init(dir.read_only_file(c"guests", Guests(hardware)), GFP_KERNEL)
}

impl Writer for Guests {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for n in 0.. {
            // Each with no lock held: the list is taken under locks of guests too.
            let Some(guest) = self.0.ids().nth(n) else {
                break;
            };
            line(&guest, f)?;
        }
        Ok(())
    }
}

fn line(guest: &Guest, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let inner = guest.inner();
    let segment = guest.hardware.iommu().sbdf().segment;
    let translate = Sbdf {
        segment,
        devid: inner.translate.get(),
    };
    write!(
        f,
        "gid {} translate {} {}",
        inner.gid.get(),
        core::format_args!("{translate}"),
        state(inner.state)
    )?;
    for device in inner.devices.iter() {
        let sbdf = device.client.sbdf();
        write!(
            f,
            " device 0x{:04x} {}",
            device.guest,
            core::format_args!("{sbdf}")
        )?;
        let domain = device.domain;
        if let Some((guest, host)) = domain.zip(domain.and_then(|id| inner.domains.host_id(id))) {
            write!(f, " domain {guest} {host}")?;
        }
    }
    writeln!(f)
}

fn state(state: State) -> &'static str {
    match state {
        State::Vacant => "vacant",
        State::Parentless => "parentless",
        State::Armed { .. } => "armed",
        State::Gone => "gone",
    }
}
