// SPDX-License-Identifier: GPL-2.0

//! What all IOMMUs of the machine share: firmware's table, domain IDs, the lists of IOMMUs and of
//! claimed devices, and the operations registered with the IOMMU core.
//!
//! The core calls the driver with nothing but a device, so there is one such structure per module.
//! It is opened before the PCI driver is registered and closed after it.

use super::{Backend, Client};
use crate::iommu::{Description, Iommu, Sbdf};
use hw::ivrs::{DeviceInfo, Ivrs, Variety};
use kernel::{
    debugfs::Dir,
    id_pool::IdPool,
    new_mutex, pci,
    prelude::*,
    sync::{aref::ARef, Arc, Mutex},
};
use kernel_ext::{acpi, global::Global, iommu::Ops};

/// The domain ID of identity, the first after the reserved 0.
pub(crate) const IDENTITY: u16 = 1;

/// How many domain IDs the hardware can tell apart.
const DOMAIN_IDS: usize = 1 << 16;

/// What the driver knows about the machine.
#[pin_data]
pub(crate) struct Host {
    ivrs: KVec<u8>,
    ops: Arc<Ops<Backend>>,
    debugfs: Dir,
    #[pin]
    iommus: Mutex<KVec<Arc<Iommu>>>,
    #[pin]
    clients: Mutex<KVec<Arc<Client>>>,
    /// Held from finding the IOMMU in front of a device to putting the device on the list.
    #[pin]
    claiming: Mutex<()>,
    #[pin]
    domain_ids: Mutex<IdPool>,
}

static HOST: Global<Option<Arc<Host>>> = Global::new();

/// Reads firmware's table and makes the shared state.
///
/// # Errors
///
/// `ENODEV` without an IVRS table, `EINVAL` when it is malformed, `ENOMEM`.
pub(crate) fn open(module: &'static ThisModule) -> Result {
    let ivrs = acpi::table(*b"IVRS").inspect_err(|error| {
        pr_err!("IVRS: no usable table: {:?}\n", error);
    })?;
    if let Err(error) = Ivrs::parse(&ivrs) {
        pr_err!("IVRS: {}\n", core::format_args!("{error}"));
        return Err(EINVAL);
    }
    let host = Arc::pin_init(Host::new(ivrs, Ops::new(module)?), GFP_KERNEL)?;
    HOST.open(new_mutex!(Some(host), "amd_viommu::host"))
}

/// Gives the shared state up; nothing of the driver is registered any more.
pub(crate) fn close() {
    let host = HOST.get().and_then(|host| host.lock().take());
    drop(host);
}

/// The shared state, while the module is neither loading nor unloading.
///
/// # Errors
///
/// `ENODEV` otherwise.
pub(crate) fn get() -> Result<Arc<Host>> {
    HOST.get()
        .and_then(|host| host.lock().clone())
        .ok_or(ENODEV)
}

