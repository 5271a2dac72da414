// SPDX-License-Identifier: GPL-2.0

//! The kernel's generic page tables (`GENERIC_PT`) as the tables of a domain.
//!
//! The format is a type made by [`generic_pt_format!`](crate::generic_pt_format). The module that
//! uses it imports the symbol namespace `GENERIC_PT_IOMMU`.
//!
//! C header: `include/linux/generic_pt/iommu.h`

use crate::bindings;
use kernel::ffi::c_int;

/// The hardware can follow a change of the top table while it walks.
pub const DYNAMIC_TOP: u32 = 1 << bindings::pt_features_PT_FEAT_DYNAMIC_TOP;
/// One flush per unmap, even if the gathered range has holes.
pub const FLUSH_RANGE: u32 = 1 << bindings::pt_features_PT_FEAT_FLUSH_RANGE;
/// Flush only what was unmapped.
pub const FLUSH_RANGE_NO_GAPS: u32 = 1 << bindings::pt_features_PT_FEAT_FLUSH_RANGE_NO_GAPS;

/// Number of the `n`th feature bit that belongs to one format only.
pub const fn format_feature(n: u32) -> u32 {
    1 << (bindings::pt_features_PT_FEAT_FMT_START + n)
}

/// What a table is made for.
#[derive(Clone, Copy)]
pub struct Config {
    /// Feature bits.
    pub features: u32,
    /// Width of input addresses.
    pub input_bits: u8,
    /// Width of output addresses.
    pub output_bits: u8,
    /// Level of the top table, counted from 0 for the one that maps single pages.
    pub top_level: u32,
}

/// Where a table begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// Physical address of the top table.
    pub phys: u64,
    /// Number of levels.
    pub levels: u8,
}

/// A page table format of the kernel.
///
/// # Safety
///
/// `Table` is a C structure whose first member is `struct pt_iommu`; zeroes are a valid state of it
/// before `init`. The functions are those of one format.
pub unsafe trait Format: 'static {
    /// The C structure.
    type Table;

    /// Makes an empty table.
    ///
    /// # Safety
    ///
    /// `table` is zeroed but for what a driver sets before, and does not move afterwards.
    unsafe fn init(table: *mut Self::Table, config: Config) -> c_int;

    /// Reads the top.
    ///
    /// # Safety
    ///
    /// `table` is initialised, and the lock of its top is held or nobody can change it.
    unsafe fn top(table: *mut Self::Table) -> Top;

    /// `iova_to_phys` of the domain operations.
    const IOVA_TO_PHYS: unsafe extern "C" fn(
        *mut bindings::iommu_domain,
        bindings::dma_addr_t,
    ) -> bindings::phys_addr_t;
}

/// Declares a type for one format of generic page tables.
///
/// Takes the name of the type, the format's name in C, and the names of three C fields: the one of
/// the configuration that holds the top level, and the two that report top address and levels.
///
/// # Examples
///
/// ```ignore
/// kernel_ext::generic_pt_format! {
///     /// Ordinary x86 tables.
///     pub X86 = x86_64 { top_level, gcr3_pt, levels }
/// }
/// ```
#[macro_export]
macro_rules! generic_pt_format {
    ($(#[$doc:meta])* $vis:vis $name:ident = $c:ident { $level:ident, $phys:ident, $levels:ident }) => {
        $(#[$doc])*
        $vis struct $name;

        ::kernel::macros::paste! {
            // SAFETY: All items are those of one format, whose table starts with `pt_iommu`.
            unsafe impl $crate::iommu::generic_pt::Format for $name {
                type Table = $crate::bindings::[<pt_iommu_ $c>];

                // SAFETY: The contract is the trait's.
                unsafe fn init(
                    table: *mut Self::Table,
                    config: $crate::iommu::generic_pt::Config,
                ) -> ::kernel::ffi::c_int {
                    let config = $crate::bindings::[<pt_iommu_ $c _cfg>] {
                        common: $crate::bindings::pt_iommu_cfg {
                            features: config.features,
                            hw_max_vasz_lg2: config.input_bits,
                            hw_max_oasz_lg2: config.output_bits,
                        },
                        $level: config.top_level,
                    };
                    let gfp = $crate::bindings::GFP_KERNEL;
                    // SAFETY: The table is ready by this function's contract; the configuration
                    // is only read.
                    unsafe { $crate::bindings::[<pt_iommu_ $c _init>](table, &config, gfp) }
                }

                // SAFETY: The contract is the trait's.
                unsafe fn top(table: *mut Self::Table) -> $crate::iommu::generic_pt::Top {
                    let mut info = $crate::bindings::[<pt_iommu_ $c _hw_info>] {
                        $phys: 0,
                        $levels: 0,
                    };
                    // SAFETY: The table is initialised by this function's contract, `info` a
                    // place for the answer.
                    unsafe { $crate::bindings::[<pt_iommu_ $c _hw_info>](table, &mut info) };
                    $crate::iommu::generic_pt::Top { phys: info.$phys, levels: info.$levels }
                }

                const IOVA_TO_PHYS: unsafe extern "C" fn(
                    *mut $crate::bindings::iommu_domain,
                    $crate::bindings::dma_addr_t,
                ) -> $crate::bindings::phys_addr_t =
                    $crate::bindings::[<pt_iommu_ $c _iova_to_phys>];
            }
        }
    };
}
