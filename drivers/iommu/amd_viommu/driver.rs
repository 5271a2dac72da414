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
    iommu::{self, Cap, DebugFolder, Description, Features, Iommu, Sbdf, Shutdown},
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

/// What a running IOMMU needs. Fields go in this order, after [`Running::take_down`] has switched
/// the hardware off.
struct Running {
    _debugfs: Pin<KBox<DebugFolder>>,
    _msi: Msi<Iommu>,
    registered: Registered,
}

/// What stays of an IOMMU whose PCI function is gone while its devices are in use.
struct Registered {
    registration: Registration<Backend>,
    _shutdown: Pin<KBox<syscore::Registration<Shutdown>>>,
    iommu: Arc<Iommu>,
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
    /// Goes first: it waits for writers.
    _offline: CommandFile<Offline>,
    function: Arc<Function>,
}

impl Running {
    fn start(
        pdev: &pci::Device<Bound>,
        host: &Host,
        index: u32,
        description: &Description,
    ) -> Result<Self> {
        let iommu = Iommu::start(pdev, description, index, |iommu| {
            domain::leave_alone(host, iommu)
        })?;
        let msi = Msi::new(pdev, c"amd_viommu", iommu.clone())?;
        iommu.listen();
        let shutdown = Arc::new(Shutdown(iommu.clone()), GFP_KERNEL)?;
        let shutdown = KBox::pin_init(syscore::Registration::new(shutdown), GFP_KERNEL)?;
        let debugfs = DebugFolder::new(host.debugfs(), iommu.clone())?;
        host.add_iommu(&iommu)?;
        let registration = Registration::new::<Cap, Features>(
            iommu.clone(),
            host.ops(),
            pdev.as_ref(),
            (c"ivhd", index),
            c"amd-iommu",
        )
        .inspect_err(|_| host.remove_iommu(&iommu))?;
        Ok(Self {
            _debugfs: debugfs,
            _msi: msi,
            registered: Registered {
                registration,
                _shutdown: shutdown,
                iommu,
            },
        })
    }

    fn iommu(&self) -> &Arc<Iommu> {
        &self.registered.iommu
    }

    /// Releases all devices, whose entries block then, and switches the hardware off.
    fn take_down(self) {
        let Registered {
            registration,
            _shutdown,
            iommu,
        } = self.registered;
        drop(registration);
        iommu.stop();
        dev_info!(iommu.dev(), "offline\n");
    }

    /// Blocks all devices and ends contact with the hardware, which stays registered.
    fn orphan(self, host: &Host) -> Registered {
        let iommu = self.iommu().clone();
        let _ = host.for_each_client(&iommu, |client| -> Result {
            client.lose_iommu();
            Ok(())
        });
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
        if function(sbdf).is_some() {
            dev_err!(
                pdev,
                "came back while its devices are in use: reload the module\n"
            );
            return Err(EBUSY);
        }
        let Some((index, description)) = host.describe(sbdf) else {
            dev_err!(pdev, "IVRS does not describe this IOMMU\n");
            return Err(ENODEV);
        };
        let running = Running::start(pdev, &host, index, &description)?;
        let phase = Phase::Running(running);
        let function = Arc::pin_init(
            pin_init!(Function { sbdf, phase <- new_mutex!(phase, "amd_viommu::phase") }),
            GFP_KERNEL,
        )?;
        FUNCTIONS
            .get()
            .ok_or(ENODEV)?
            .lock()
            .push(function.clone(), GFP_KERNEL)?;
        let offline = CommandFile::new(pdev.as_ref()).inspect_err(|_| function.remove())?;
        Ok(Self {
            _offline: offline,
            function,
        })
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

    fn unbind<'bound>(_pdev: &'bound pci::Device<Core<'_>>, this: Pin<&Self::Data<'bound>>) {
        this.get_ref().function.remove();
    }
}
