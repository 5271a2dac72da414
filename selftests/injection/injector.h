/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failing allocations. fail-nth makes the n-th allocation from now on fail; what
 * it says afterwards tells how many there were. Whether memory was lost is judged
 * by kmemleak, after all tests.
 */
#ifndef VIOMMU_INJECTOR_H
#define VIOMMU_INJECTOR_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc"

/* Allocations that may sleep fail too, single pages too, and without a word. */
static const struct injector_setting {
	const char *path, *value;
} injector_settings[] = {
	{ FAILSLAB "/ignore-gfp-wait", "N" },
	{ FAILSLAB "/verbose", "0" },
	{ FAIL_PAGES "/ignore-gfp-wait", "N" },
	{ FAIL_PAGES "/ignore-gfp-highmem", "N" },
	{ FAIL_PAGES "/min-order", "0" },
	{ FAIL_PAGES "/verbose", "0" },
	/* Whatever the call trace, until injector_filter(). */
	{ FAILSLAB "/require-start", "0" },
	{ FAILSLAB "/require-end", "0xffffffffffffffff" },
	{ FAILSLAB "/reject-start", "0" },
	{ FAILSLAB "/reject-end", "0" },
	{ FAIL_PAGES "/require-start", "0" },
	{ FAIL_PAGES "/require-end", "0xffffffffffffffff" },
	{ FAIL_PAGES "/reject-start", "0" },
	{ FAIL_PAGES "/reject-end", "0" },
};

/* What was there before. */
struct injector {
	int fd;
	char before[ARRAY_SIZE(injector_settings)][24];
};

static inline const char *injector_open(struct injector *injector)
{
	unsigned int i;

	injector->fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (injector->fd < 0)
		return "needs a kernel with fault injection";
	for (i = 0; i < ARRAY_SIZE(injector_settings); i++) {
		if (file_read(injector_settings[i].path, injector->before[i],
			      sizeof(injector->before[i])) < 0 ||
		    file_write(injector_settings[i].path, injector_settings[i].value)) {
			injector->before[i][0] = '\0';
			return "needs failslab and fail_page_alloc in debugfs";
		}
	}
	return NULL;
}

static inline void injector_close(struct injector *injector)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(injector_settings) && injector->before[i][0]; i++)
		file_write(injector_settings[i].path, injector->before[i]);
	close(injector->fd);
}

/* A part of the kernel's code. */
struct code {
	unsigned long start, end;
};

/* Where x86 puts modules, of which one is here: with the kernel's address randomised or without. */
static inline struct code code_of_modules(unsigned long address)
{
	return (struct code){
		.start = address < 0xffffffffc0000000 ? 0xffffffffa0000000 : 0xffffffffc0000000,
		.end = 0xffffffffff000000,
	};
}

/* One of the kernel's functions; nothing if it has no such name. */
static inline struct code code_of_function(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	struct code code = { 0 };
	unsigned long address;
	char symbol[128];

	/* The symbols come in the order of their addresses. */
	while (file && fscanf(file, "%lx %*c %127s%*[^\n]", &address, symbol) == 2) {
		if (code.start && address > code.start) {
			code.end = address;
			break;
		}
		if (!strcmp(symbol, name))
			code.start = address;
	}
	if (file)
		fclose(file);
	return code.end ? code : (struct code){ 0 };
}

static inline int injector_set(const char *kind, const char *end, unsigned long address)
{
	static const char * const folders[] = { FAILSLAB, FAIL_PAGES };
	char path[128], text[32];
	unsigned int i;
	int ret = 0;

	snprintf(text, sizeof(text), "0x%lx", address);
	for (i = 0; !ret && i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s-%s", folders[i], kind, end);
		ret = file_write(path, text);
	}
	return ret;
}

/*
 * From now on allocations count only if their call trace has this code ("require"),
 * or has it not ("reject").
 */
static inline int injector_filter(const char *kind, struct code code)
{
	int ret;

	ret = injector_set(kind, "start", code.start);
	return ret ? ret : injector_set(kind, "end", code.end);
}

static inline unsigned int common_divisor(unsigned int a, unsigned int b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* A step that visits every one of so many places, and spreads evenly those visited so far. */
static inline unsigned int even_step(unsigned int total)
{
	unsigned int step = total * 0.618 + 1;

	while (common_divisor(step, total) != 1)
		step++;
	return step;
}

/* Neither of the two allocates: the count is that of what lies between them. */
static inline void inject(struct injector *injector, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(injector->fd, text, len, 0) != len)
		abort();
}

/* How many of the n allocations were not reached; 0 if the n-th has failed. */
static inline unsigned int not_reached(struct injector *injector)
{
	char text[16] = "";

	if (pread(injector->fd, text, sizeof(text) - 1, 0) <= 0)
		abort();
	inject(injector, 0);
	return strtoul(text, NULL, 10);
}

#endif
