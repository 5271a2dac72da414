// SPDX-License-Identifier: GPL-2.0
/*
 * An event whose content comes later than the tail of the log, or never. The boot
 * chooses the event and says so: viommu.event-late=NUMBER:MILLISECONDS, or
 * NUMBER:never. Nothing before makes an event, and each test has a boot of its own.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "fault.h"
#include "needs.h"
#include "requester.h"
#include "stats.h"

#define PARAMETER	"viommu.event-late="
#define IOVA		(1 * GIB)
#define FAULT_MS	3000
/* How the log names what it cannot read. */
#define NAMELESS	"UNKNOWN_EVENT"

FIXTURE(late) {
	struct requester dev;
	unsigned int number;
	bool never;
	int kmsg;
};

static bool late_event(FIXTURE_DATA(late) *self)
{
	char cmdline[4096], delay[16], *word;

	if (file_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return false;
	word = strstr(cmdline, PARAMETER);
	if (!word || sscanf(word, PARAMETER "%u:%15s", &self->number, delay) != 2)
		return false;
	self->never = !strcmp(delay, "never");
	return true;
}

/* A write that is refused, at an address of its own. */
static int refused(FIXTURE_DATA(late) *self, unsigned int n)
{
	return edu_dma(&self->dev.edu, EDU_WRITE, IOVA + n * PAGE_4K, 0, 4);
}

static bool reported(FIXTURE_DATA(late) *self, unsigned int n)
{
	struct fault fault;

	return fault_wait_at(self->kmsg, &fault, self->dev.name, IOVA + n * PAGE_4K, 4, FAULT_MS);
}

/* All events before the chosen one. */
static bool events_before(FIXTURE_DATA(late) *self)
{
	unsigned int n;

	for (n = 1; n < self->number; n++) {
		if (refused(self, n) || !reported(self, n))
			return false;
	}
	return stats_read("events") == self->number - 1;
}

FIXTURE_SETUP(late)
{
	struct pci_list edus;
	const char *missing = need_edus(&edus, 1) ?: need_iommu();

	if (!late_event(self))
		SKIP(return, "needs " PARAMETER);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, requester_open(&self->dev, edus.name[0], PAGE_4K));
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(late)
{
	requester_close(&self->dev);
	close(self->kmsg);
}

TEST_F(late, events_after_one_that_never_comes_are_reported)
{
	char line[KMSG_LINE_MAX];
	unsigned int n = self->number;

	if (!self->never)
		SKIP(return, "the event comes");
	ASSERT_TRUE(events_before(self));
	ASSERT_EQ(0, refused(self, n));
	/* What stands behind it in the log waits for it, and not for ever. */
	ASSERT_EQ(0, refused(self, n + 1));
	ASSERT_TRUE(kmsg_wait(self->kmsg, NAMELESS, line, sizeof(line), FAULT_MS));
	TH_LOG("%s", line);
	EXPECT_TRUE(reported(self, n + 1));
	ASSERT_EQ(0, refused(self, n + 2));
	EXPECT_TRUE(reported(self, n + 2));
	EXPECT_EQ(0, kmsg_count(self->kmsg, NAMELESS));
	EXPECT_EQ(n + 2, stats_read("events"));
	EXPECT_EQ(n + 1, stats_read("faults"));
}

TEST_F(late, event_that_comes_late_is_reported_although_the_log_overflows)
{
	struct fault fault;

	if (self->never)
		SKIP(return, "the event never comes");
	ASSERT_TRUE(events_before(self));
	/* More than the log holds, and the late one is the first. */
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, IOVA, 0, EDU_BUFFER));
	EXPECT_TRUE(fault_wait_at(self->kmsg, &fault, self->dev.name, IOVA, 4, FAULT_MS));
	sleep_ms(FAULT_LIMIT_MS);
	EXPECT_EQ(1, stats_read("event_overflows"));
	TH_LOG("%lld events", stats_read("events"));
	/* No event was given up. */
	EXPECT_EQ(stats_read("events"), stats_read("faults"));
	EXPECT_EQ(0, kmsg_count(self->kmsg, NAMELESS));
	ASSERT_EQ(0, refused(self, 1));
	EXPECT_TRUE(reported(self, 1));
}

TEST_HARNESS_MAIN
