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
#define NAME_LEN	48
#define SAMPLES		4
#define REJOIN_MS	10000
/* What a quiet machine may grow by, whatever the number of cycles. */
#define PAGES_NOISE	96
#define OBJECTS_NOISE	72

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
		char name[NAME_LEN];
		long long objects;
	} cache[CACHES_MAX];
};

/* What only speeds things up goes; 4 keeps that out of the log. */
static void drop_caches(void)
{
	file_write("/proc/sys/vm/drop_caches", "7");
}

/* Lets every slab cache give back the objects that it keeps for speed. */
static void shrink_caches(void)
{
	struct dirent *entry;
	char path[384];
	DIR *dir;

	drop_caches();
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

static void note_cache(struct leak_mark *mark, const char *name, long long objects)
{
	unsigned int i;

	for (i = 0; i < mark->count && strcmp(mark->cache[i].name, name); i++)
		;
	if (i == CACHES_MAX)
		return;
	if (i == mark->count) {
		mark->count++;
		strcpy(mark->cache[i].name, name);
		mark->cache[i].objects = objects;
	}
	/* The smallest of all samples holds the least noise. */
	if (objects < mark->cache[i].objects)
		mark->cache[i].objects = objects;
}

static void read_slabs(struct leak_mark *mark)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512], name[NAME_LEN];
	long long objects;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%47s %lld", name, &objects) == 2)
			note_cache(mark, name, objects);
	}
	if (file)
		fclose(file);
}

/* Free pages that the CPUs keep for themselves count as used in meminfo. */
static long long cpu_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	long long count, sum = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " count: %lld", &count) == 1)
			sum += count;
	}
	if (file)
		fclose(file);
	return sum;
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
	return sum / 4 + cpu_pages();
}

struct leak_mark *leak_mark(void)
{
	struct leak_mark *mark = calloc(1, sizeof(*mark));
	long long pages;
	int i;

	if (!mark)
		return NULL;
	shrink_caches();
	for (i = 0; i < SAMPLES; i++) {
		/* Frees may wait for a grace period and for workers. */
		drop_caches();
		sleep_ms(250);
		read_slabs(mark);
		pages = free_pages();
		if (pages > mark->free_pages)
			mark->free_pages = pages;
	}
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

/* Most of one object for each cycle, if that can be told from noise. */
static long long limit(unsigned int cycles, long long noise)
{
	long long most = cycles * 3LL / 4;

	return most > noise ? most : noise;
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
		if (grown >= limit(cycles, OBJECTS_NOISE))
			snprintf(reason, sizeof(reason), "%lld more objects in %s", grown,
				 now->cache[i].name);
	}
	grown = mark->free_pages - now->free_pages;
	if (!reason[0] && grown >= limit(cycles, PAGES_NOISE))
		snprintf(reason, sizeof(reason), "%lld fewer free pages", grown);
	free(now);
	return reason[0] ? reason : NULL;
}

int client_claim(const char *name, const char *driver)
{
	int ret;

	if (pci_group(name) < 0 && iommu_driver() != IOMMU_DRIVER_NONE) {
		ret = pci_remove(name);
		if (!ret)
			ret = pci_wait(name, false, REJOIN_MS);
		if (!ret)
			ret = pci_rescan();
		if (!ret)
			ret = pci_wait(name, true, REJOIN_MS);
		if (ret)
			return ret;
	}
	ret = pci_bind(name, driver);
	return ret ? ret : pci_wait_driver(name, driver, REJOIN_MS);
}
