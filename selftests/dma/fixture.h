/* SPDX-License-Identifier: GPL-2.0 */
/* What the DMA tests stand on: two edu devices and some memory. */
#ifndef VIOMMU_DMA_FIXTURE_H
#define VIOMMU_DMA_FIXTURE_H

#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"
#include "fault.h"
#include "kmod.h"
#include "util.h"
#include "vfio.h"

#define EDU_ONE		0
#define EDU_TWO		1

/* One edu device in a container. */
struct requester {
	struct vfio_device vfio;
	struct edu edu;
	const char *name;
};

static inline int requester_open(struct requester *req, int container, const char *name)
{
	int ret;

	ret = vfio_open(&req->vfio, container, name);
	if (ret)
		return ret;
	req->name = req->vfio.name;
	return edu_init(&req->edu, req->vfio.bar0);
}

static inline void requester_close(struct requester *req)
{
	vfio_close(&req->vfio);
}

/* Anonymous memory, touched, aligned to its own size or to 2 MiB. */
static inline void *memory_alloc(size_t size)
{
	size_t align = size < 2 * MIB ? PAGE_4K : 2 * MIB;
	char *raw, *mem;

	raw = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	mem = (char *)(((unsigned long)raw + align - 1) & ~(align - 1));
	madvise(mem, size, MADV_HUGEPAGE);
	for (size_t i = 0; i < size; i += PAGE_4K)
		mem[i] = 1;
	return mem;
}

/* Everything the tests of this subject need, or the reason to skip. */
static inline const char *dma_missing(struct pci_list *edus)
{
	edu_find(edus);
	if (edus->count < 2)
		return "needs two edu devices on the root bus";
	if (iommu_require())
		return "no AMD IOMMU driver to test";
	if (vfio_prepare())
		return "needs vfio-pci and vfio_iommu_type1";
	return NULL;
}

/* Longer than the interval of the kernel's usual log rate limit. */
#define RATE_LIMIT_MS	5500

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
			sleep_ms(RATE_LIMIT_MS);
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
