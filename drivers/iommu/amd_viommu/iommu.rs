// SPDX-License-Identifier: GPL-2.0

//! One IOMMU.
//!
//! [`Iommu`] owns the register window and the memory that the hardware reads. It is created by
//! [`Iommu::start`] in the order of hardware reference 3.8 and stays usable until [`Iommu::stop`].
//! Everything above it asks for three things: a change of a device table entry, an invalidation that is
//! over when the call returns, and the remapping of a device's interrupts.

mod attribution;
mod bring_up;
mod command_ring;
mod debugfs;
mod device_table;
mod event_log;
mod external;
mod guests;
mod interrupts;
mod invalidate;
mod listeners;
mod outbox;
mod quiet;
mod registers;
mod service;
mod spares;
mod stats;
mod sysfs;
mod users;

pub(crate) use bring_up::Description;
pub(crate) use debugfs::Folder as DebugFolder;
pub(crate) use external::External;
pub(crate) use interrupts::{Remapped, Remapping};
pub(crate) use listeners::{Heard, Listener};
pub(crate) use service::Shutdown;
pub(crate) use stats::Stats;
pub(crate) use sysfs::{Cap, Features};

use command_ring::CommandRing;
use device_table::DeviceTable;
use event_log::EventLog;
use hw::{
    cap::Capability,
    command::Command,
    dte::{Dte, HostPolicy, Translation},
    interrupt::Interrupts,
    regs::{Efr, Efr2},
    viommu::vsc::Apertures,
};
use interrupts::Remapper;
use kernel::{
    device::Device,
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{Atomic, Relaxed},
    },
};
use kernel_ext::{iommu::Handle, ratelimit::RateLimit};
use listeners::Listeners;
use outbox::Outbox;
use quiet::Rests;
use registers::Registers;
use spares::Spares;
use users::Users;

/// Requester ID in a PCI segment, printed as `0000:00:00.0`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sbdf {
    pub(crate) segment: u16,
    pub(crate) devid: u16,
}

impl Sbdf {
    /// The ID of a PCI function; `None` in a segment that firmware's tables cannot name.
    pub(crate) fn of(pdev: &pci::Device) -> Option<Self> {
        let segment = u16::try_from(kernel_ext::pci::segment(pdev)).ok()?;
        Some(Self {
            segment,
            devid: pdev.dev_id(),
        })
    }
}

/// Class of IOMMU functions: base class 08h, subclass 06h (hardware reference 1.1).
pub(crate) const CLASS: u32 = 0x08_0600;

/// Whether a PCI function is itself an IOMMU.
pub(crate) fn is_function(pdev: &pci::Device) -> bool {
    kernel_ext::pci::class(pdev) >> 8 == CLASS >> 8 && pdev.vendor_id() == pci::Vendor::AMD
}

impl core::fmt::Display for Sbdf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (bus, slot, function) = (self.devid >> 8, self.devid >> 3 & 31, self.devid & 7);
        write!(f, "{:04x}:{bus:02x}:{slot:02x}.{function}", self.segment)
    }
}

impl core::str::FromStr for Sbdf {
    type Err = Error;

    /// Reads `segment:bus:device.function` in hexadecimal digits.
    fn from_str(text: &str) -> Result<Self> {
        let (segment, rest) = text.split_once(':').ok_or(EINVAL)?;
        let (bus, rest) = rest.split_once(':').ok_or(EINVAL)?;
        let (slot, function) = rest.split_once('.').ok_or(EINVAL)?;
        let number = |digits, limit| match u16::from_str_radix(digits, 16) {
            Ok(number) if number <= limit => Ok(number),
            _ => Err(EINVAL),
        };
        Ok(Self {
            segment: number(segment, u16::MAX)?,
            devid: number(bus, 255)? << 8 | number(slot, 31)? << 3 | number(function, 7)?,
        })
    }
}

/// One IOMMU, from bring-up to the end of its last user.
#[pin_data(PinnedDrop)]
pub(crate) struct Iommu {
    #[pin]
    handle: Handle<Iommu>,
    /// The PCI function, for messages.
    dev: ARef<Device>,
    /// Number in names: `ivhd<index>`.
    index: u32,
    /// Requester ID of the PCI function itself.
    sbdf: Sbdf,
    cap: Capability,
    efr: Efr,
    efr2: Efr2,
    /// Width of the addresses that devices may use.
    input_bits: u8,
    /// NUMA node for what the hardware reads.
    node: i32,
    #[pin]
    registers: Registers,
    #[pin]
    table: DeviceTable,
    #[pin]
    ring: CommandRing,
    #[pin]
    log: EventLog,
    #[pin]
    remapper: Remapper,
    /// Limits messages about events.
    #[pin]
    messages: RateLimit,
    /// Limits messages about events of guests.
    #[pin]
    guest_messages: RateLimit,
    /// Limits messages about overflows of the log.
    #[pin]
    overflows: RateLimit,
    #[pin]
    users: Users,
    #[pin]
    spares: Spares,
    /// Events that guests are to be told.
    #[pin]
    outbox: Outbox,
    /// Devices of guests that the hardware has been keeping quiet about for a short time.
    #[pin]
    rests: Rests,
    /// Who hears about guests.
    #[pin]
    listeners: Listeners,
    /// An event was about a guest that it did not name, or was lost.
    suspects: Atomic<bool>,
    /// Where the registers of guests are, or why there are none.
    apertures: Result<Apertures, guests::Lack>,
    stats: Stats,
    /// Devices may be claimed.
    accepting: Atomic<bool>,
    /// The hardware takes no commands any more.
    dead: Atomic<bool>,
    /// The hardware is off or out of reach: nothing is to be expected from it.
    closed: Atomic<bool>,
}

