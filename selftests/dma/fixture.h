/* SPDX-License-Identifier: GPL-2.0 */
/* What all DMA tests need of the machine, and an access that must not succeed. */
#ifndef VIOMMU_DMA_FIXTURE_H
#define VIOMMU_DMA_FIXTURE_H

#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"
#include "fault.h"
#include "kmod.h"
#include "needs.h"
#include "requester.h"
#include "util.h"
#include "vfio.h"

#define EDU_ONE		0
#define EDU_TWO		1

static inline const char *dma_missing(struct pci_list *edus)
{
	return need_edus(edus, 2) ?: need_iommu();
}

/*
 * A short access that must fault: is it reported as what it is? Earlier faults
 * may have used up the log's rate limit; then one more try follows after it.
 */
static inline const char *stray_access(struct edu *edu, int kmsg, const char *device,
				       enum edu_direction direction, __u64 iova, bool present)
{
	const char *reason = "";
	int tries;

	for (tries = 0; tries < 2; tries++) {
		if (tries)
			sleep_ms(FAULT_LIMIT_MS);
		kmsg_skip(kmsg);
		if (edu_dma(edu, direction, iova, 0, 4))
			return "the device did not end its transfer";
		reason = fault_check(kmsg, device, iova, 4, direction == EDU_WRITE, present);
		if (!*reason)
			break;
	}
	return reason;
}

#endif
