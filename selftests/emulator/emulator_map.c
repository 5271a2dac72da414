// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated machine, not the driver: accesses of one processor go where they should
 * while another one changes the memory map. QEMU 10.0 by itself loses some of them, see
 * qemu/tcg/sections.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "edu.h"
#include "pci.h"
#include "util.h"

/* What is written there is read back with all bits inverted. */
#define EDU_REG_LIVENESS	0x04
#define PCI_COMMAND		0x04
#define COMMAND_MEMORY		0x02
#define RUN_MS			4000
#define CHANGES_MIN		100
#define ACCESSES_MIN		1000

struct map_changes {
	int config;
	bool stop;
	unsigned int count;
	unsigned int failed;
};

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static bool set_command(int config, __u16 command)
{
	return pwrite(config, &command, sizeof(command), PCI_COMMAND) == sizeof(command);
}

/* A device's memory goes and comes back. */
static void *change_map(void *arg)
{
	struct map_changes *changes = arg;

	changes->failed += pin(1) != 0;
	while (!__atomic_load_n(&changes->stop, __ATOMIC_RELAXED)) {
		changes->failed += !set_command(changes->config, 0);
		changes->failed += !set_command(changes->config, COMMAND_MEMORY);
		changes->count++;
	}
	return NULL;
}

TEST(accesses_reach_their_device_while_the_memory_map_changes)
{
	struct map_changes changes = { 0 };
	unsigned int wrong = 0, accesses = 0;
	struct pci_list list;
	pthread_t thread;
	struct edu edu;
	char path[128];
	__u32 *liveness, got, seed = 1;
	__u64 end;

	edu_find(&list);
	if (list.count < 2 || sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two edu devices and two processors");
	ASSERT_EQ(0, edu_open_sysfs(&edu, list.name[1]));
	pci_path(path, sizeof(path), list.name[0], "config");
	changes.config = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, changes.config);
	ASSERT_EQ(0, pin(0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_map, &changes));
	liveness = (__u32 *)((char *)edu.bar + EDU_REG_LIVENESS);
	for (end = now_ms() + RUN_MS; now_ms() < end; accesses++) {
		seed = seed * 1664525 + 1013904223;
		__atomic_store_n(liveness, seed, __ATOMIC_SEQ_CST);
		got = __atomic_load_n(liveness, __ATOMIC_SEQ_CST);
		wrong += got != ~seed;
	}
	__atomic_store_n(&changes.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	TH_LOG("%u changes, %u accesses, %u of them wrong", changes.count, accesses, wrong);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, changes.failed);
	EXPECT_LT(CHANGES_MIN, changes.count);
	EXPECT_LT(ACCESSES_MIN, accesses);
	close(changes.config);
	edu_close_sysfs(&edu);
}

TEST_HARNESS_MAIN
