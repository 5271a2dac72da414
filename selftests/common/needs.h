/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a test needs of its machine. Each function prepares it, and returns NULL or
 * what the machine lacks, for SKIP():
 *
 *	const char *missing = need_edus(&edus, 1) ?: need_iommu();
 *
 * What is there but does not work is no reason to skip: the answer is NULL, and
 * the test fails at its first use.
 */
#ifndef VIOMMU_NEEDS_H
#define VIOMMU_NEEDS_H

#include "block.h"
#include "pci.h"

/* An AMD IOMMU with a driver at work: the one that is there, or ours. */
const char *need_iommu(void);
/* Our module to load and unload: its file, and no built-in driver in its place. */
const char *need_module(void);
/* This many edu devices on the root bus, and VFIO to drive them. */
const char *need_edus(struct pci_list *edus, unsigned int count);
/* The test devices amd-viommu-dma, and VFIO to drive them. */
const char *need_vdma(struct pci_list *devices);
/*
 * All NVMe drives with their driver, behind the IOMMU if one is at work; finds
 * the one with this serial number.
 */
const char *need_drive(struct block *block, const char *serial);

#endif
