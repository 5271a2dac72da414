// SPDX-License-Identifier: GPL-2.0
/* Faults: each is named fully, many do no harm, none is forgotten after a flood. */
#include <stdio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "fault.h"
#include "kmod.h"
#include "needs.h"
#include "requester.h"
#include "stats.h"

#define IOVA		(1 * GIB)
#define FAULT_MS	3000
/* A page refused in pieces of four bytes is 1,024 events: more than a log of 512 holds. */
#define STORM_TRANSFERS	4
/* What a rate limit of 10 lines in 5 s may let through in a storm. */
#define STORM_LINES	60

FIXTURE(fault) {
	struct requester dev;
	int kmsg;
};

FIXTURE_SETUP(fault)
{
	struct pci_list edus;
	const char *missing = need_edus(&edus, 1) ?: need_iommu();

	if (missing)
		SKIP(return, "%s", missing);
	if (!faults_reported())
		SKIP(return, "this machine's IOMMU reports no faults");
	ASSERT_EQ(0, requester_open(&self->dev, edus.name[0], 2 * PAGE_4K));
	/* Start with the log's rate limit unused. */
	sleep_ms(FAULT_LIMIT_MS);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(fault)
{
	requester_close(&self->dev);
	close(self->kmsg);
}

static bool next_fault(FIXTURE_DATA(fault) *self, enum edu_direction direction, __u64 iova,
		       struct fault *fault)
{
	return !edu_dma(&self->dev.edu, direction, iova, 0, 4) &&
	       fault_wait_at(self->kmsg, fault, self->dev.name, iova, 4, FAULT_MS);
}

TEST_F(fault, line_names_device_address_and_kind)
{
	static const struct {
		enum edu_direction direction;
		__u64 iova;
		bool present;
		const char *words;
	} cases[] = {
		{ EDU_WRITE, 0x12345678, false, "(write, not present)" },
		{ EDU_READ, 0x7fff12345000, false, "(read, not present)" },
		{ EDU_WRITE, IOVA + 8, true, "(write, no permission)" },
		{ EDU_READ, IOVA + PAGE_4K + 16, true, "(read, no permission)" },
	};
	struct fault fault;
	unsigned int i;

	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, IOVA, PAGE_4K,
			      VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + PAGE_4K, IOVA + PAGE_4K, PAGE_4K,
			      VFIO_DMA_MAP_FLAG_WRITE));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_TRUE(next_fault(self, cases[i].direction, cases[i].iova, &fault));
		TH_LOG("%s", fault.line);
		EXPECT_EQ(cases[i].iova, fault.address);
		EXPECT_TRUE(fault_flags_ok(&fault, cases[i].direction == EDU_WRITE,
					   cases[i].present));
		if (iommu_driver() != IOMMU_DRIVER_VIOMMU)
			continue;
		EXPECT_NE(NULL, strstr(fault.line, cases[i].words));
		/* The event's AMD name comes first, then the rest. */
		EXPECT_NE(NULL, strstr(fault.line, ": IO_PAGE_FAULT device="));
		EXPECT_NE(NULL, strstr(fault.line, " domain=0x"));
	}
}

TEST_F(fault, domain_in_the_line_is_the_devices_own)
{
	unsigned int domain;
	struct fault fault;
	char entry[256];
	int found;
	__u64 q1;

	if (iommu_driver() != IOMMU_DRIVER_VIOMMU)
		SKIP(return, "needs amd_viommu's debugfs");
	ASSERT_EQ(0, debugfs_write("devid", self->dev.name));
	ASSERT_LT(0, debugfs_read("devtbl", entry, sizeof(entry)));
	found = sscanf(entry, "%*s %*s %*s 0x%llx", &q1);
	ASSERT_EQ(1, found);
	ASSERT_TRUE(next_fault(self, EDU_WRITE, 0x5000, &fault));
	found = sscanf(strstr(fault.line, "domain="), "domain=0x%x", &domain);
	ASSERT_EQ(1, found);
	EXPECT_EQ(q1 & 0xffff, domain);
}

TEST_F(fault, every_fault_is_counted)
{
	long long faults = stats_read("faults"), events = stats_read("events");
	unsigned int i;

	if (faults < 0)
		SKIP(return, "needs amd_viommu's counters");
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, 0x100000 + i * PAGE_4K, 0, 4));
	sleep_ms(200);
	EXPECT_EQ(faults + 5, stats_read("faults"));
	EXPECT_EQ(events + 5, stats_read("events"));
}

TEST_F_TIMEOUT(fault, storm_is_bounded_in_the_log_and_forgotten_after, 60)
{
	long long before = stats_read("faults"), overflows = stats_read("event_overflows");
	struct fault fault;
	unsigned int i;

	for (i = 0; i < STORM_TRANSFERS; i++)
		ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, IOVA + i * PAGE_4K, 0, EDU_BUFFER));
	sleep_ms(500);
	EXPECT_GE(STORM_LINES, kmsg_count(self->kmsg, "IO_PAGE_FAULT"));
	if (before >= 0) {
		TH_LOG("%lld faults seen, %lld overflows", stats_read("faults") - before,
		       stats_read("event_overflows") - overflows);
		EXPECT_LT(before, stats_read("faults"));
	}
	/* Translation goes on meanwhile, and a new fault is reported again. */
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, IOVA, 2 * PAGE_4K, VFIO_RW));
	pattern_fill(self->dev.mem, PAGE_4K, 1);
	ASSERT_EQ(0, edu_copy(&self->dev.edu, IOVA + PAGE_4K, IOVA, PAGE_4K));
	EXPECT_TRUE(pattern_matches(self->dev.mem + PAGE_4K, PAGE_4K, 1));
	sleep_ms(FAULT_LIMIT_MS);
	EXPECT_TRUE(next_fault(self, EDU_WRITE, 0xabcd0000, &fault));
}

TEST_F(fault, overflow_of_the_log_is_seen_and_recovered)
{
	long long overflows = stats_read("event_overflows");
	struct fault fault;

	if (overflows < 0)
		SKIP(return, "needs amd_viommu's counters");
	/* QEMU makes one transfer in one go: nobody takes an event meanwhile. */
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, IOVA, 0, EDU_BUFFER));
	sleep_ms(500);
	EXPECT_LT(overflows, stats_read("event_overflows"));
	sleep_ms(FAULT_LIMIT_MS);
	EXPECT_TRUE(next_fault(self, EDU_READ, 0xdcba0000, &fault));
}

TEST_HARNESS_MAIN
