// SPDX-License-Identifier: GPL-2.0
/*
 * How often something happened, and when for the first and for the last time: what
 * tells that a guest at work leaves its registers and this program alone. One line
 * a counter, in JSON.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "qemu/timer.h"

static void viommu_count_locked(struct viommu_counter *counter)
{
	int64_t now = qemu_clock_get_ms(QEMU_CLOCK_HOST);

	if (!counter->count++)
		counter->first = now;
	counter->last = now;
}

void viommu_count(AmdViommu *s, struct viommu_counter *counter)
{
	QEMU_LOCK_GUARD(&s->stats.lock);
	viommu_count_locked(counter);
}

void viommu_count_call(AmdViommu *s, unsigned int number)
{
	QEMU_LOCK_GUARD(&s->stats.lock);
	viommu_count_locked(&s->stats.calls[number]);
	viommu_count_locked(&s->stats.all_calls);
}

void viommu_count_trap(AmdViommu *s, uint64_t offset, bool is_write)
{
	unsigned int n = MIN(offset / 8, VIOMMU_COUNTED - 1);

	QEMU_LOCK_GUARD(&s->stats.lock);
	viommu_count_locked(is_write ? &s->stats.writes[n] : &s->stats.reads[n]);
	viommu_count_locked(&s->stats.traps);
}

void viommu_count_stop(AmdViommu *s, uint64_t us)
{
	QEMU_LOCK_GUARD(&s->stats.lock);
	s->stats.stopped_us += us;
	s->stats.longest_stop_us = MAX(s->stats.longest_stop_us, us);
}

void viommu_count_lost(AmdViommu *s, uint64_t events)
{
	QEMU_LOCK_GUARD(&s->stats.lock);
	s->stats.events_lost += events;
}

static void viommu_print(FILE *file, const char *what, const char *name,
			 const struct viommu_counter *counter)
{
	fprintf(file, ",\n  \"%s%s\": { \"count\": %" PRIu64 ", \"first\": %" PRIi64
		", \"last\": %" PRIi64 " }", what, name, counter->count, counter->first,
		counter->last);
}

static void viommu_print_registers(FILE *file, const char *what,
				   const struct viommu_counter counters[VIOMMU_COUNTED])
{
	unsigned int n;
	char name[16];

	for (n = 0; n < VIOMMU_COUNTED; n++) {
		if (!counters[n].count)
			continue;
		snprintf(name, sizeof(name), n == VIOMMU_COUNTED - 1 ? "other" : "%03x", n * 8);
		viommu_print(file, what, name, &counters[n]);
	}
}

static void viommu_print_all(FILE *file, const struct viommu_stats *stats)
{
	unsigned int n;

	fprintf(file, "{\n  \"now\": %" PRIi64, qemu_clock_get_ms(QEMU_CLOCK_HOST));
	viommu_print(file, "", "ioctls", &stats->all_calls);
	viommu_print(file, "", "traps", &stats->traps);
	viommu_print(file, "", "table-write-faults", &stats->faults);
	viommu_print(file, "", "table-writes-announced", &stats->announced);
	viommu_print(file, "", "table-writes-unannounced", &stats->unannounced);
	fprintf(file, ",\n  \"stopped-us\": %" PRIu64 ",\n  \"longest-stop-us\": %" PRIu64,
		stats->stopped_us, stats->longest_stop_us);
	viommu_print(file, "", "vfio-memory-changes", &stats->mapped);
	viommu_print(file, "", "entries-attached", &stats->attached);
	viommu_print(file, "", "entries-blocked", &stats->blocked);
	viommu_print(file, "", "entries-detached", &stats->detached);
	viommu_print(file, "", "failures-repaired", &stats->repaired);
	viommu_print(file, "", "interrupts-sent", &stats->sent);
	for (n = 0; n < VIOMMU_CALLS; n++)
		viommu_print(file, "ioctl-", viommu_call_name(n), &stats->calls[n]);
	for (n = 0; n < VIOMMU_EVENTS_KNOWN; n++)
		viommu_print(file, "event-", viommu_event_name(n), &stats->events[n]);
	viommu_print(file, "event-", "unknown", &stats->events_unknown);
	viommu_print(file, "events-", "overflows", &stats->overflows);
	fprintf(file, ",\n  \"events-lost\": %" PRIu64, stats->events_lost);
	viommu_print_registers(file, "read-", stats->reads);
	viommu_print_registers(file, "write-", stats->writes);
	fprintf(file, "\n}\n");
}

/* A reader finds the old file or the new one, never a part. */
void viommu_write_stats(AmdViommu *s, Error **errp)
{
	g_autofree char *name = NULL;
	FILE *file;
	bool bad;

	if (!s->stats_path)
		return;
	name = g_strdup_printf("%s.new", s->stats_path);
	file = fopen(name, "w");
	if (!file) {
		error_setg_file_open(errp, errno, name);
		return;
	}
	WITH_QEMU_LOCK_GUARD(&s->stats.lock) {
		viommu_print_all(file, &s->stats);
	}
	bad = ferror(file);
	if (fclose(file) || bad || rename(name, s->stats_path))
		error_setg_errno(errp, errno, TYPE_AMD_VIOMMU ": writing '%s'", s->stats_path);
}
