// SPDX-License-Identifier: GPL-2.0
/*
 * Notices that the guest writes to its device table, by userfaultfd write-protection:
 * no instruction of the guest has to be emulated.
 *
 * The fault comes before the write, and there is no other for that page until it is
 * protected again. So at a fault the guest's queues are stopped, and its write let go.
 * What follows sooner or later is INVALIDATE_DEVTAB_ENTRY, which cannot complete in a
 * stopped queue. When it is there, the table is protected again, and only then read:
 * no write can be missed. Then the queues run. Until then the old entry is in force, as
 * it may be on any IOMMU: they remember entries. A guest that is too slow to be waited
 * for has its devices blocked until it has announced their entries. Where the queues do
 * not stop, or a page cannot be protected again, a change could be missed: then all
 * devices are blocked, and the table is not watched any longer.
 *
 * The thread must never take the big lock: whoever holds that may be waiting for a
 * page of the table.
 */
#include "amd-viommu.h"
#include <poll.h>
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"
#include "qemu/userfaultfd.h"
#include "hw/boards.h"
#include "exec/ramblock.h"
#include "exec/cpu-common.h"

/* How often the tail is looked at. */
#define STOPPED_PAUSE_NS	100000
#define PENDING_PAUSE_NS	1000000
/* How long queues stay stopped after a write of which the guest says nothing. */
#define STOPPED_LIMIT_NS	(50 * 1000000LL)
/*
 * And how long at most, if other processors of the guest begin with writes meanwhile:
 * not longer than Linux waits for a command.
 */
#define STOPPED_TOTAL_NS	(100 * 1000000LL)
/* After that, how long its devices are blocked. */
#define PENDING_LIMIT_NS	(1000 * 1000000LL)

#define FEATURES (UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | \
		  UFFD_FEATURE_WP_UNPOPULATED)

static int64_t viommu_now(void)
{
	return qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
}

static bool viommu_stop(AmdViommu *s)
{
	s->table.since = viommu_now();
	/* Even if it fails: they may not run any more. */
	s->table.stopped = true;
	return !viommu_run(s, false);
}

void viommu_let_run(AmdViommu *s)
{
	if (!s->table.stopped)
		return;
	viommu_run(s, true);
	s->table.stopped = false;
	viommu_count_stop(s, (viommu_now() - s->table.since) / 1000);
}

static bool viommu_protect(struct viommu_table *table)
{
	return !uffd_change_protection(table->uffd, table->watched, table->watched_size, true,
				       false);
}

/* What else the guest has in a huge page would stop its queues all the time. */
static bool viommu_is_huge(MemoryRegion *mr)
{
	return mr->ram_block && qemu_ram_pagesize(mr->ram_block) > VIOMMU_PAGE;
}

static int viommu_try_watch(struct viommu_table *table)
{
	uint8_t *start = (uint8_t *)ROUND_DOWN((uintptr_t)table->entries, VIOMMU_PAGE);
	uint64_t size = ROUND_UP(table->entries + table->size - start, VIOMMU_PAGE);

	if (viommu_is_huge(table->mr))
		return -ENOTSUP;
	if (uffd_register_memory(table->uffd, start, size, UFFDIO_REGISTER_MODE_WP, NULL))
		return -errno;
	table->watched = start;
	table->watched_size = size;
	return viommu_protect(table) ? 0 : -EIO;
}

/* A table whose changes cannot be seen is no table. */
void viommu_watch(AmdViommu *s)
{
	int ret = viommu_try_watch(&s->table);

	if (!ret)
		return;
	error_report_once(TYPE_AMD_VIOMMU
			  ": the guest's device table cannot be watched, its devices are blocked: %s",
			  ret == -ENOTSUP ? "it is in a huge page" : strerror(-ret));
	viommu_unwatch(s);
}

/* Who waits in a write goes on. The queues stay as they are, see viommu_let_run(). */
void viommu_unwatch(AmdViommu *s)
{
	struct viommu_table *table = &s->table;

	if (table->watched) {
		uffd_change_protection(table->uffd, table->watched, table->watched_size, false,
				       false);
		uffd_unregister_memory(table->uffd, table->watched, table->watched_size);
	}
	if (table->entries)
		memory_region_unref(table->mr);
	table->watched = NULL;
	table->entries = NULL;
	table->pending = false;
}

