// SPDX-License-Identifier: GPL-2.0

//! Tracepoints `amd_viommu:amd_viommu_command` and `amd_viommu:amd_viommu_event`.

use hw::{command::Command, event::RawEvent};

unsafe extern "C" {
    fn amd_viommu_trace_command(iommu: u32, dw: *const u32);
    fn amd_viommu_trace_event(iommu: u32, dw: *const u32);
}

/// A command has been put into the ring of IOMMU `iommu`.
pub(crate) fn command(iommu: u32, command: &Command) {
    // SAFETY: The function reads four words, which is what there is.
    unsafe { amd_viommu_trace_command(iommu, command.0.as_ptr()) }
}

/// An event has been taken from the log of IOMMU `iommu`.
pub(crate) fn event(iommu: u32, event: &RawEvent) {
    // SAFETY: The function reads four words, which is what there is.
    unsafe { amd_viommu_trace_event(iommu, event.0.as_ptr()) }
}
