/* SPDX-License-Identifier: GPL-2.0 */
/* The client drivers of the test machine, brought up behind the IOMMU. */
#ifndef VIOMMU_CLIENTS_H
#define VIOMMU_CLIENTS_H

#include "block.h"
#include "claim.h"
#include "kmod.h"
#include "needs.h"
#include "net.h"
#include "util.h"

#define WAIT_MS		20000

/* NULL, or what this machine lacks for the test. */
static inline const char *nvme_missing(struct block *block, const char *serial)
{
	return need_iommu() ?: need_drive(block, serial);
}

/* The same for the card; the name is empty if it makes no interface. */
static inline const char *nic_missing(char *pci, char *name, size_t len)
{
	const char *missing = need_iommu();
	struct pci_list list;

	pci_find_id(&list, NIC_VENDOR, NIC_DEVICE);
	if (missing)
		return missing;
	if (!list.count)
		return "needs an e1000e card";
	if (module_probe("e1000e"))
		return "needs the e1000e driver";
	strcpy(pci, list.name[0]);
	client_claim(pci, "e1000e");
	if (net_find(pci, name, len, WAIT_MS))
		*name = '\0';
	return NULL;
}

#endif