/* Changes could be missed from now on. Who waits in a write goes on, with blocked devices. */
static void viommu_lose(AmdViommu *s, const char *why)
{
	if (!viommu_is_gone(s))
		error_report_once(TYPE_AMD_VIOMMU
				  ": changes of the guest's device table could be missed (%s): it is ignored, its devices are blocked",
				  why);
	viommu_table_block(s);
	viommu_unwatch(s);
	viommu_let_run(s);
}

/* The first write to a page since it was protected is about to happen. */
static void viommu_fault(AmdViommu *s, uint64_t address)
{
	struct viommu_table *table = &s->table;
	uint32_t tail;

	/* The table may have moved since. */
	if (!table->watched || address - (uintptr_t)table->watched >= table->watched_size)
		return;
	viommu_count(s, &s->stats.faults);
	if (!table->stopped) {
		if (!viommu_stop(s) || !viommu_read_tail(s, &tail)) {
			viommu_lose(s, "its queues do not stop");
			return;
		}
		if (!table->pending)
			table->tail = tail;
	}
	table->deadline = MIN(viommu_now() + STOPPED_LIMIT_NS, table->since + STOPPED_TOTAL_NS);
	uffd_change_protection(table->uffd, (void *)ROUND_DOWN(address, VIOMMU_PAGE), VIOMMU_PAGE,
			       false, false);
}

static void viommu_read_faults(AmdViommu *s)
{
	struct uffd_msg msgs[8];
	int n, count;

	count = uffd_read_events(s->table.uffd, msgs, ARRAY_SIZE(msgs));
	for (n = 0; n < count; n++) {
		if (msgs[n].event == UFFD_EVENT_PAGEFAULT)
			viommu_fault(s, msgs[n].arg.pagefault.address);
	}
}

/* Whether the guest has announced all that it has changed. */
static bool viommu_is_announced(AmdViommu *s)
{
	uint32_t tail;

	return viommu_read_tail(s, &tail) && tail != s->table.tail &&
	       viommu_table_settled(s, s->table.tail, tail);
}

/*
 * Only what is protected is read, and not before the queues have stopped: so what is
 * written later faults, and what is announced later has not completed.
 */
static void viommu_settle(AmdViommu *s)
{
	struct viommu_table *table = &s->table;
	bool announced;

	if (!table->stopped && !table->pending)
		return;
	announced = viommu_is_announced(s);
	if (!announced && viommu_now() < table->deadline)
		return;
	if (table->stopped && !viommu_protect(table)) {
		viommu_lose(s, "it cannot be protected");
		return;
	}
	/* Another processor of the guest may have begun with an entry before that. */
	announced = announced && viommu_is_announced(s);
	if (!announced && viommu_now() < table->deadline)
		return;
	viommu_count(s, announced ? &s->stats.announced : &s->stats.unannounced);
	table->pending = viommu_table_compare(s, announced || !table->stopped);
	table->deadline = viommu_now() + PENDING_LIMIT_NS;
	viommu_let_run(s);
}

static void *viommu_watch_thread(void *opaque)
{
	AmdViommu *s = opaque;
	struct pollfd fd = { .fd = s->table.uffd, .events = POLLIN };
	struct timespec pause = {};

	rcu_register_thread();
	viommu_prepare_reads();
	while (ppoll(&fd, 1, pause.tv_nsec ? &pause : NULL, NULL) >= 0 || errno == EINTR) {
		QEMU_LOCK_GUARD(&s->table.lock);
		if (fd.revents & POLLIN)
			viommu_read_faults(s);
		viommu_settle(s);
		pause.tv_nsec = s->table.stopped ? STOPPED_PAUSE_NS :
				s->table.pending ? PENDING_PAUSE_NS : 0;
	}
	error_report(TYPE_AMD_VIOMMU ": waiting for writes: %s", strerror(errno));
	return NULL;
}

bool viommu_watch_start(AmdViommu *s, Error **errp)
{
	if (viommu_is_huge(MACHINE(qdev_get_machine())->ram)) {
		error_setg(errp, TYPE_AMD_VIOMMU
			   ": the guest's memory is of huge pages (hugetlbfs), in which its device table cannot be watched");
		return false;
	}
	s->table.uffd = uffd_create_fd(FEATURES, true);
	if (s->table.uffd < 0) {
		error_setg_errno(errp, errno, TYPE_AMD_VIOMMU
				 ": userfaultfd with write-protection is needed (/dev/userfaultfd)");
		return false;
	}
	qemu_thread_create(&s->table.thread, TYPE_AMD_VIOMMU, viommu_watch_thread, s,
			   QEMU_THREAD_DETACHED);
	return true;
}
