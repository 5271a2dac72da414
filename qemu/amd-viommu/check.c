// SPDX-License-Identifier: GPL-2.0
/*
 * A binary that was built otherwise than the headers say would be corrupted silently.
 * Its types know how large they are: TypeImpl begins so.
 */
#include "amd-viommu.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "hw/pci/pci_bus.h"
#include "hw/vfio/pci.h"

struct viommu_type {
	const char *name;
	size_t class_size;
	size_t instance_size;
};

static void viommu_check_type(const char *name, size_t class_size, size_t instance_size)
{
	ObjectClass *class = object_class_by_name(name);
	const struct viommu_type *type = class ? (const void *)class->type : NULL;

	/* A size of zero is that of the parent. */
	if (type && !strcmp(type->name, name) &&
	    (!type->class_size || !class_size || type->class_size == class_size) &&
	    type->instance_size == instance_size)
		return;
	error_report(TYPE_AMD_VIOMMU
		     ": this QEMU is not built as the headers it was compiled with say ('%s' differs)",
		     name);
	exit(1);
}

static void viommu_check_build(void)
{
	viommu_check_type(TYPE_DEVICE, sizeof(DeviceClass), sizeof(DeviceState));
	viommu_check_type(TYPE_PCI_DEVICE, sizeof(PCIDeviceClass), sizeof(PCIDevice));
	viommu_check_type(TYPE_PCI_BUS, sizeof(PCIBusClass), sizeof(PCIBus));
	viommu_check_type(TYPE_MEMORY_REGION, sizeof(MemoryRegionClass), sizeof(MemoryRegion));
	viommu_check_type(TYPE_X86_MACHINE, sizeof(X86MachineClass), sizeof(X86MachineState));
	viommu_check_type(TYPE_VFIO_PCI, 0, sizeof(VFIOPCIDevice));
}

/* Runs when all types are known, and before any of ours is made. */
block_init(viommu_check_build);
