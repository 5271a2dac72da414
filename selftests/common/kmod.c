// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kmod.h"
#include "pci.h"
#include "util.h"

bool module_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/initstate", name);
	return file_exists(path);
}

long long module_refcount(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	return file_read_number(path);
}

int module_remove(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

unsigned long module_address(const char *name)
{
	FILE *file = fopen("/proc/modules", "re");
	unsigned long address = 0, found;
	char line[512], module[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %*s %*s %*s %*s 0x%lx", module, &found) == 2 &&
		    !strcmp(module, name))
			address = found;
	}
	if (file)
		fclose(file);
	return address;
}

int module_probe(const char *name)
{
	char *const argv[] = { "modprobe", "-q", (char *)name, NULL };
	int ret;

	if (module_loaded(name))
		return 0;
	ret = run_program(argv);
	return ret > 0 ? -ENOENT : ret;
}

enum iommu_driver iommu_driver(void)
{
	if (!dir_count("/sys/class/iommu"))
		return IOMMU_DRIVER_NONE;
	return module_loaded(MODULE_NAME) ? IOMMU_DRIVER_VIOMMU : IOMMU_DRIVER_BUILTIN;
}

int viommu_module_path(char *buf, size_t len)
{
	static const char * const folders[] = { "updates", "extra" };
	const char *env = getenv("VIOMMU_KO");
	struct utsname uts;
	unsigned int i;

	if (env) {
		snprintf(buf, len, "%s", env);
		return file_exists(buf) ? 0 : -ENOENT;
	}
	if (uname(&uts))
		return -errno;
	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(buf, len, "/lib/modules/%s/%s/" MODULE_NAME ".ko",
			 uts.release, folders[i]);
		if (file_exists(buf))
			return 0;
	}
	return -ENOENT;
}

int viommu_load(void)
{
	char path[256];
	int fd, ret;

	ret = viommu_module_path(path, sizeof(path));
	if (ret)
		return ret;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

int viommu_offline(void)
{
	struct pci_list iommus;
	unsigned int i;
	int ret;

	pci_find_iommus(&iommus);
	for (i = 0; i < iommus.count; i++) {
		ret = pci_attr_write(iommus.name[i], "offline", "1");
		/* The attribute goes with the driver: absent means offline. */
		if (ret && ret != -ENOENT)
			return ret;
	}
	return 0;
}

int viommu_unload(void)
{
	int ret;

	ret = viommu_offline();
	return ret ? ret : module_remove(MODULE_NAME);
}
