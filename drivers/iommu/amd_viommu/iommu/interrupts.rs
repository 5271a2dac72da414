// SPDX-License-Identifier: GPL-2.0

//! Remapping of the interrupts of devices (hardware reference 3.6 and 3.9).
//!
//! A claimed device gets an interrupt table of the length that it needs, for all its requester IDs, and
//! the kernel asks for entries of it instead of vectors. So the device reaches nothing but what it was
//! given. Devices that share a requester ID share the table, which is as long as it can be if more of
//! them may come.
//!
//! The interrupts of I/O APICs and the IOMMU's own MSI are not remapped, nor are those of devices that
//! are known and not claimed: they are forwarded. Under an ID that no device is known to have, none gets through, or a
//! device could send what it likes under one.

mod entry;
mod host_vector;
mod table;

pub(super) use host_vector::{Follower, HostVector};

use super::{Iommu, Stats};
use entry::Entry;
use host_vector::Own;
use hw::{
    command::Command,
    interrupt::{self, Format, Interrupts, Length},
    regs::{self, Control, Efr},
};
use kernel::{bindings, new_mutex, pci, prelude::*, str::CStr, sync::Arc, sync::Mutex};
use kernel_ext::{
    device::LockedDevice,
    irq::{
        self,
        device::Assigned,
        parent::{self, Message, MsiParent, Route, Unit},
    },
};
use table::{Ids, InterruptTable};

/// Which entries the hardware is made to read: the long ones where it can, because guests need the mode
/// that has them.
pub(super) fn format(efr: Efr) -> Format {
    match efr.ga_sup() {
        true => Format::Long {
            wide: efr.xt_sup() && irq::has_wide_apic_ids(),
        },
        false => Format::Short,
    }
}

/// A route as the pure layer knows it.
fn pure(route: Route) -> interrupt::Route {
    interrupt::Route {
        vector: route.vector,
        destination: route.destination,
        logical: route.logical,
    }
}

/// What happens to interrupts under a requester ID until a device is known to have it. `remaps` says whether
/// those of devices may be given tables.
pub(super) fn of_nobody(remaps: bool) -> Interrupts {
    if remaps {
        Interrupts::Blocked
    } else {
        Interrupts::Forwarded
    }
}

/// A requester ID whose interrupts go through a table.
struct Holder {
    devid: u16,
    table: Arc<InterruptTable>,
    /// Devices that have this ID.
    users: usize,
}

/// What one IOMMU knows about interrupts.
#[pin_data]
pub(super) struct Remapper {
    format: Format,
    /// Devices may be given tables.
    remaps: bool,
    #[pin]
    holders: Mutex<KVec<Holder>>,
    /// The unit that the interrupt core knows, while devices may be put behind it.
    #[pin]
    parent: Mutex<Option<Arc<MsiParent<Host>>>>,
}

impl Remapper {
    /// No device has a table.
    ///
    /// Firmware lists the I/O APICs of machines that remap interrupts. Where it does not, as on emulated
    /// hardware that does without remapping, a message that only names an entry would be taken for one
    /// that names a vector.
    pub(super) fn new(format: Format, remaps: bool) -> impl PinInit<Self> {
        pin_init!(Self {
            format,
            remaps,
            holders <- new_mutex!(KVec::new(), "amd_viommu::interrupt_tables"),
            parent <- new_mutex!(None, "amd_viommu::interrupt_unit"),
        })
    }

    /// What GAEn has to be.
    pub(super) fn ga_en(&self) -> bool {
        matches!(self.format, Format::Long { .. })
    }

    /// What XTEn has to be.
    pub(super) fn xt_en(&self) -> bool {
        matches!(self.format, Format::Long { wide: true })
    }

    /// The table of a requester ID.
    fn table(&self, devid: u16) -> Option<Arc<InterruptTable>> {
        let holders = self.holders.lock();
        let mut holders = holders.iter();
        holders
            .find(|holder| holder.devid == devid)
            .map(|holder| holder.table.clone())
    }
}

/// The unit behind which devices are put: an IOMMU, as far as the interrupt core is concerned.
pub(super) struct Host(Arc<Iommu>);

impl Unit for Host {
    type Entry = Either;

    const NAME: &'static CStr = c"AMD-VIOMMU";
    const PREFIX: &'static CStr = c"IR-";
    const TOKEN: bindings::irq_domain_bus_token = bindings::irq_domain_bus_token_DOMAIN_BUS_AMDVI;

    fn take(&self, device: &pci::Device, count: usize) -> Result<KVec<Either>> {
        let table = self.0.remapper.table(device.dev_id()).ok_or(ENODEV)?;
        Entry::take(&self.0, &table, count)
    }
}

/// One interrupt: of a device, or of the IOMMU.
pub(super) enum Either {
    Device(Entry),
    Own(Own),
}

