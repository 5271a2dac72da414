// SPDX-License-Identifier: GPL-2.0

//! Interrupts of guests' IOMMUs: few vectors of the host, which many guests share (hardware reference
//! 6.4).

mod table;

use super::{
    interrupts::{Follower, HostVector},
    listeners::BUCKETS,
    Iommu,
};
use hw::{
    interrupt::{Format, Interrupts, Route},
    viommu::external,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
    time::{delay::fsleep, Delta, Instant, Monotonic},
};
use kernel_ext::{irq::Handler, new_raw_spinlock_irq, raw_spinlock::RawSpinLockIrq};
use table::Table;

/// How many vectors there are, if the CPUs have so many.
const LANES: usize = 8;

const _: () = assert!(BUCKETS % LANES == 0, "no bucket has guests of two vectors");

/// The shortest pause between two looks at the guests of a vector.
const REST: Delta = Delta::from_micros(50);

/// A vector, and the guests whose interrupts come by it.
#[pin_data]
struct Lane {
    iommu: Arc<Iommu>,
    table: Arc<Table>,
    number: usize,
    /// How many there are.
    of: usize,
    /// Where the vector is. Held while entries that depend on it are written.
    #[pin]
    route: RawSpinLockIrq<Option<Route>>,
}

impl Lane {
    fn new(iommu: &Arc<Iommu>, table: &Arc<Table>, number: usize, of: usize) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                iommu: iommu.clone(),
                table: table.clone(),
                number,
                of,
                route <- new_raw_spinlock_irq!(None, "amd_viommu::lane"),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes the hardware forget what it has cached of the tables.
    fn forget(&self) -> Result {
        self.iommu.invalidate_interrupts(self.iommu.sbdf.devid)
    }

    /// Lets a guest's interrupt come by this lane, or no more.
    fn admit(&self, gid: u16, yes: bool) -> Result {
        let route = self.route.lock();
        self.table.admit(gid, yes, *route);
        drop(route);
        self.forget()
    }
}

impl Follower for Lane {
    fn follow(&self, new: Option<Route>) -> Result {
        let mut route = self.route.lock();
        *route = new;
        self.table
            .redirect(new, |gid| external::vector_of(gid, self.of) == self.number);
        drop(route);
        if let Some(unnamed) = new.filter(|route| !self.table.names(*route)) {
            self.iommu.cannot_name(unnamed.destination);
        }
        self.forget()
    }
}

impl Handler for Lane {
    /// A guest can interrupt as often as it likes. The thread of each vector rests for as long as it has worked, so that
    /// it takes half of a CPU's time at most; what comes meanwhile is answered together. The hard interrupts, which
    /// only wake the thread, are not limited.
    fn handle(&self) {
        let begun = Instant::<Monotonic>::now();
        self.iommu.listeners.interrupt(self.number, self.of);
        fsleep(begun.elapsed().max(REST));
    }
}

/// What brings the interrupts of guests' IOMMUs to the host.
#[pin_data]
pub(crate) struct External {
    iommu: Arc<Iommu>,
    table: Arc<Table>,
    lanes: KVec<Arc<Lane>>,
    #[pin]
    vectors: Mutex<KVec<HostVector<Lane>>>,
}

impl External {
    /// Takes vectors, and has the hardware use the tables. No guest is admitted.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` when the IOMMU does not remap interrupts, `ENOSPC` when the CPUs have no vectors left,
    /// `ENOMEM`; `EIO` when the hardware does not confirm.
    pub(crate) fn start(iommu: &Arc<Iommu>) -> Result<Arc<Self>> {
        let format = iommu.interrupt_format();
        if let Format::Short = format {
            return Err(EOPNOTSUPP);
        }
        let table = Table::new(iommu.node, format)?;
        let this = Self::with_lanes(iommu, &table, LANES)
            .or_else(|_| Self::with_lanes(iommu, &table, 1))?;
        let interrupts = Interrupts::Remapped(table.described());
        if let Err(error) = iommu.set_interrupts(iommu.sbdf.devid, interrupts) {
            this.close();
            return Err(error);
        }
        Ok(this)
    }

    fn with_lanes(iommu: &Arc<Iommu>, table: &Arc<Table>, count: usize) -> Result<Arc<Self>> {
        let mut lanes = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut vectors = KVec::with_capacity(count, GFP_KERNEL)?;
        for number in 0..count {
            let lane = Lane::new(iommu, table, number, count)?;
            let vector = iommu
                .host_vector(c"amd_viommu guests", lane.clone(), lane.clone())
                .map_err(|error| if error == ENODEV { EOPNOTSUPP } else { error })?;
            lanes.push(lane, GFP_KERNEL)?;
            vectors.push(vector, GFP_KERNEL)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                iommu: iommu.clone(),
                table: table.clone(),
                lanes,
                vectors <- new_mutex!(vectors, "amd_viommu::external"),
            }),
            GFP_KERNEL,
        )
    }

    fn lane(&self, gid: u16) -> Result<&Lane> {
        let lane = self.lanes.get(external::vector_of(gid, self.lanes.len()));
        lane.map(|lane| &**lane).ok_or(EINVAL)
    }

    /// Lets the interrupts of a guest through to its listener.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EIO` when the hardware does not confirm.
    pub(crate) fn admit(&self, gid: u16) -> Result {
        self.table.prepare(gid)?;
        self.lane(gid)?.admit(gid, true)
    }

    /// The reverse of [`External::admit`].
    pub(crate) fn dismiss(&self, gid: u16) {
        if let Ok(lane) = self.lane(gid) {
            // What the hardware may go on using leads to a handler that finds nothing to do.
            let _ = lane.admit(gid, false);
        }
    }

    /// Takes the tables from the hardware, and gives the vectors back.
    pub(crate) fn close(&self) {
        let devid = self.iommu.sbdf.devid;
        if self
            .iommu
            .set_interrupts(devid, Interrupts::Forwarded)
            .is_err()
        {
            self.table.keep();
        }
        let vectors = core::mem::take(&mut *self.vectors.lock());
        drop(vectors);
    }
}
