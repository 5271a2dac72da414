/* SPDX-License-Identifier: GPL-2.0 */
/* Kernel modules: ours by system call, others by modprobe. */
#ifndef VIOMMU_KMOD_H
#define VIOMMU_KMOD_H

#include <stdbool.h>
#include <stddef.h>

#define MODULE_NAME	"amd_viommu"

/* Which AMD IOMMU driver runs the machine's IOMMUs. */
enum iommu_driver {
	IOMMU_DRIVER_NONE,
	IOMMU_DRIVER_BUILTIN,
	IOMMU_DRIVER_VIOMMU,
};

enum iommu_driver iommu_driver(void);

/*
 * Where the module file is: $VIOMMU_KO, or the running kernel's updates or
 * extra folder. -ENOENT when it is nowhere.
 */
int viommu_module_path(char *buf, size_t len);
/* insmod of our module; the errno is the kernel's own. */
int viommu_load(void);
/* offline on every IOMMU, then rmmod. */
int viommu_unload(void);
/* Writes 1 to the offline attribute of every IOMMU function that has one. */
int viommu_offline(void);

int module_remove(const char *name);
bool module_loaded(const char *name);
long long module_refcount(const char *name);
int module_probe(const char *name);
/* Where the module is in memory; 0 if that cannot be told. */
unsigned long module_address(const char *name);

#endif
