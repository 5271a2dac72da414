/* SPDX-License-Identifier: GPL-2.0 */
/* The IOMMUs' own PCI functions go and come back. */
#ifndef VIOMMU_PULL_H
#define VIOMMU_PULL_H

#include "pci.h"

/* Removes all of them, as when they are unplugged: nobody can refuse that. */
int iommus_pull(const struct pci_list *iommus);
/*
 * Rescans, and waits until our driver runs them. One that went while devices were in use needs
 * those to be without a driver.
 */
int iommus_return(const struct pci_list *iommus);

#endif