impl parent::Entry for Either {
    fn number(&self) -> u32 {
        match self {
            Self::Device(entry) => entry.number(),
            Self::Own(own) => own.number(),
        }
    }

    fn message(&self) -> Message {
        match self {
            Self::Device(entry) => entry.message(),
            Self::Own(own) => own.message(),
        }
    }

    fn activate(&self, route: Route) -> Result {
        match self {
            Self::Device(entry) => entry.activate(route),
            Self::Own(own) => own.activate(route),
        }
    }

    fn redirect(&self, route: Route) {
        match self {
            Self::Device(entry) => entry.redirect(route),
            Self::Own(own) => own.redirect(route),
        }
    }

    fn deactivate(&self) {
        match self {
            Self::Device(entry) => entry.deactivate(),
            Self::Own(own) => own.deactivate(),
        }
    }
}

/// Devices of an IOMMU can be put behind it as long as this exists. Those that are by then stay there
/// until they are released.
pub(crate) struct Remapping(Arc<Iommu>);

impl Remapping {
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn start(iommu: Arc<Iommu>) -> Result<Self> {
        if let Some(obstacle) = iommu.obstacle_to_remapping() {
            dev_info!(iommu.dev, "{}: interrupts are not remapped\n", obstacle);
        } else {
            let unit = Arc::new(Host(iommu.clone()), GFP_KERNEL)?;
            let parent = Arc::new(MsiParent::new(unit, iommu.index)?, GFP_KERNEL)?;
            *iommu.remapper.parent.lock() = Some(parent);
        }
        Ok(Self(iommu))
    }
}

impl Drop for Remapping {
    fn drop(&mut self) {
        let parent = self.0.remapper.parent.lock().take();
        drop(parent);
    }
}

/// The interrupts of a claimed device are remapped as long as this exists. Goes in this order: the
/// kernel makes no more interrupts for the device before the table goes.
pub(crate) struct Remapped {
    assigned: Assigned<Host>,
    tables: Option<Tables>,
}

impl Remapped {
    /// Gives a device a table for all its requester IDs, of which the first is its own. It has none
    /// of its interrupts yet, nor a driver, which the device's lock keeps away. `alone` says that no
    /// other device can have one of the IDs.
    ///
    /// `None` for a device whose interrupts stay as they are: it has some already, they do not go straight
    /// to the CPUs, or the IOMMU does not remap.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        iommu: &Arc<Iommu>,
        pdev: &pci::Device,
        lock: &LockedDevice,
        ids: &[u16],
        alone: bool,
    ) -> Result<Option<Self>> {
        let Some(parent) = iommu.remapper.parent.lock().clone() else {
            return Ok(None);
        };
        let Some(assigned) = Assigned::new(pdev, lock, parent) else {
            return Ok(None);
        };
        // Others may come to share the table of a device that is not alone, and the administrator may give a virtual
        // function more interrupts.
        let is_settled = alone && !kernel_ext::pci::is_virtual(pdev);
        let needed = Length::holding(irq::device::capacity(pdev)).filter(|_| is_settled);
        let tables = Tables::new(iommu, needed.unwrap_or(Length::MAX), ids)?;
        Ok(tables.map(|tables| Self {
            assigned,
            tables: Some(tables),
        }))
    }

    /// Whether the device can have interrupts.
    pub(crate) fn can_interrupt(&self) -> bool {
        self.assigned.can_interrupt()
    }
}

impl Drop for Remapped {
    /// A driver that is bound nevertheless, see [`Assigned`], has interrupts that name entries of the table: taken
    /// for vectors, they would be exceptions.
    fn drop(&mut self) {
        if self.assigned.is_in_use() {
            core::mem::forget(self.tables.take());
        }
    }
}

/// A device's hold of a table.
struct Tables {
    iommu: Arc<Iommu>,
    ids: KVec<u16>,
}

impl Tables {
    /// Gives the IDs the table that one of them has, or a new one of this length. `None` if they have different
    /// ones, or if the hardware does not confirm.
    fn new(iommu: &Arc<Iommu>, length: Length, ids: &[u16]) -> Result<Option<Self>> {
        let shared = ids.iter().rev().find_map(|id| iommu.remapper.table(*id));
        let table = match shared {
            Some(table) => table,
            None => InterruptTable::new(iommu.node, iommu.remapper.format, length)?,
        };
        let mut tables = Self {
            iommu: iommu.clone(),
            ids: KVec::with_capacity(ids.len(), GFP_KERNEL)?,
        };
        for id in ids {
            let Some(confirmed) = iommu.hold(*id, &table)? else {
                return Ok(None);
            };
            tables.ids.push(*id, GFP_KERNEL)?;
            if !confirmed {
                return Ok(None);
            }
        }
        Ok(Some(tables))
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        for id in self.ids.iter() {
            self.iommu.let_go(*id);
        }
    }
}

