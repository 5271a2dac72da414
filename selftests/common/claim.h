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

/* Pages that are free after everything that may go has gone. */
long long pages_free(void);

/*
 * Runs a cycle again and again, in rounds of so many: NULL, or what is wrong.
 * What each cycle loses makes the same slab cache, or the pages in use, grow by
 * about the number of cycles in every round. A cache that fills or a free that is
 * late makes something grow once or twice, so the first round in which nothing
 * of the kind is left ends the search.
 */
const char *cycles_leak(int (*cycle)(const void *arg), const void *arg, unsigned int cycles);

#endif
