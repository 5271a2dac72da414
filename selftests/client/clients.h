/* SPDX-License-Identifier: GPL-2.0 */
/* The client drivers of the test machine, brought up behind the IOMMU. */
#ifndef VIOMMU_CLIENTS_H
#define VIOMMU_CLIENTS_H

#include "block.h"
#include "claim.h"
#include "kmod.h"
#include "net.h"
#include "util.h"

#define NIC_VENDOR	0x8086
#define NIC_DEVICE	0x10d3
#define WAIT_MS		20000

/* NULL, or why this machine cannot run the test. */
static inline const char *nvme_missing(struct block *block, const char *serial)
{
	struct pci_list list;
	unsigned int i;

	pci_find_class(&list, 0x010802, 0xffffff);
	if (!list.count)
		return "needs an NVMe drive";
	if (iommu_require())
		return "no AMD IOMMU driver to test";
	if (module_probe("nvme"))
		return "needs the nvme driver";
	for (i = 0; i < list.count; i++) {
		if (client_claim(list.name[i], "nvme"))
			return "the drive cannot be had behind the IOMMU";
	}
	return block_find(block, serial, WAIT_MS) ? "needs the drive with that serial number" : NULL;
}

static inline const char *nic_missing(char *pci, char *name, size_t len)
{
	struct pci_list list;

	pci_find_id(&list, NIC_VENDOR, NIC_DEVICE);
	if (!list.count)
		return "needs an e1000e card";
	if (iommu_require())
		return "no AMD IOMMU driver to test";
	if (module_probe("e1000e"))
		return "needs the e1000e driver";
	if (client_claim(list.name[0], "e1000e"))
		return "the card cannot be had behind the IOMMU";
	strcpy(pci, list.name[0]);
	return net_find(pci, name, len, WAIT_MS) ? "the card made no interface" : NULL;
}

#endif
