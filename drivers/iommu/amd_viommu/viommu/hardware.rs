// SPDX-License-Identifier: GPL-2.0

//! An IOMMU that serves guests.

use super::{
    ids::Ids,
    private::PrivateSpace,
    show::{self, GuestsFile},
    template::Template,
};
use crate::{
    domain::host::Host,
    iommu::{External, Iommu, Sbdf},
};
use hw::{
    regs::{Efr, Efr2},
    viommu::{features, private, vsc::Apertures},
};
use kernel::{
    debugfs::Dir,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
};
use kernel_ext::global::Global;

static ALL: Global<KVec<Arc<Hardware>>> = Global::new();

/// Prepares for [`Service::start`].
///
/// # Errors
///
/// `EBUSY` if that has been done before.
pub(crate) fn open() -> Result {
    ALL.open(new_mutex!(KVec::new(), "amd_viommu::hardware"))
}

/// The reverse of [`open`]. No IOMMU is bound any more.
pub(crate) fn close() {
    let all = ALL.get().map(|all| core::mem::take(&mut *all.lock()));
    drop(all);
}

/// One IOMMU and what its guests share.
#[pin_data]
pub(crate) struct Hardware {
    host: Arc<Host>,
    iommu: Arc<Iommu>,
    apertures: Apertures,
    private: PrivateSpace,
    ids: Ids,
    /// Made for the first guest.
    #[pin]
    template: Mutex<Option<Arc<Template>>>,
    /// Made for the first guest that wants interrupts.
    #[pin]
    external: Mutex<Option<Arc<External>>>,
    /// Guests are admitted.
    accepting: Atomic<bool>,
}

