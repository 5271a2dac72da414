// SPDX-License-Identifier: GPL-2.0

//! The private address space of an IOMMU (hardware reference 5).

use crate::{
    domain::{host::Host, PrivateTable, Requester},
    iommu::Iommu,
};
use hw::{
    command::{Command, Range},
    viommu::private,
};
use kernel::{prelude::*, sync::Arc};
use kernel_ext::{
    iommu::Access,
    uncached::{Pool, Uncached, UncachedPage},
};

/// The hardware's own page.
const PAGE: usize = 4096;

/// One block of memory that is uncacheable, 2 MiB.
const BLOCK: usize = 2 << 20;

/// How many blocks hold the state of all guests.
const BLOCKS: usize = private::STATE_LEN as usize / BLOCK;

/// What the hardware reaches by its own requester ID.
pub(super) struct PrivateSpace {
    iommu: Arc<Iommu>,
    /// Goes before the memory that is mapped.
    table: PrivateTable,
    /// The IOMMU itself, as a device.
    own: Arc<Requester>,
    pool: Arc<Pool>,
    _state: KVec<Uncached>,
}

impl PrivateSpace {
    /// Makes the space with its first region, and opens it to the hardware.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC`; `EIO` when the hardware does not confirm.
    pub(super) fn new(host: &Arc<Host>, iommu: &Arc<Iommu>) -> Result<Self> {
        let table = PrivateTable::new(host, iommu)?;
        let own = Requester::bare(iommu.clone(), iommu.sbdf().devid)?;
        let pool = Arc::pin_init(Pool::new(iommu.node()), GFP_KERNEL)?;
        let mut state = KVec::with_capacity(BLOCKS, GFP_KERNEL)?;
        for at in (private::STATE..).step_by(BLOCK).take(BLOCKS) {
            let block = Uncached::new(iommu.node(), BLOCK)?;
            table
                .domain
                .map(at, block.phys(), BLOCK, Access::ReadWrite)?;
            state.push(block, GFP_KERNEL)?;
        }
        table.users.join(&own)?;
        Ok(Self {
            iommu: iommu.clone(),
            table,
            own,
            pool,
            _state: state,
        })
    }

    /// A page of memory that can be mapped here, zeroed.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn page(&self) -> Result<UncachedPage> {
        Pool::take(&self.pool)
    }

    /// Maps a page. [`PrivateSpace::forget`] has to follow before the hardware relies on it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EADDRINUSE`.
    pub(super) fn map(&self, at: u64, phys: u64, access: Access) -> Result {
        self.table.domain.map(at, phys, PAGE, access)
    }

    /// Unmaps a range of single pages, and forgets it.
    pub(super) fn unmap(&self, at: u64, bytes: u64) {
        // Only ranges that were mapped get here.
        let _ = self.table.domain.unmap(at, bytes as usize);
    }

    /// Makes the hardware forget what it has cached of a range, absent entries too.
    ///
    /// # Errors
    ///
    /// `EIO` when the hardware does not confirm.
    pub(super) fn forget(&self, at: u64, bytes: u64) -> Result {
        let range = Range::new(at, at + (bytes - 1));
        let command = Command::invalidate_iommu_pages(self.table.users.id(), range, true);
        self.iommu.invalidate(&[command])
    }

    /// Takes the space from the hardware.
    pub(super) fn close(&self) {
        self.table.users.leave(&self.own);
    }
}

impl Drop for PrivateSpace {
    fn drop(&mut self) {
        self.close();
    }
}
