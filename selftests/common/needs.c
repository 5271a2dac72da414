// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "block.h"
#include "claim.h"
#include "edu.h"
#include "kmod.h"
#include "needs.h"
#include "vdma.h"
#include "vfio.h"

#define WAIT_MS		20000

static const char *module_file_missing(void)
{
	char path[256];

	return viommu_module_path(path, sizeof(path)) ? "needs the module's file" : NULL;
}

const char *need_iommu(void)
{
	struct pci_list iommus;
	const char *missing;

	if (iommu_driver() != IOMMU_DRIVER_NONE)
		return NULL;
	pci_find_iommus(&iommus);
	missing = iommus.count ? module_file_missing() : "needs an AMD IOMMU";
	if (!missing)
		viommu_load();
	return missing;
}

const char *need_module(void)
{
	return iommu_driver() == IOMMU_DRIVER_BUILTIN ?
		"the built-in driver runs this machine" : module_file_missing();
}

static const char *vfio_missing(void)
{
	return vfio_prepare() ? "needs vfio-pci and vfio_iommu_type1" : NULL;
}

const char *need_edus(struct pci_list *edus, unsigned int count)
{
	edu_find(edus);
	if (edus->count < count)
		return "needs more edu devices on the root bus";
	return vfio_missing();
}

const char *need_vdma(struct pci_list *devices)
{
	pci_find_id(devices, VDMA_VENDOR, VDMA_DEVICE);
	if (!devices->count)
		return "needs amd-viommu-dma, which comes with the hardware model";
	return vfio_missing();
}

const char *need_drive(struct block *block, const char *serial)
{
	struct pci_list drives;
	unsigned int i;

	memset(block, 0, sizeof(*block));
	pci_find_class(&drives, BLOCK_PCI_CLASS, 0xffffff);
	if (!drives.count)
		return "needs an NVMe drive";
	if (module_probe("nvme"))
		return "needs the nvme driver";
	for (i = 0; i < drives.count; i++)
		client_claim(drives.name[i], "nvme");
	if (!block_find(block, serial, WAIT_MS) || block_others(serial) < drives.count)
		return NULL;
	return "needs the drive with that serial number";
}
