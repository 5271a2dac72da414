// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated machine, not the driver: accesses of one processor go where they should
 * while another one changes the memory map. QEMU 10.0 by itself loses some of them, see
 * qemu/tcg/sections.c.
 */
#include "kselftest_harness.h"
#include "edu.h"
#include "map_changes.h"

/* What is written there is read back with all bits inverted. */
#define EDU_REG_LIVENESS	0x04
#define RUN_MS			4000
#define RUN_MS_MAX		20000
#define CHANGES_MIN		100
#define ACCESSES_MIN		1000

/* A slow machine takes longer for what has to be. */
static bool goes_on(const struct map_changes *changes, __u64 ms)
{
	bool few = __atomic_load_n(&changes->count, __ATOMIC_RELAXED) <= CHANGES_MIN;

	return ms < (few ? RUN_MS_MAX : RUN_MS);
}

TEST(accesses_reach_their_device_while_the_memory_map_changes)
{
	struct map_changes changes = { 0 };
	unsigned int wrong = 0, accesses = 0;
	struct pci_list list;
	struct edu edu;
	__u32 *liveness, got, seed = 1;
	__u64 begun;

	edu_find(&list);
	if (list.count < 2 || sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two edu devices and two processors");
	ASSERT_EQ(0, edu_open_sysfs(&edu, list.name[1]));
	ASSERT_EQ(0, run_on(0));
	ASSERT_TRUE(changes_start(&changes, list.name[0]));
	liveness = (__u32 *)((char *)edu.bar + EDU_REG_LIVENESS);
	for (begun = now_ms(); goes_on(&changes, now_ms() - begun); accesses++) {
		seed = seed * 1664525 + 1013904223;
		__atomic_store_n(liveness, seed, __ATOMIC_SEQ_CST);
		got = __atomic_load_n(liveness, __ATOMIC_SEQ_CST);
		wrong += got != ~seed;
	}
	changes_stop(&changes);
	TH_LOG("%u changes, %u accesses, %u of them wrong", changes.count, accesses, wrong);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, changes.failed);
	EXPECT_LT(CHANGES_MIN, changes.count);
	EXPECT_LT(ACCESSES_MIN, accesses);
	edu_close_sysfs(&edu);
}

TEST_HARNESS_MAIN
