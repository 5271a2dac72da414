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
#define ROUNDS		5
/* Growth below this cannot be told from noise, however few the cycles are. */
#define NOISE		16

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

/* A state of the machine's memory. */
struct mark {
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

static void note_cache(struct mark *mark, const char *name, long long objects)
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

static void read_slabs(struct mark *mark)
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

/* What memory holds after everything that may go has gone. */
static void read_mark(struct mark *mark)
{
	long long pages;
	int i;

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
}

long long pages_free(void)
{
	struct mark *mark = calloc(1, sizeof(*mark));
	long long pages;

	if (!mark)
		return 0;
	read_mark(mark);
	pages = mark->free_pages;
	free(mark);
	return pages;
}

static long long objects_in(const struct mark *mark, const char *cache)
{
	unsigned int i;

	for (i = 0; i < mark->count; i++) {
		if (!strcmp(mark->cache[i].name, cache))
			return mark->cache[i].objects;
	}
	return 0;
}

/* By how much a cache, or without a name the pages in use, grew in a round. */
static long long growth(const struct mark *mark, const char *cache)
{
	if (!cache)
		return mark[0].free_pages - mark[1].free_pages;
	return objects_in(&mark[1], cache) - objects_in(&mark[0], cache);
}

static bool always_grew(const struct mark *marks, int rounds, const char *cache, long long least)
{
	int i;

	for (i = 0; i < rounds; i++) {
		if (growth(&marks[i], cache) < least)
			return false;
	}
	return true;
}

/* What grew by this much in each round so far: a sentence, or NULL. */
static const char *suspect(const struct mark *marks, int rounds, long long least)
{
	const struct mark *last = &marks[rounds];
	const char *cache = NULL;
	static char reason[256];
	unsigned int i;
	int used, round;

	for (i = 0; i < last->count && !cache; i++) {
		if (always_grew(marks, rounds, last->cache[i].name, least))
			cache = last->cache[i].name;
	}
	if (!cache && !always_grew(marks, rounds, NULL, least))
		return NULL;
	used = snprintf(reason, sizeof(reason), "%s %s grew in each round, by",
			cache ? "objects in" : "pages", cache ?: "in use");
	for (round = 0; round < rounds; round++)
		used += snprintf(reason + used, sizeof(reason) - used, " %lld",
				 growth(&marks[round], cache));
	return reason;
}

/* Half of one for each cycle: some may be hidden by what goes meanwhile. */
static long long least_growth(unsigned int cycles)
{
	return cycles / 2 > NOISE ? cycles / 2 : NOISE;
}

/* NULL, or which cycle failed. */
static const char *run_cycles(int (*cycle)(const void *arg), const void *arg, unsigned int cycles)
{
	static char reason[64];
	unsigned int i;
	int ret;

	for (i = 0; i < cycles; i++) {
		ret = cycle(arg);
		if (ret) {
			snprintf(reason, sizeof(reason), "cycle %u failed: %d", i, ret);
			return reason;
		}
	}
	return NULL;
}

const char *cycles_leak(int (*cycle)(const void *arg), const void *arg, unsigned int cycles)
{
	struct mark *marks = calloc(ROUNDS + 1, sizeof(*marks));
	const char *wrong = NULL;
	int round = 0;

	if (!marks)
		return "no memory to compare with";
	read_mark(&marks[0]);
	do {
		wrong = run_cycles(cycle, arg, cycles);
		if (wrong)
			break;
		read_mark(&marks[++round]);
		wrong = suspect(marks, round, least_growth(cycles));
	} while (wrong && round < ROUNDS);
	free(marks);
	return wrong;
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
