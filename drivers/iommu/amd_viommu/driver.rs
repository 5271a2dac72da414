// SPDX-License-Identifier: GPL-2.0

//! Binding to the PCI function of an IOMMU, and letting go of it.
//!
//! There are three ways out. `offline` is asked for and may refuse. Unloading the module comes after
//! it, or when no device is claimed. Removal of the PCI function cannot refuse: if devices are in
//! use by then, the IOMMU stays registered as an orphan that blocks them, until the module goes.

mod offline;

use crate::{
    compat::pci_table,
    domain::{self, host, host::Host, Backend},
    iommu::{self, Cap, DebugFolder, Description, Features, Iommu, Remapping, Sbdf, Shutdown},
    viommu::Service,
};
use kernel::{
    device::{Bound, Core},
    new_mutex, pci,
    prelude::*,
    sync::{Arc, Mutex},
};
use kernel_ext::{global::Global, iommu::Registration, irq::Msi, syscore, sysfs::CommandFile};
use offline::Offline;

pci_table!(
    PCI_TABLE,
    [kernel_ext::pci::id_from_class(
        iommu::CLASS,
        0xff_ff00,
        pci::Vendor::AMD.as_raw()
    )]
);

/// An IOMMU that is switched off, and whose registers are given up, when this goes.
struct Powered(Arc<Iommu>);

impl Drop for Powered {
    fn drop(&mut self) {
        self.0.stop();
        self.0.release_registers();
    }
}

/// An IOMMU on the list of those whose devices may be claimed.
struct Listed(Arc<Host>, Arc<Iommu>);

impl Listed {
    fn new(host: Arc<Host>, iommu: Arc<Iommu>) -> Result<Self> {
        host.add_iommu(&iommu)?;
        Ok(Self(host, iommu))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.remove_iommu(&self.1);
    }
}

/// What the IOMMU core and the next kernel are promised. Also what stays of an IOMMU whose PCI
/// function is gone while its devices are in use.
///
/// Goes in this order: all devices are released, while commands still work, before the hardware is
/// switched off.
struct Registered {
    _registration: Registration<Backend>,
    _remapping: Remapping,
    _shutdown: Pin<KBox<syscore::Registration<Shutdown>>>,
    powered: Powered,
}

/// What a running IOMMU needs. Goes in this order too.
struct Running {
    service: Option<Service>,
    registered: Registered,
    _debugfs: Pin<KBox<DebugFolder>>,
    _msi: Msi<Iommu>,
    listed: Listed,
}

enum Phase {
    Running(Running),
    /// Held for its destructor, which releases the devices.
    Orphaned(Registered),
    Offline,
}

/// One PCI function that the driver is bound to, or was when it was taken away.
#[pin_data]
struct Function {
    sbdf: Sbdf,
    #[pin]
    phase: Mutex<Phase>,
}

static FUNCTIONS: Global<KVec<Arc<Function>>> = Global::new();

/// Prepares for [`Binding`]s.
///
/// # Errors
///
/// `EBUSY` if that has been done before.
pub(crate) fn open() -> Result {
    FUNCTIONS.open(new_mutex!(KVec::new(), "amd_viommu::functions"))
}

/// Lets the orphans go. No device is claimed any more, or the module could not be unloaded.
pub(crate) fn close() {
    let functions = FUNCTIONS
        .get()
        .map(|functions| core::mem::take(&mut *functions.lock()));
    drop(functions);
}

/// Says why nothing happens, when nothing does.
pub(crate) fn hint_if_idle() {
    if FUNCTIONS
        .get()
        .is_some_and(|functions| functions.lock().is_empty())
    {
        pr_warn!("no IOMMU to drive: boot with amd_iommu=off if the kernel's own driver has it\n");
    }
}

fn function(sbdf: Sbdf) -> Option<Arc<Function>> {
    FUNCTIONS
        .get()?
        .lock()
        .iter()
        .find(|function| function.sbdf == sbdf)
        .cloned()
}

/// The driver's data of a bound PCI function.
pub(crate) struct Binding {
    offline: Option<CommandFile<Offline>>,
    function: Arc<Function>,
}

