// SPDX-License-Identifier: GPL-2.0
#include "kmod.h"
#include "pull.h"

#define WAIT_MS		5000

int iommus_pull(const struct pci_list *iommus)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < iommus->count; i++)
		ret = pci_remove(iommus->name[i]) ?: pci_wait(iommus->name[i], false, WAIT_MS);
	return ret;
}

int iommus_return(const struct pci_list *iommus)
{
	unsigned int i;
	int ret = pci_rescan();

	for (i = 0; !ret && i < iommus->count; i++)
		ret = pci_wait_driver(iommus->name[i], MODULE_NAME, WAIT_MS);
	return ret;
}