impl AsRef<Handle<Iommu>> for Iommu {
    fn as_ref(&self) -> &Handle<Iommu> {
        &self.handle
    }
}

impl Iommu {
    /// The requester ID of the IOMMU's own PCI function.
    pub(crate) fn sbdf(&self) -> Sbdf {
        self.sbdf
    }

    /// The PCI function, for messages.
    pub(crate) fn dev(&self) -> &Device {
        &self.dev
    }

    /// Features, as firmware or the register gives them.
    pub(crate) fn features(&self) -> (Efr, Efr2) {
        (self.efr, self.efr2)
    }

    /// Width of the addresses that devices may use, 1 to 64.
    pub(crate) fn input_bits(&self) -> u8 {
        self.input_bits
    }

    /// Whether entries that are not present are cached, so that mapping needs an invalidation too.
    pub(crate) fn caches_absent(&self) -> bool {
        self.cap.header.np_cache()
    }

    /// NUMA node for what the hardware reads.
    pub(crate) fn node(&self) -> i32 {
        self.node
    }

    /// Counters for debugfs.
    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether commands still have an effect.
    pub(crate) fn is_alive(&self) -> bool {
        !self.dead.load(Relaxed)
    }

    /// Whether devices behind it may be claimed.
    pub(crate) fn accepts(&self) -> bool {
        self.accepting.load(Relaxed)
    }

    /// Says whether devices behind it may be claimed from now on.
    pub(crate) fn accept(&self, yes: bool) {
        self.accepting.store(yes, Relaxed);
    }

    /// Notes that one more device uses a requester ID.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add_user(&self, devid: u16) -> Result {
        self.users.add(devid)
    }

    /// Makes room for the users of a requester ID, so that [`Iommu::add_user`] needs no memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn reserve_user(&self, devid: u16) -> Result {
        self.users.reserve(devid)
    }

    /// Notes that a device uses a requester ID no more; true if none does.
    pub(crate) fn remove_user(&self, devid: u16) -> bool {
        self.users.remove(devid)
    }

    /// Whether any device uses a requester ID.
    pub(crate) fn is_used(&self, devid: u16) -> bool {
        self.users.of(devid) > 0
    }

    /// Whether several devices use a requester ID.
    pub(crate) fn is_shared(&self, devid: u16) -> bool {
        self.users.of(devid) > 1
    }

    /// Reads the entry of a requester ID; `None` beyond the end of the table.
    pub(crate) fn entry(&self, devid: u16) -> Option<Dte> {
        self.table.read(devid)
    }

    /// Brings the entry of a requester ID to `translation`, step by step so that the hardware never
    /// sees a mixture, and returns when it uses the new one. What happens to interrupts stays.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond the end of the table; `EIO` when the hardware does not confirm, the entry is
    /// written nevertheless.
    pub(crate) fn set_entry(
        &self,
        devid: u16,
        policy: HostPolicy,
        translation: Translation,
    ) -> Result {
        let new = |old| Dte::compose(policy, translation).with_interrupts_of(old);
        self.table.change(devid, new, || {
            Stats::count(&self.stats.invalidate_devtab);
            self.run(&[Command::invalidate_devtab_entry(devid)])
        })
    }

    /// Says what happens to the interrupts of a requester ID, and returns when the hardware does that.
    /// Translation stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Iommu::set_entry`].
    pub(crate) fn set_interrupts(&self, devid: u16, interrupts: Interrupts) -> Result {
        let new = |old: Dte| old.with_interrupts(interrupts);
        self.table.change(devid, new, || {
            Stats::count(&self.stats.invalidate_devtab);
            Stats::count(&self.stats.invalidate_interrupts);
            self.run(&[
                Command::invalidate_devtab_entry(devid),
                Command::invalidate_interrupt_table(devid),
            ])
        })
    }

    /// Writes the entry of a requester ID before translation is enabled, when nothing can be cached. Interrupts are
    /// forwarded.
    ///
    /// # Errors
    ///
    /// `EINVAL` beyond the end of the table.
    pub(crate) fn preset_entry(
        &self,
        devid: u16,
        policy: HostPolicy,
        translation: Translation,
    ) -> Result {
        let new = |_| Dte::compose(policy, translation);
        self.table.change(devid, new, || Ok(()))
    }

    /// Executes commands and returns when all of them have taken effect.
    ///
    /// May be called from any context; polls, for a bounded time.
    fn run(&self, commands: &[Command]) -> Result {
        let wait = self.submit(commands)?;
        self.wait(wait)
    }
}

/// Prints what implements [`core::fmt::Display`] the pure layer with the kernel's macros.
macro_rules! plain {
    ($value:expr) => {
        ::core::format_args!("{}", $value)
    };
}
use plain;
