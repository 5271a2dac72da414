// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints, and one function each that the Rust code calls.
 */
#include <linux/types.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

void amd_viommu_trace_command(u32 iommu, const u32 *dw)
{
	trace_amd_viommu_command(iommu, dw);
}

void amd_viommu_trace_event(u32 iommu, const u32 *dw)
{
	trace_amd_viommu_event(iommu, dw);
}
