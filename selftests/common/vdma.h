/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's amd-viommu-dma (qemu/amd-viommu-hw): a DMA engine whose requests carry
 * whatever a request can. It has 16 KiB of memory of its own; a transfer is over
 * when vdma_run() returns.
 */
#ifndef VIOMMU_VDMA_H
#define VIOMMU_VDMA_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "pci.h"

#define VDMA_VENDOR	0x1234
#define VDMA_DEVICE	0x0a11
#define VDMA_BUFFER	16384

enum vdma_operation {
	VDMA_READ,	/* The device reads memory. */
	VDMA_WRITE,	/* The device writes memory. */
	VDMA_ATOMIC,	/* Adds eight bytes of its own to memory, and keeps what was there. */
	VDMA_EXECUTE,	/* Reads memory to execute what is there. */
};

/* Its bytes start at the beginning of the device's own memory. */
struct vdma_request {
	enum vdma_operation operation;
	__u64 address;
	__u32 length;
	bool has_pasid;
	__u32 pasid;
	bool privileged;
	bool interrupt;		/* MSI-X message 0 follows the transfer. */
};

struct vdma {
	__u64 *bar;
};

/* A device whose BAR 0 is mapped by someone else (VFIO). */
int vdma_init(struct vdma *vdma, void *bar);
/* A device through sysfs: no driver, no VFIO, default domain. */
int vdma_open_sysfs(struct vdma *vdma, const char *name);

/* 0; -EIO if the IOMMU refused a part of it, and nothing behind that was moved. */
int vdma_run(struct vdma *vdma, const struct vdma_request *request);
/* Bytes that the last transfer moved. */
__u64 vdma_moved(struct vdma *vdma);

/* The device's own memory, in multiples of eight bytes. */
void vdma_fill(struct vdma *vdma, const void *bytes, size_t len);
void vdma_fetch(struct vdma *vdma, void *bytes, size_t len);

#endif
