/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine monitor without a virtual machine: memory that VFIO maps at guest physical
 * addresses, devices in one container, and an IOMMU for the guest. The guest is played by guest.h.
 */
#ifndef VIOMMU_VMM_H
#define VIOMMU_VMM_H

#include <stdbool.h>

#include "node.h"
#include "pci.h"
#include "util.h"
#include "vdma.h"
#include "vfio.h"

/* Where the guest's memory is in its own address space. Nothing is below it. */
#define GUEST_BASE	(16 * MIB)
#define GUEST_SIZE	(4 * MIB)

struct vmm {
	int node, container;
	__u32 host, handle;
	char *mem;
	__u64 *page;			/* The VF page; NULL without a vIOMMU. */
	__u64 page_offset;

	/* Of the guest. */
	__u32 queue_size, tail;
	__u64 waits, next_table;
	__u64 shift;			/* Of its queues, behind their usual places. */
};

/* A device of the guest. */
struct vmm_device {
	struct vfio_device vfio;
	struct vdma dma;
	__u16 id;
	int pasid;			/* Of its requests; VMM_NO_PASID: they have none. */
};

#define VMM_NO_PASID	(-1)


/* Opens the node and a container, and gets memory. */
int vmm_open(struct vmm *vmm);
/* A device in the container, that the guest will know by this ID. */
int vmm_take(struct vmm *vmm, struct vmm_device *dev, const char *name, __u16 id);
/* VFIO maps the guest's memory. Needs a device in the container. */
int vmm_map(struct vmm *vmm);
/* VM_INIT on the host's IOMMU that the device is behind, and its VF page. */
int vmm_init(struct vmm *vmm, struct vmm_device *dev);
int vmm_attach(struct vmm *vmm, struct vmm_device *dev);
/* All of the above. */
int vmm_start(struct vmm *vmm, struct vmm_device *dev, const char *name, __u16 id);
void vmm_release(struct vmm_device *dev);
/* Gives everything back, the node first. Devices have been released, or are later. */
void vmm_close(struct vmm *vmm);

/*
 * For a second vIOMMU on the same file: node, container and memory are those of the first. Queues and
 * tables have other places, unless a queue of the first is larger than guest_boot() makes it. It is not
 * closed: its page is unmapped before the first is closed.
 */
void vmm_beside(struct vmm *second, const struct vmm *first);
void vmm_unmap_page(struct vmm *vmm);

/* Registers of the mapped page, by their number. */
__u64 vmm_get(struct vmm *vmm, unsigned int reg);
void vmm_set(struct vmm *vmm, unsigned int reg, __u64 value);

/* Guest memory as this process sees it. */
void *vmm_at(struct vmm *vmm, __u64 gpa);

/* The device reads or writes memory, up to 4 KiB. -EIO if it was refused. */
int vmm_read(struct vmm_device *dev, __u64 iova, void *buf, size_t len);
int vmm_write(struct vmm_device *dev, __u64 iova, const void *buf, size_t len);
/*
 * Do the right bytes go both ways between the device and guest memory, when the device uses the
 * address iova and the memory is at gpa?
 */
bool vmm_moves(struct vmm *vmm, struct vmm_device *dev, __u64 iova, __u64 gpa);
/* Is the device stopped at this address, for reads and writes? */
bool vmm_blocked(struct vmm_device *dev, __u64 iova);
/* A device's whole life in a VM: does it come, work and go? */
bool vmm_device_works(const char *name);

/* This many amd-viommu-dma devices behind an IOMMU that has guests, or what is missing. */
const char *need_guests(struct pci_list *devices, unsigned int count);

#endif