impl Running {
    fn start(
        pdev: &pci::Device<Bound>,
        host: Arc<Host>,
        index: u32,
        description: &Description,
    ) -> Result<Self> {
        let iommu = Iommu::start(pdev, description, index, |iommu| {
            domain::leave_alone(&host, iommu)
        })?;
        let msi = Msi::new(pdev, c"amd_viommu", iommu.clone())?;
        let powered = Powered(iommu.clone());
        iommu.listen();
        let shutdown = Arc::new(Shutdown(iommu.clone()), GFP_KERNEL)?;
        let shutdown = KBox::pin_init(syscore::Registration::new(shutdown), GFP_KERNEL)?;
        let debugfs = DebugFolder::new(host.debugfs(), iommu.clone())?;
        let ops = host.ops();
        let service = Service::start(host.clone(), iommu.clone(), debugfs.dir())?;
        let listed = Listed::new(host, iommu.clone())?;
        let remapping = Remapping::start(iommu.clone())?;
        iommu.accept(true);
        let registration = Registration::new::<Cap, Features>(
            iommu,
            ops,
            pdev.as_ref(),
            (c"ivhd", index),
            c"amd-iommu",
        )?;
        Ok(Self {
            service,
            registered: Registered {
                _registration: registration,
                _remapping: remapping,
                _shutdown: shutdown,
                powered,
            },
            _debugfs: debugfs,
            _msi: msi,
            listed,
        })
    }

    fn iommu(&self) -> &Arc<Iommu> {
        &self.listed.1
    }

    /// Admits no guest from now on.
    ///
    /// # Errors
    ///
    /// `EBUSY` when there is one.
    fn close_service(&self) -> Result {
        let Some(service) = &self.service else {
            return Ok(());
        };
        service.close().inspect_err(|_| {
            dev_info!(self.iommu().dev(), "stays online: it has guests\n");
        })
    }

    /// Admits guests again.
    fn open_service(&self) {
        if let Some(service) = &self.service {
            service.open();
        }
    }

    /// Releases all devices, whose entries block then, and switches the hardware off.
    fn take_down(self) {
        let iommu = self.iommu().clone();
        drop(self);
        dev_info!(iommu.dev(), "offline\n");
    }

    /// Blocks all devices and ends contact with the hardware, which stays registered.
    fn orphan(self, host: &Host) -> Registered {
        // Guests lose their IOMMU while it can still be told.
        let iommu = self.iommu().clone();
        drop(self.service);
        host.lose_iommu(&iommu);
        iommu.abandon();
        dev_err!(
            iommu.dev(),
            "removed while devices are in use: they are blocked from now on\n"
        );
        self.registered
    }
}

impl Binding {
    fn new(pdev: &pci::Device<Bound>) -> Result<Self> {
        let host = host::get()?;
        let sbdf = Sbdf::of(pdev).ok_or(ENODEV)?;
        let Some((index, description)) = host.describe(sbdf) else {
            dev_err!(pdev, "IVRS: does not describe this IOMMU\n");
            return Err(ENODEV);
        };
        // Whatever fails from here on, the binding puts things in order when it goes.
        let mut binding = Self {
            function: Function::enter(pdev, sbdf)?,
            offline: None,
        };
        let running = Running::start(pdev, host, index, &description)?;
        *binding.function.phase.lock() = Phase::Running(running);
        binding.offline = Some(CommandFile::new(pdev.as_ref())?);
        Ok(binding)
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        // Waits for writers, which want the function.
        self.offline = None;
        self.function.remove();
    }
}

impl Function {
    /// Puts a function that has been bound on the list.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it was taken away before and devices are still blocked because of that;
    /// `ENOMEM`.
    fn enter(pdev: &pci::Device<Bound>, sbdf: Sbdf) -> Result<Arc<Self>> {
        if function(sbdf).is_some_and(|orphan| orphan.is_needed()) {
            dev_err!(
                pdev,
                "came back while devices from before are in use: remove and rescan those first\n"
            );
            return Err(EBUSY);
        }
        let function = Arc::pin_init(
            pin_init!(Self {
                sbdf,
                phase <- new_mutex!(Phase::Offline, "amd_viommu::phase"),
            }),
            GFP_KERNEL,
        )?;
        let functions = FUNCTIONS.get().ok_or(ENODEV)?;
        functions.lock().push(function.clone(), GFP_KERNEL)?;
        Ok(function)
    }
}

impl pci::Driver for Binding {
    type IdInfo = ();
    type Data<'bound> = Self;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        // Interrupts are messages, that is, writes.
        pdev.set_master();
        Self::new(pdev).inspect_err(|error| {
            dev_err!(pdev, "cannot be brought up: {:?}\n", error);
        })
    }
}
