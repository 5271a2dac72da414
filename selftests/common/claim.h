/* SPDX-License-Identifier: GPL-2.0 */
/* Client devices of the IOMMU as a whole, and what they leave behind. */
#ifndef VIOMMU_CLAIM_H
#define VIOMMU_CLAIM_H

#include <stdbool.h>

#include "pci.h"

#define IOMMU_GROUPS	"/sys/kernel/iommu_groups"

/* Takes the drivers from all devices that have an IOMMU group. */
int clients_unbind(void);
/*
 * The device with this driver, and behind the IOMMU if one is at work: what an
 * earlier test left out (late load) joins by removal and rescan.
 */
int client_claim(const char *name, const char *driver);
/* Groups, class entries, debugfs folder: is any trace of an IOMMU driver left? */
bool iommu_traces_left(void);

/* What a machine's memory holds, after everything that may go has gone. */
struct leak_mark;
struct leak_mark *leak_mark(void);
/*
 * Compares now with the mark: NULL, or what has grown by about one object
 * or one page for each cycle. Less than some dozens cannot be told from noise,
 * and what grows in one comparison may still be a cache: repeat before judging.
 */
const char *leak_since(struct leak_mark *mark, unsigned int cycles);

#endif
