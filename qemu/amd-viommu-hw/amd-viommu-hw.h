/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of -device amd-viommu-hw share. */
#ifndef AMD_VIOMMU_HW_H
#define AMD_VIOMMU_HW_H

#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "qemu/timer.h"
#include "amd-viommu-space.h"

#define TYPE_AMD_VIOMMU_HW	"amd-viommu-hw"
OBJECT_DECLARE_SIMPLE_TYPE(AmdViommuHw, AMD_VIOMMU_HW)

struct viommu_window_region {
	MemoryRegion region;
	AmdViommuHw *viommu;
	enum viommu_window window;
};

struct AmdViommuHw {
	PCIDevice parent_obj;

	char *root;
	uint64_t mmio;
	struct viommu_model *model;
	struct viommu_window_region windows[VIOMMU_WINDOWS];
	QEMUTimer *timer;
	QEMUBH *bh;
	Notifier exit;
};

/* Follows every call of the model. */
void viommu_settle(AmdViommuHw *s);

/* A message past every IOMMU, with the lock of the machine held. */
void viommu_send_message(uint64_t addr, uint32_t data);

/* The address space of a requester. */
AddressSpace *viommu_address_space(PCIBus *bus, void *opaque, int devfn);

#endif