impl Iommu {
    /// Why interrupts cannot be remapped, if so.
    fn obstacle_to_remapping(&self) -> Option<&'static str> {
        let remapper = &self.remapper;
        let control = Control(self.registers.read(regs::CONTROL));
        if !remapper.remaps {
            Some("IVRS lists no I/O APIC")
        } else if (control.ga_en(), control.xt_en()) != (remapper.ga_en(), remapper.xt_en()) {
            Some("the hardware refuses the interrupt entries of its features")
        } else if !remapper.format.names(irq::highest_apic_id()) {
            Some("a CPU has an APIC ID that interrupt entries cannot name")
        } else {
            None
        }
    }

    /// Sends the interrupts of a requester ID through a table, unless they go through it already. True if
    /// the hardware has confirmed that; `None` if they go through another one, which they do further on.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; nothing has changed.
    fn hold(&self, devid: u16, table: &Arc<InterruptTable>) -> Result<Option<bool>> {
        let mut holders = self.remapper.holders.lock();
        if let Some(holder) = holders.iter_mut().find(|holder| holder.devid == devid) {
            if !Arc::ptr_eq(&holder.table, table) {
                return Ok(None);
            }
            holder.users += 1;
            return Ok(Some(true));
        }
        holders.reserve(1, GFP_KERNEL)?;
        table.add(devid)?;
        let holder = Holder {
            devid,
            table: table.clone(),
            users: 1,
        };
        holders.push(holder, GFP_KERNEL)?;
        Stats::count(&self.stats.remapped);
        let written = self.set_interrupts(devid, Interrupts::Remapped(table.table()));
        Ok(Some(written.is_ok()))
    }

    /// Leaves the interrupts under a requester ID as they are, unless they go through a table because of another
    /// device.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond the end of the device table; `EIO` when the hardware does not confirm.
    pub(crate) fn forward_interrupts(&self, devid: u16) -> Result {
        let holders = self.remapper.holders.lock();
        if holders.iter().any(|holder| holder.devid == devid) {
            return Ok(());
        }
        self.set_interrupts(devid, Interrupts::Forwarded)
    }

    /// The reverse of [`Iommu::hold`].
    fn let_go(&self, devid: u16) {
        let mut holders = self.remapper.holders.lock();
        let Some(at) = holders.iter().position(|holder| holder.devid == devid) else {
            return;
        };
        let Some(holder) = holders.get_mut(at) else {
            return;
        };
        holder.users -= 1;
        if holder.users > 0 {
            return;
        }
        Stats::uncount(&self.stats.remapped);
        // Hardware that was taken away goes on with what the table says.
        let after = if self.is_alive() {
            Interrupts::Forwarded
        } else {
            Interrupts::Blocked
        };
        // Memory that the hardware may still read is not given back.
        if self.set_interrupts(devid, after).is_err() {
            holder.table.keep();
        }
        holder.table.remove(devid);
        let gone = holders.remove(at);
        drop(holders);
        drop(gone);
    }

    /// Says why an interrupt does not come any more.
    pub(super) fn cannot_name(&self, apic: u32) {
        dev_err!(
            self.dev,
            "interrupt entries cannot name APIC {}, to which an interrupt has moved\n",
            apic
        );
    }

    /// No interrupt of a device with a table gets through any more. The kernel gives the vectors of those that end to
    /// others, and hardware that is going could not be told.
    pub(super) fn block_interrupts(&self) {
        for holder in self.remapper.holders.lock().iter() {
            // What the hardware does not confirm has been reported.
            let _ = self.set_interrupts(holder.devid, Interrupts::Blocked);
        }
    }

    /// Which entries the hardware reads.
    pub(crate) fn interrupt_format(&self) -> Format {
        self.remapper.format
    }

    /// Makes the hardware forget the interrupt entries of a requester ID.
    ///
    /// May be called from any context.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not confirm.
    pub(crate) fn invalidate_interrupts(&self, devid: u16) -> Result {
        Stats::count(&self.stats.invalidate_interrupts);
        self.run(&[Command::invalidate_interrupt_table(devid)])
    }

    /// Makes the hardware forget the entries of a table.
    ///
    /// May be called from any context.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not confirm.
    fn invalidate_table(&self, table: &InterruptTable) -> Result {
        let mut result = Ok(());
        let mut rest = usize::MAX;
        while rest > 0 {
            let ids = table.ids_before(rest);
            rest = ids.before();
            result = result.and(self.invalidate_some_interrupts(ids.list()));
        }
        result
    }

    fn invalidate_some_interrupts(&self, ids: &[u16]) -> Result {
        let mut commands = [Command::default(); Ids::MAX];
        for (command, id) in commands.iter_mut().zip(ids) {
            Stats::count(&self.stats.invalidate_interrupts);
            *command = Command::invalidate_interrupt_table(*id);
        }
        self.run(commands.get(..ids.len()).unwrap_or(&commands))
    }
}