impl Host {
    fn new(ivrs: KVec<u8>, ops: Arc<Ops<Backend>>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ivrs,
            ops,
            debugfs: Dir::new(c"amd_viommu"),
            iommus <- new_mutex!(KVec::new(), "amd_viommu::iommus"),
            clients <- new_mutex!(KVec::new(), "amd_viommu::clients"),
            claiming <- new_mutex!((), "amd_viommu::claiming"),
            domain_ids <- new_mutex!(Self::fresh_ids()?, "amd_viommu::domain_ids"),
        })
    }

    fn fresh_ids() -> Result<IdPool> {
        let mut ids = IdPool::with_capacity(DOMAIN_IDS, GFP_KERNEL)?;
        // 0 is reserved, IDENTITY taken for good.
        for _ in 0..=IDENTITY {
            ids.find_unused_id(0).ok_or(ENOSPC)?.acquire();
        }
        Ok(ids)
    }

    /// The operations registered with the IOMMU core.
    pub(crate) fn ops(&self) -> Arc<Ops<Backend>> {
        self.ops.clone()
    }

    /// The driver's folder in debugfs.
    pub(crate) fn debugfs(&self) -> &Dir {
        &self.debugfs
    }

    /// Firmware's table, which was checked when it was read.
    pub(crate) fn ivrs(&self) -> Ivrs<'_> {
        Ivrs::trusted(&self.ivrs)
    }

    /// What firmware says about the IOMMU whose PCI function this is, and its place in the list.
    pub(crate) fn describe(&self, sbdf: Sbdf) -> Option<(u32, Description)> {
        let ivrs = self.ivrs();
        let va_bits = ivrs.info().va_size();
        let remaps = ivrs
            .iommus()
            .flat_map(|ivhd| ivhd.specials())
            .any(|special| special.variety == Variety::IoApic);
        (0..)
            .zip(ivrs.iommus())
            .find(|(_, ivhd)| ivhd.segment == sbdf.segment && ivhd.devid == sbdf.devid)
            .map(|(index, ivhd)| (index, Description::new(&ivhd, va_bits, remaps)))
    }

    /// What firmware says about a device: which IOMMU is in front of it, and how.
    pub(crate) fn lookup(&self, device: Sbdf) -> Option<(Sbdf, DeviceInfo)> {
        self.ivrs()
            .iommus()
            .filter(|ivhd| ivhd.segment == device.segment)
            .find_map(|ivhd| {
                let info = ivhd.lookup(device.devid)?;
                Some((
                    Sbdf {
                        segment: ivhd.segment,
                        devid: ivhd.devid,
                    },
                    info,
                ))
            })
    }

    /// Whether an I/O APIC or a timer sends its messages under this ID too.
    pub(crate) fn is_special(&self, id: Sbdf) -> bool {
        self.ivrs()
            .iommus()
            .filter(|ivhd| ivhd.segment == id.segment)
            .flat_map(|ivhd| ivhd.specials())
            .any(|special| special.devid == id.devid)
    }

    /// The running IOMMU with this PCI function.
    pub(crate) fn iommu(&self, sbdf: Sbdf) -> Option<Arc<Iommu>> {
        self.iommus
            .lock()
            .iter()
            .find(|iommu| iommu.sbdf() == sbdf)
            .cloned()
    }

    /// The running IOMMU at a place in the list.
    pub(crate) fn nth_iommu(&self, n: usize) -> Option<Arc<Iommu>> {
        self.iommus.lock().get(n).cloned()
    }

    /// Puts an IOMMU on the list.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add_iommu(&self, iommu: &Arc<Iommu>) -> Result {
        Ok(self.iommus.lock().push(iommu.clone(), GFP_KERNEL)?)
    }

    /// No device behind `iommu` is claimed from now on, and all that are have been put on the list.
    pub(crate) fn close_iommu(&self, iommu: &Arc<Iommu>) {
        let _none = self.claiming();
        iommu.accept(false);
    }

    /// Takes an IOMMU off the list.
    pub(crate) fn remove_iommu(&self, iommu: &Arc<Iommu>) {
        self.close_iommu(iommu);
        self.iommus
            .lock()
            .retain(|other| !Arc::ptr_eq(other, iommu));
    }

    /// Keeps IOMMUs from being closed while a device is being claimed.
    pub(crate) fn claiming(&self) -> impl Sized + '_ {
        self.claiming.lock()
    }

    /// Remembers a claimed device.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add_client(&self, client: &Arc<Client>) -> Result {
        Ok(self.clients.lock().push(client.clone(), GFP_KERNEL)?)
    }

    /// How many devices are claimed now.
    pub(crate) fn client_count(&self) -> usize {
        self.clients.lock().len()
    }

    /// Forgets a device that has been released.
    pub(crate) fn remove_client(&self, client: &Arc<Client>) {
        self.clients
            .lock()
            .retain(|other| !Arc::ptr_eq(other, client));
    }

    /// The first claimed device for which `wanted` holds.
    pub(crate) fn find_client(
        &self,
        mut wanted: impl FnMut(&Client) -> bool,
    ) -> Option<Arc<Client>> {
        let clients = self.clients.lock();
        clients.iter().find(|client| wanted(client)).cloned()
    }

    /// Calls `each` for the devices behind `iommu` that are claimed now, until it fails. None is
    /// claimed or released meanwhile.
    ///
    /// # Errors
    ///
    /// That of `each`.
    pub(crate) fn for_each_client<E>(
        &self,
        iommu: &Arc<Iommu>,
        each: impl FnMut(&Arc<Client>) -> Result<(), E>,
    ) -> Result<(), E> {
        let clients = self.clients.lock();
        clients
            .iter()
            .filter(|client| Arc::ptr_eq(client.iommu(), iommu))
            .try_for_each(each)
    }

    /// Blocks all devices behind `iommu`, which is being taken away while they are in use.
    pub(crate) fn lose_iommu(&self, iommu: &Arc<Iommu>) {
        let _ = self.for_each_client(iommu, |client| -> Result {
            client.lose_iommu();
            Ok(())
        });
        // Whoever is told takes locks under which devices are looked for.
        while let Some(client) = self.find_client(|client| client.owes_word()) {
            client.tell_owner();
        }
    }

    /// Takes an unused domain ID.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when all are in use.
    pub(crate) fn take_domain_id(&self) -> Result<u16> {
        let id = self
            .domain_ids
            .lock()
            .find_unused_id(0)
            .ok_or(ENOSPC)?
            .acquire();
        u16::try_from(id).map_err(|_| ENOSPC)
    }

    /// Gives a domain ID back, of which nothing is cached any more.
    pub(crate) fn put_domain_id(&self, id: u16) {
        self.domain_ids.lock().release_id(id.into());
    }

    /// Every requester ID that DMA of the device may carry: its own first, then what firmware and
    /// the buses above make of it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn requesters(&self, pdev: &pci::Device, info: DeviceInfo) -> Result<KVec<u16>> {
        let mut ids = KVec::new();
        let mut result = Ok(());
        let mut add = |id| {
            if !ids.contains(&id) {
                result = result.and(ids.push(id, GFP_KERNEL).map_err(Error::from));
            }
        };
        kernel_ext::pci::for_each_alias(pdev, &mut add);
        add(info.alias);
        result.map(|()| ids)
    }

    /// Whether another device may have the requester ID of this one, now or when more devices have been
    /// found.
    pub(crate) fn may_share_requester(&self, pdev: &pci::Device, own: Sbdf) -> bool {
        let ivrs = self.ivrs();
        let mut named = ivrs
            .iommus()
            .filter(|ivhd| ivhd.segment == own.segment)
            .flat_map(|ivhd| ivhd.aliases());
        kernel_ext::pci::may_share_id(pdev) || named.any(|id| id == own.devid)
    }

    /// Whether two devices belong into one group: by the topology, or because firmware gives their
    /// requests the same ID.
    pub(crate) fn shares_fate(&self, a: &ARef<pci::Device>, b: &ARef<pci::Device>) -> bool {
        kernel_ext::pci::shares_fate(a, b) || self.shares_requester(a, b).unwrap_or(false)
    }

    fn shares_requester(&self, a: &pci::Device, b: &pci::Device) -> Option<bool> {
        let (iommu_a, info_a) = self.lookup(Sbdf::of(a)?)?;
        let (iommu_b, info_b) = self.lookup(Sbdf::of(b)?)?;
        let ids_a = self.requesters(a, info_a).ok()?;
        let ids_b = self.requesters(b, info_b).ok()?;
        Some(iommu_a == iommu_b && ids_a.iter().any(|id| ids_b.contains(id)))
    }
}
