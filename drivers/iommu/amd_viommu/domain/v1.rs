// SPDX-License-Identifier: GPL-2.0

//! Domains with a host (v1) page table.

use super::{backend::Backend, client::Client, members::Members};
use crate::iommu::{Iommu, Stats};
use core::ops::RangeInclusive;
use hw::command::Range;
use kernel::{prelude::*, sync::Arc};
use kernel_ext::iommu::{
    generic_pt::{self, Config, Top},
    Paging, PagingDomain,
};

kernel_ext::generic_pt_format! {
    /// The kernel's tables in AMD's host format.
    pub(crate) AmdV1 = amdv1 { starting_level, host_pt_root, mode }
}

/// Tables hold the memory encryption bit in every pointer.
const ENCRYPT_TABLES: u32 = generic_pt::format_feature(0);

/// Leaves carry the bit that makes DMA snoop whatever the device asks (FC).
const FORCE_COHERENCE: u32 = generic_pt::format_feature(1);

/// Width of the addresses that a table entry holds.
const OUTPUT_BITS: u8 = 52;

type Domain = Pin<KBox<PagingDomain<Backend>>>;

/// The driver's part of a domain.
pub(crate) struct V1Domain {
    members: Arc<Members>,
    /// Whose counters and whose cache of absent entries matter.
    iommu: Arc<Iommu>,
}

impl V1Domain {
    /// Makes an empty domain for devices behind `iommu`.
    ///
    /// The table starts at the level that covers every address the hardware takes, so that its top
    /// stays where it is for good.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when domain IDs have run out, `ENOMEM`.
    pub(super) fn create(members: Arc<Members>, iommu: Arc<Iommu>) -> Result<Domain> {
        Self::build(members, iommu, PagingDomain::new)
    }

    /// The same for a table that the driver fills itself.
    ///
    /// # Errors
    ///
    /// As [`V1Domain::create`].
    pub(super) fn own(members: Arc<Members>, iommu: Arc<Iommu>) -> Result<Domain> {
        Self::build(members, iommu, PagingDomain::own)
    }

    fn build(
        members: Arc<Members>,
        iommu: Arc<Iommu>,
        make: fn(Self, Config, i32) -> Result<Domain>,
    ) -> Result<Domain> {
        let flushing = if iommu.caches_absent() {
            generic_pt::FLUSH_RANGE_NO_GAPS
        } else {
            generic_pt::FLUSH_RANGE
        };
        let levels = iommu
            .input_bits()
            .saturating_sub(12)
            .div_ceil(9)
            .clamp(3, 6);
        let config = Config {
            features: generic_pt::DYNAMIC_TOP | ENCRYPT_TABLES | FORCE_COHERENCE | flushing,
            input_bits: iommu.input_bits(),
            output_bits: OUTPUT_BITS,
            top_level: u32::from(levels) - 1,
        };
        let node = iommu.node();
        Stats::count(&iommu.stats().domains);
        let domain = make(Self { members, iommu }, config, node)?;
        let Self { members, .. } = domain.driver();
        domain.with_top(|top| members.set_top(top));
        Ok(domain)
    }

    /// The devices and the domain ID.
    pub(super) fn members(&self) -> &Arc<Members> {
        &self.members
    }

    /// Whether the table's addresses fit devices behind `iommu`.
    pub(super) fn suits(&self, iommu: &Iommu) -> bool {
        iommu.input_bits() >= self.iommu.input_bits()
            && (self.iommu.caches_absent() || !iommu.caches_absent())
    }
}

fn to_hardware(range: &RangeInclusive<u64>) -> Range {
    Range::new(*range.start(), *range.end())
}

impl Paging for V1Domain {
    type Format = AmdV1;
    type Client = Client;

    fn flush_all(&self) {
        // A failure has been reported, and the core has no use for it.
        let _ = self.members.flush(Range::ALL, true);
    }

    fn flush(&self, range: RangeInclusive<u64>, tables: bool) {
        // As above.
        let _ = self.members.flush(to_hardware(&range), tables);
    }

    fn mapped(&self, range: RangeInclusive<u64>) -> Result {
        if !self.iommu.caches_absent() {
            return Ok(());
        }
        self.members.flush(to_hardware(&range), true)
    }

    fn change_top(&self, top: Top) {
        self.members.change_top(top);
    }

    fn sever(&self) {
        self.members.sever();
    }

    fn enforce_cache_coherency(&self) -> bool {
        // Every leaf already carries the bit, see FORCE_COHERENCE.
        true
    }
}

impl Drop for V1Domain {
    fn drop(&mut self) {
        Stats::uncount(&self.iommu.stats().domains);
    }
}
