// SPDX-License-Identifier: GPL-2.0
/* Interrupts move between CPUs under load, and none is lost. */
#include <unistd.h>

#include "kselftest_harness.h"
#include "../client/clients.h"
#include "irq.h"
#include "kmsg.h"
#include "stats.h"

#define LOAD_MS		10000
#define PAUSE_MS	200
#define TRIES		20

FIXTURE(move) {
	struct block block;
	char pci[PCI_NAME_LEN];
	char name[32];
	unsigned int cpus;
	int kmsg;
};

FIXTURE_SETUP(move)
{
	const char *missing = nvme_missing(&self->block, BLOCK_SCRATCH);
	struct irq_list irqs;

	if (!missing)
		missing = nic_missing(self->pci, self->name, sizeof(self->name));
	if (missing)
		SKIP(return, "%s", missing);
	self->cpus = cpu_count();
	if (self->cpus < 2)
		SKIP(return, "needs two CPUs");
	ASSERT_LE(0, pci_group(self->block.pci));
	ASSERT_LE(0, pci_group(self->pci));
	ASSERT_EQ(0, net_up(self->name));
	irq_find(&irqs, self->pci);
	ASSERT_TRUE(irq_remapped(&irqs));
	irq_find(&irqs, self->block.pci);
	ASSERT_TRUE(irq_remapped(&irqs));
	/* One for the commands of the driver, and one for each CPU. */
	ASSERT_LT(self->cpus, irqs.count);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(move)
{
	unsigned int cpu;

	for (cpu = 1; cpu < self->cpus; cpu++)
		cpu_online(cpu, true);
	net_down(self->name);
	close(self->kmsg);
}

/* Moves all interrupts of the card, and the drive's that may be moved. */
static unsigned int move_all(FIXTURE_DATA(move) *self, unsigned int cpu)
{
	struct irq_list irqs;
	unsigned int i, moved = 0;

	irq_find(&irqs, self->pci);
	for (i = 0; i < irqs.count; i++)
		moved += !irq_move(irqs.irq[i].number, cpu);
	irq_find(&irqs, self->block.pci);
	for (i = 0; i < irqs.count; i++)
		moved += !irq_move(irqs.irq[i].number, cpu);
	return moved;
}

static __u64 seen_by(const char *pci, unsigned int cpu)
{
	struct irq_list irqs;
	__u64 sum = 0;
	unsigned int i;

	irq_find(&irqs, pci);
	for (i = 0; i < irqs.count; i++)
		sum += irqs.irq[i].count[cpu];
	return sum;
}

TEST_F_TIMEOUT(move, interrupts_follow_under_load, 300)
{
	struct block_load load = { .path = self->block.path, .size = self->block.size,
				   .threads = self->cpus + 1 };
	long long invalidations = stats_read("invalidate_interrupts");
	struct block_load_handle *handle = block_load_start(&load);
	unsigned int moved = 0, cpu = 0;
	__u64 bytes = 0, end, before;

	ASSERT_NE(NULL, handle);
	for (end = now_ms() + LOAD_MS; now_ms() < end; cpu = (cpu + 1) % self->cpus) {
		unsigned int step = move_all(self, cpu), tries;

		EXPECT_LT(0, step);
		moved += step;
		before = seen_by(self->pci, cpu);
		/* The kernel moves an interrupt that comes, once the vector before the last is free. */
		for (tries = 0; tries < TRIES && seen_by(self->pci, cpu) == before; tries++)
			EXPECT_EQ(5, net_ping(5, &bytes));
		EXPECT_LT(before, seen_by(self->pci, cpu));
	}
	EXPECT_EQ(0, block_load_finish(handle));
	TH_LOG("%u moves, %llu MiB on the drive, %llu KiB on the card", moved, load.bytes / MIB,
	       bytes / KIB);
	EXPECT_LT(MIB, load.bytes);
	EXPECT_EQ(0, irq_stray_lines(self->kmsg));
	if (invalidations >= 0) {
		EXPECT_LT(invalidations, stats_read("invalidate_interrupts"));
	}
}

TEST_F_TIMEOUT(move, cpus_go_off_and_on_under_load, 300)
{
	struct block_load load = { .path = self->block.path, .size = self->block.size,
				   .threads = self->cpus + 1 };
	struct block_load_handle *handle;
	unsigned int rounds = 0, cpu;
	__u64 bytes = 0, end;

	if (!file_exists("/sys/devices/system/cpu/cpu1/online"))
		SKIP(return, "needs CPUs that can be switched off");
	handle = block_load_start(&load);
	ASSERT_NE(NULL, handle);
	for (end = now_ms() + LOAD_MS; now_ms() < end; rounds++) {
		cpu = 1 + rounds % (self->cpus - 1);
		ASSERT_EQ(0, cpu_online(cpu, false));
		EXPECT_EQ(5, net_ping(5, &bytes));
		sleep_ms(PAUSE_MS);
		ASSERT_EQ(0, cpu_online(cpu, true));
		move_all(self, cpu);
		EXPECT_EQ(5, net_ping(5, &bytes));
		sleep_ms(PAUSE_MS);
	}
	EXPECT_EQ(0, block_load_finish(handle));
	TH_LOG("%u rounds, %llu MiB on the drive", rounds, load.bytes / MIB);
	EXPECT_LT(MIB, load.bytes);
	EXPECT_EQ(0, irq_stray_lines(self->kmsg));
}

TEST_HARNESS_MAIN
