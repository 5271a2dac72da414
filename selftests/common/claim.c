// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "kmod.h"
#include "stats.h"
#include "util.h"

#define SLAB_FOLDER	"/sys/kernel/slab"
#define CACHES_MAX	512
/* Noise of a quiet machine, whatever the number of cycles. */
#define PAGES_NOISE	128
#define OBJECTS_NOISE	24

int clients_unbind(void)
{
	struct pci_list all;
	unsigned int i;
	int ret;

	pci_find_class(&all, 0, 0);
	for (i = 0; i < all.count; i++) {
		if (pci_group(all.name[i]) < 0)
			continue;
		ret = pci_unbind(all.name[i]);
		if (ret)
			return ret;
	}
	return 0;
}

bool iommu_traces_left(void)
{
	return dir_count(IOMMU_GROUPS) || dir_count("/sys/class/iommu") ||
	       file_exists(VIOMMU_DEBUGFS) || module_loaded(MODULE_NAME);
}

struct leak_mark {
	long long free_pages;
	unsigned int count;
	struct {
		char name[48];
		long long objects;
	} cache[CACHES_MAX];
};

/* Lets every cache give back what it holds for speed only. */
static void shrink_caches(void)
{
	struct dirent *entry;
	char path[384];
	DIR *dir;

	file_write("/proc/sys/vm/drop_caches", "3");
	file_write("/proc/sys/vm/compact_memory", "1");
	dir = opendir(SLAB_FOLDER);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLAB_FOLDER "/%s/shrink", entry->d_name);
		file_write(path, "1");
	}
	if (dir)
		closedir(dir);
}

static void read_slabs(struct leak_mark *mark)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512];

	while (file && mark->count < CACHES_MAX && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%47s %lld", mark->cache[mark->count].name,
			   &mark->cache[mark->count].objects) == 2)
			mark->count++;
	}
	if (file)
		fclose(file);
}

static long long free_pages(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	long long kib, sum = 0;
	char name[64];

	/* Page cache is not a leak: count it as free. */
	while (file && fscanf(file, "%63s %lld kB\n", name, &kib) >= 1) {
		if (!strcmp(name, "MemFree:") || !strcmp(name, "Cached:") ||
		    !strcmp(name, "Buffers:"))
			sum += kib;
	}
	if (file)
		fclose(file);
	return sum / 4;
}

struct leak_mark *leak_mark(void)
{
	struct leak_mark *mark = calloc(1, sizeof(*mark));

	if (!mark)
		return NULL;
	/* Frees that wait for a grace period and for workers come first. */
	sleep_ms(300);
	shrink_caches();
	sleep_ms(300);
	shrink_caches();
	read_slabs(mark);
	mark->free_pages = free_pages();
	return mark;
}

static long long objects_in(const struct leak_mark *mark, const char *cache)
{
	unsigned int i;

	for (i = 0; i < mark->count; i++) {
		if (!strcmp(mark->cache[i].name, cache))
			return mark->cache[i].objects;
	}
	return 0;
}

const char *leak_since(struct leak_mark *mark, unsigned int cycles)
{
	struct leak_mark *now = leak_mark();
	static char reason[256];
	long long grown;
	unsigned int i;

	if (!now)
		return "no memory to compare with";
	reason[0] = '\0';
	for (i = 0; i < now->count && !reason[0]; i++) {
		grown = now->cache[i].objects - objects_in(mark, now->cache[i].name);
		if (grown >= (long long)cycles + OBJECTS_NOISE)
			snprintf(reason, sizeof(reason), "%lld more objects in %s", grown,
				 now->cache[i].name);
	}
	grown = mark->free_pages - now->free_pages;
	if (!reason[0] && grown >= (long long)cycles + PAGES_NOISE)
		snprintf(reason, sizeof(reason), "%lld fewer free pages", grown);
	free(now);
	return reason[0] ? reason : NULL;
}
