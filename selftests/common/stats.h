/* SPDX-License-Identifier: GPL-2.0 */
/* The module's counters in debugfs. */
#ifndef VIOMMU_STATS_H
#define VIOMMU_STATS_H

#include <stddef.h>

#define VIOMMU_DEBUGFS	"/sys/kernel/debug/amd_viommu"

/* One counter of the first IOMMU; negative errno if it cannot be read. */
long long stats_read(const char *name);
/* A whole debugfs file of the first IOMMU. */
int debugfs_read(const char *file, char *buf, size_t len);
int debugfs_write(const char *file, const char *text);

#endif
