// SPDX-License-Identifier: GPL-2.0

//! Driver for AMD IOMMUs.
//!
//! The rooms of the house, each of which uses only those below it:
//!
//! * [`chardev`][]: `/dev/amd-viommu`;
//! * [`driver`]: binding to the PCI function, `offline`, removal;
//! * [`viommu`]: hardware IOMMUs for guests;
//! * [`domain`]: devices and their domains, the backend of the IOMMU core;
//! * [`iommu`]: one IOMMU: bring-up, device table, command ring, event log, interrupt tables;
//! * [`hw`]: the hardware as data, pure.
//!
//! # Lock order
//!
//! From the outside in; a lock further down may be taken while those above are held:
//!
//! 1. [`driver`]'s mutex of a PCI function;
//! 2. the locks of devices (by trying, so claiming may do that below 5 as well);
//! 3. the IOMMU core's probe lock, then a group's mutex;
//! 4. that of those who read an open file's events, then a guest's mutex, or that of an IOMMU's template, then that
//!    of its external interrupts;
//! 5. [`domain::host`]'s mutex of claiming, then its list of claimed devices;
//! 6. the life of a client, a mutex, then who depends on a domain; a client's interrupts, a mutex, apart from
//!    those;
//! 7. the other mutexes of [`domain::host`], an IOMMU's counts of users, its interrupt tables and their places,
//!    its interrupt unit, the vectors of its external interrupts, its spare IDs, its guests and their IDs, its
//!    private table and that table's memory, and what an open file has: its mappings, then its list of guests.
//!    But for those two one at a time. Also, from the outside in: telling of events, a bucket of those who hear
//!    about guests (a spinlock), then one of what has become of a guest's queues, its eventfd and what an open
//!    file has to read (spinlocks);
//! 8. the lock of a page table's top;
//! 9. the members of a domain;
//! 10. the device table, or which devices of guests rest, one at a time;
//! 11. where a vector of external interrupts is, then their table, or the requester IDs of an interrupt table;
//!     then control register, command ring, event log, one at a time, and under that of the log events that wait
//!     to be told. These are raw: the interrupt core calls with raw locks held.
//!
//! From 8 on they are spinlocks that keep interrupts off, because a change of a page table's top and an
//! unmap may come from any context. The ring's own lock is never held across a wait for hardware.

use kernel::prelude::*;
use kernel_ext::pci::FixedAdapter;

mod chardev;
mod compat;
mod domain;
mod driver;
mod iommu;
mod trace;
mod viommu;

/// The module. Fields go in the order in which they are written here: no IOMMU may be left when the
/// state that they share goes.
#[pin_data]
struct AmdViommu {
    #[pin]
    node: chardev::Registration,
    #[pin]
    pci: kernel::driver::Registration<FixedAdapter<driver::Binding>>,
    shared: Shared,
}

/// The state that all IOMMUs share exists as long as this.
struct Shared;

impl Shared {
    fn open(module: &'static ThisModule) -> Result<Self> {
        driver::open()?;
        domain::host::open(module)?;
        viommu::open()?;
        Ok(Self)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        driver::close();
        viommu::close();
        domain::host::close();
    }
}

impl kernel::InPlaceModule for AmdViommu {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            shared: Shared::open(module)?,
            pci <- kernel::driver::Registration::new(c"amd_viommu", module),
            node <- chardev::Registration::new(),
            _: { driver::hint_if_idle() },
        })
    }
}

module! {
    type: AmdViommu,
    name: "amd_viommu",
    authors: ["The amd-viommu developers"],
    description: "AMD IOMMU driver with hardware-assisted virtualization",
    license: "GPL",
    imports_ns: ["GENERIC_PT_IOMMU"],
}
