/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM amd_viommu

#if !defined(_AMD_VIOMMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _AMD_VIOMMU_TRACE_H

#include <linux/tracepoint.h>

/* A command or an event: four 32-bit words of the ring of one IOMMU. */
DECLARE_EVENT_CLASS(amd_viommu_entry,
	TP_PROTO(u32 iommu, const u32 *dw),
	TP_ARGS(iommu, dw),
	TP_STRUCT__entry(
		__field(u32, iommu)
		__array(u32, dw, 4)
	),
	TP_fast_assign(
		__entry->iommu = iommu;
		memcpy(__entry->dw, dw, sizeof(__entry->dw));
	),
	TP_printk("ivhd%u op=0x%x dw=%08x %08x %08x %08x",
		  __entry->iommu, __entry->dw[1] >> 28, __entry->dw[0],
		  __entry->dw[1], __entry->dw[2], __entry->dw[3])
);

DEFINE_EVENT(amd_viommu_entry, amd_viommu_command,
	TP_PROTO(u32 iommu, const u32 *dw),
	TP_ARGS(iommu, dw)
);

DEFINE_EVENT(amd_viommu_entry, amd_viommu_event,
	TP_PROTO(u32 iommu, const u32 *dw),
	TP_ARGS(iommu, dw)
);

/* Called from Rust, which cannot expand the macros above. */
void amd_viommu_trace_command(u32 iommu, const u32 *dw);
void amd_viommu_trace_event(u32 iommu, const u32 *dw);

#endif /* _AMD_VIOMMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