impl Hardware {
    /// Where the registers of an IOMMU's guests are.
    ///
    /// # Errors
    ///
    /// What it lacks to have any.
    fn check(iommu: &Iommu) -> Result<Apertures, &'static str> {
        if iommu.input_bits() < private::BITS {
            return Err("addresses are too narrow");
        }
        iommu.apertures()
    }

    /// Prepares an IOMMU for guests, in the order of hardware reference 7.1.
    fn prepare(host: Arc<Host>, iommu: Arc<Iommu>, apertures: Apertures) -> Result<Arc<Self>> {
        let private = PrivateSpace::new(&host, &iommu)?;
        let ids = Ids::new(&host, &iommu)?;
        Arc::pin_init(
            try_pin_init!(Self {
                host,
                iommu,
                apertures,
                private,
                ids,
                template <- new_mutex!(None, "amd_viommu::template"),
                external <- new_mutex!(None, "amd_viommu::external_interrupts"),
                accepting: Atomic::new(true),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// What the machine's IOMMUs share.
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// The IOMMU itself.
    pub(super) fn iommu(&self) -> &Arc<Iommu> {
        &self.iommu
    }

    /// Where the registers of guests are.
    pub(super) fn apertures(&self) -> Apertures {
        self.apertures
    }

    /// The private address space.
    pub(super) fn private(&self) -> &PrivateSpace {
        &self.private
    }

    /// The guest IDs and the translate IDs.
    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// What a guest may be shown.
    pub(super) fn shown(&self) -> (Efr, Efr2) {
        let (efr, _) = self.iommu.features();
        features::shown(efr)
    }

    /// The maps that every guest starts with.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the IOMMU is going, `ENOMEM`, `ENOSPC` without an ID for the sink, `EIO` when the
    /// hardware does not fill them.
    pub(super) fn template(&self) -> Result<Arc<Template>> {
        let mut slot = self.template.lock();
        if !self.accepts() {
            return Err(ENODEV);
        }
        if let Some(template) = &*slot {
            return Ok(template.clone());
        }
        let template = Arc::new(Template::new(self)?, GFP_KERNEL)?;
        *slot = Some(template.clone());
        Ok(template)
    }

    /// What brings guests' interrupts to the host.
    ///
    /// # Errors
    ///
    /// See [`External::start`]; `ENODEV` when the IOMMU is going.
    pub(super) fn external(&self) -> Result<Arc<External>> {
        let mut slot = self.external.lock();
        if let Some(external) = &*slot {
            return Ok(external.clone());
        }
        // Only a guest asks for it, without which the IOMMU cannot go offline.
        if !self.iommu.is_alive() {
            return Err(ENODEV);
        }
        let external = External::start(&self.iommu)?;
        *slot = Some(external.clone());
        Ok(external)
    }

    /// Whether guests are admitted.
    pub(super) fn accepts(&self) -> bool {
        self.accepting.load(Relaxed) && self.iommu.is_alive()
    }
}

/// An IOMMU that guests can have, as long as this exists.
pub(crate) struct Service(Arc<Hardware>, #[expect(dead_code)] GuestsFile);

impl Service {
    /// Offers an IOMMU to guests; `None` if it has not what that takes, which has been said then.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EIO` when the hardware does not confirm.
    pub(crate) fn start(host: Arc<Host>, iommu: Arc<Iommu>, dir: &Dir) -> Result<Option<Self>> {
        let apertures = match Hardware::check(&iommu) {
            Ok(apertures) => apertures,
            Err(lack) => return Self::decline(&iommu, lack),
        };
        let all = ALL.get().ok_or(ENODEV)?;
        let hardware = Hardware::prepare(host, iommu, apertures)?;
        let file = show::create(dir, hardware.clone())?;
        if let Err(lack) = hardware.iommu.enable_guests() {
            return Self::decline(&hardware.iommu, lack);
        }
        // From here on its end switches the hardware off before the memory goes.
        let service = Self(hardware, file);
        all.lock().push(service.0.clone(), GFP_KERNEL)?;
        Ok(Some(service))
    }

    fn decline(iommu: &Iommu, lack: &str) -> Result<Option<Self>> {
        dev_info!(iommu.dev(), "no guests: {}\n", lack);
        Ok(None)
    }

    /// Admits no guest from now on.
    ///
    /// # Errors
    ///
    /// `EBUSY` when there are guests; they go on being admitted.
    pub(crate) fn close(&self) -> Result {
        self.0.accepting.store(false, Relaxed);
        if self.0.ids.is_used() {
            self.open();
            return Err(EBUSY);
        }
        Ok(())
    }

    /// Admits guests again.
    pub(crate) fn open(&self) {
        self.0.accepting.store(true, Relaxed);
    }
}

impl Drop for Service {
    /// The hardware may be gone. Guests that still exist end; of each its file keeps the name.
    fn drop(&mut self) {
        self.0.accepting.store(false, Relaxed);
        // Whoever is having maps filled writes registers that the next driver of the hardware will use.
        drop(self.0.template.lock());
        if let Some(all) = ALL.get() {
            all.lock().retain(|other| !Arc::ptr_eq(other, &self.0));
        }
        let lost = self.0.ids.lose_all();
        self.0.iommu.disable_guests();
        let external = self.0.external.lock().take();
        if let Some(external) = external {
            external.close();
        }
        self.0.private.close();
        for guest in lost.iter() {
            guest.end();
        }
    }
}

/// The IOMMU with this PCI function, if it serves guests.
///
/// # Errors
///
/// `ENODEV`.
pub(super) fn find(sbdf: Sbdf) -> Result<Arc<Hardware>> {
    let all = ALL.get().ok_or(ENODEV)?;
    let all = all.lock();
    let found = all.iter().find(|hardware| hardware.iommu.sbdf() == sbdf);
    found.cloned().ok_or(ENODEV)
}

/// What user space can know of an IOMMU.
pub(crate) struct Info {
    pub(crate) host: Sbdf,
    /// It serves guests.
    pub(crate) guests: u32,
    pub(crate) features: (Efr, Efr2),
    pub(crate) shown: (Efr, Efr2),
}

/// Describes the IOMMU with this number.
///
/// # Errors
///
/// `ENODEV` behind the last one.
pub(crate) fn info(index: u32) -> Result<Info> {
    let host = crate::domain::host::get()?;
    let iommu = host.nth_iommu(index as usize).ok_or(ENODEV)?;
    let hardware = find(iommu.sbdf()).ok();
    let shown = hardware.as_ref().map(|hardware| hardware.shown());
    Ok(Info {
        host: iommu.sbdf(),
        guests: hardware.map_or(0, |_| Ids::GUESTS),
        features: iommu.features(),
        shown: shown.unwrap_or_default(),
    })
}
