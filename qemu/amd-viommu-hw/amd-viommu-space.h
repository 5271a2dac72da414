/* SPDX-License-Identifier: GPL-2.0 */
/* What the IOMMU offers to a device that knows it, and the memory behind it. */
#ifndef AMD_VIOMMU_SPACE_H
#define AMD_VIOMMU_SPACE_H

#include "hw/pci/pci_device.h"
#include "model.h"

/* The IOMMU that translates a device, or NULL if it is none of ours. */
struct viommu_space *viommu_space_of(PCIDevice *dev);

/*
 * Has the IOMMU translate a request with all its attributes; the requester ID
 * is filled in. False: the access ends in an abort.
 */
bool viommu_space_translate(struct viommu_space *space,
			    struct viommu_request *request,
			    struct viommu_translation *out);

/*
 * Has the IOMMU decide over an interrupt, and sends what is left of it. False: the
 * write ends in an abort.
 */
bool viommu_space_interrupt(struct viommu_space *space,
			    struct viommu_message *message);

/* Has the IOMMU refuse a write to the range of interrupts that is no message. */
void viommu_space_refuse(struct viommu_space *space, struct viommu_request *request);

/* Whether an address is in the range of interrupts. */
static inline bool viommu_is_interrupt(uint64_t addr)
{
	return addr >> 20 == 0xfee;
}

/* Access to RAM: false, and nothing done, if a part of it is something else. */
bool viommu_memory_read(void *opaque, uint64_t addr, void *buf, size_t len);
bool viommu_memory_write(void *opaque, uint64_t addr, const void *buf, size_t len);
bool viommu_memory_exchange(void *opaque, uint64_t addr, uint64_t old,
			    uint64_t new, uint64_t *found);

#endif
