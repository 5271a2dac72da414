/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The DMA engine of QEMU's "edu" device: a requester that software can aim.
 *
 * The device has 4 KiB of memory of its own, which only its DMA engine can
 * reach. Each transfer starts about 100 ms after its command. The emulated
 * device does not defend itself against a transfer that leaves its own memory,
 * so the helpers refuse one.
 */
#ifndef VIOMMU_EDU_H
#define VIOMMU_EDU_H

#include <stddef.h>
#include <linux/types.h>

#include "pci.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_BUFFER	4096

enum edu_direction {
	EDU_READ,	/* The device reads memory. */
	EDU_WRITE,	/* The device writes memory. */
};

struct edu {
	void *bar;
	size_t bar_size;
};

/* All edu devices of the machine that sit directly on the root bus. */
void edu_find(struct pci_list *list);
/* An edu device whose BAR 0 is mapped by someone else (VFIO). */
int edu_init(struct edu *edu, void *bar);
/* An edu device through sysfs: no driver, no VFIO, default domain. */
int edu_open_sysfs(struct edu *edu, const char *name);
void edu_close_sysfs(struct edu *edu);

/* The device raises its interrupt. */
void edu_raise(struct edu *edu, __u32 reason);

int edu_start(struct edu *edu, enum edu_direction direction, __u64 iova,
	      __u32 offset, __u32 len);
int edu_wait(struct edu *edu);
/* edu_start() and edu_wait(). Success says nothing about the bytes. */
int edu_dma(struct edu *edu, enum edu_direction direction, __u64 iova,
	    __u32 offset, __u32 len);
/* Device reads from one address, then writes what it read to another. */
int edu_copy(struct edu *edu, __u64 to, __u64 from, __u32 len);

#endif
