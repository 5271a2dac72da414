// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irq.h"
#include "kmsg.h"
#include "util.h"

#define PROC_INTERRUPTS	"/proc/interrupts"
#define CPUS_MAX	256

/* CPUs in the order of the columns; one that is off has none. */
static unsigned int columns(const char *header, unsigned int cpus[CPUS_MAX])
{
	unsigned int count = 0;
	const char *at = header;

	while (count < CPUS_MAX && (at = strstr(at, "CPU")))
		cpus[count++] = strtoul(at += 3, NULL, 10);
	return count;
}

static char *take_counts(char *at, struct irq *irq, const unsigned int *cpus, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		__u64 number = strtoull(at, &at, 10);

		if (cpus[i] < IRQ_CPUS)
			irq->count[cpus[i]] = number;
	}
	return at;
}

/* "24:  0  17  IR-PCI-MSIX-0000:00:12.0  1-edge  nvme0q1" */
static bool take_line(char *line, struct irq *irq, const unsigned int *cpus, unsigned int count)
{
	char *at;

	memset(irq, 0, sizeof(*irq));
	irq->number = strtoul(line, &at, 10);
	if (*at != ':')
		return false;
	at = take_counts(at + 1, irq, cpus, count);
	return sscanf(at, "%63s %*s %47s", irq->chip, irq->name) >= 1;
}

void irq_find(struct irq_list *list, const char *chip)
{
	FILE *file = fopen(PROC_INTERRUPTS, "re");
	unsigned int cpus[CPUS_MAX], count = 0;
	char line[4096];

	list->count = 0;
	if (!file)
		return;
	if (fgets(line, sizeof(line), file))
		count = columns(line, cpus);
	while (list->count < IRQ_LIST_MAX && fgets(line, sizeof(line), file)) {
		struct irq *irq = &list->irq[list->count];

		if (take_line(line, irq, cpus, count) && strstr(irq->chip, chip))
			list->count++;
	}
	fclose(file);
}

bool irq_remapped(const struct irq_list *list)
{
	unsigned int i;

	for (i = 0; i < list->count; i++) {
		if (strncmp(list->irq[i].chip, "IR-", 3))
			return false;
	}
	return list->count;
}

static long long sum_of(char *at)
{
	long long sum = 0;
	char *end;

	while (sum += strtoll(at, &end, 10), end != at)
		at = end;
	return sum;
}

long long irq_special(const char *row)
{
	FILE *file = fopen(PROC_INTERRUPTS, "re");
	const size_t len = strlen(row);
	long long sum = -ENOENT;
	char line[1024], *at;

	while (file && fgets(line, sizeof(line), file)) {
		at = line + strspn(line, " ");
		if (!strncmp(at, row, len) && at[len] == ':')
			sum = sum_of(at + len + 1);
	}
	if (file)
		fclose(file);
	return sum;
}

long long irq_unhandled(unsigned int number)
{
	char path[64], text[128], *at;

	snprintf(path, sizeof(path), "/proc/irq/%u/spurious", number);
	if (file_read(path, text, sizeof(text)) < 0)
		return -ENOENT;
	at = strstr(text, "unhandled ");
	return at ? atoll(at + strlen("unhandled ")) : -EINVAL;
}

unsigned int irq_stray_lines(int kmsg)
{
	return kmsg_count(kmsg, "No irq handler for vector");
}

unsigned int cpu_count(void)
{
	unsigned int count = 0;
	char path[64];

	do
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", count);
	while (count < IRQ_CPUS && file_exists(path) && ++count);
	return count;
}

int irq_move(unsigned int number, unsigned int cpu)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", number);
	snprintf(text, sizeof(text), "%u", cpu);
	return file_write(path, text);
}

/* Words of 32 bits with commas between them, the lowest at the end. */
static __u32 irq_mask(unsigned int number, const char *file)
{
	char path[64], text[1024], *word;

	snprintf(path, sizeof(path), "/proc/irq/%u/%s", number, file);
	if (file_read(path, text, sizeof(text)) < 0)
		return 0;
	word = strrchr(text, ',');
	return strtoul(word ? word + 1 : text, NULL, 16);
}

__u32 irq_allowed(unsigned int number)
{
	return irq_mask(number, "smp_affinity");
}

__u32 irq_target(unsigned int number)
{
	return irq_mask(number, "effective_affinity");
}

int cpu_online(unsigned int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return file_write(path, online ? "1" : "0");
}
