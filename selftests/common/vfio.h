/* SPDX-License-Identifier: GPL-2.0 */
/* VFIO type 1 containers and devices. */
#ifndef VIOMMU_VFIO_H
#define VIOMMU_VFIO_H

#include <stddef.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "pci.h"

#define VFIO_RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

struct vfio_device {
	char name[PCI_NAME_LEN];
	int group;
	int device;
	void *bar0;
	size_t bar0_size;
};

struct vfio_range {
	__u64 start, end;
};

/* Loads VFIO. */
int vfio_prepare(void);
/* An empty container: a file descriptor. */
int vfio_container(void);
/* Binds the device to vfio-pci and puts its group into the container. */
int vfio_join(int container, const char *name);
/* The same without choosing an IOMMU type: the device is owned and blocked. */
int vfio_join_blocked(int container, const char *name);
/* vfio_join(), then the device itself with BAR 0 mapped and DMA enabled. */
int vfio_open(struct vfio_device *dev, int container, const char *name);
/* Takes a further device out of a group that is in a container already. */
int vfio_open_in_group(struct vfio_device *dev, int group, const char *name);
void vfio_close(struct vfio_device *dev);
/* Message 0 of MSI goes to an eventfd. */
int vfio_enable_msi(struct vfio_device *dev, int event);
int vfio_disable_msi(struct vfio_device *dev);
/* The first messages of MSI, each to an eventfd. */
int vfio_enable_several_msi(struct vfio_device *dev, const int *events, unsigned int count);
/* Message 0 of MSI-X goes to an eventfd. */
int vfio_enable_msix(struct vfio_device *dev, int event);
int vfio_disable_msix(struct vfio_device *dev);

int vfio_map(int container, void *memory, __u64 iova, __u64 size, __u32 flags);
/* Bytes that were unmapped, or a negative errno. */
long long vfio_unmap(int container, __u64 iova, __u64 size);
/* The address ranges that may be mapped; returns their number. */
int vfio_ranges(int container, struct vfio_range *ranges, int max);

#endif
