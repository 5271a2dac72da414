// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts move between CPUs under load, and none is lost. A lost one would be a reply that never comes, or a
 * command that the drive's driver finds done when its time is over.
 */
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "../client/clients.h"
#include "irq.h"
#include "kmsg.h"
#include "stats.h"

#define LOAD_MS		10000
#define ECHO_THREADS	2
#define POLLED		"timeout, completion polled"

FIXTURE(move) {
	struct block block;
	char pci[PCI_NAME_LEN];
	char name[32];
	unsigned int cpus;
	bool shared;		/* An interrupt of the drive serves several CPUs. */
	int stray;
	int polled;
	struct block_load drive;
	struct block_load_handle *drive_handle;
	struct net_load card;
	struct net_load_handle *card_handle;
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
	/* One for the commands of the driver, and several for reads and writes. */
	ASSERT_LT(2, irqs.count);
	self->shared = irqs.count - 1 < self->cpus;
	self->stray = kmsg_open();
	ASSERT_LE(0, self->stray);
	self->polled = kmsg_open();
	ASSERT_LE(0, self->polled);
}

FIXTURE_TEARDOWN(move)
{
	unsigned int cpu;

	for (cpu = 1; cpu < self->cpus; cpu++)
		cpu_online(cpu, true);
	net_down(self->name);
	close(self->stray);
	close(self->polled);
}

static bool load_starts(FIXTURE_DATA(move) *self)
{
	self->card.threads = ECHO_THREADS;
	self->card_handle = net_load_start(&self->card);
	self->drive.path = self->block.path;
	self->drive.size = self->block.size;
	self->drive.threads = self->cpus + 1;
	self->drive_handle = block_load_start(&self->drive);
	return self->card_handle && self->drive_handle;
}

static void expect_nothing_lost(struct __test_metadata *_metadata, FIXTURE_DATA(move) *self)
{
	EXPECT_EQ(0, block_load_finish(self->drive_handle));
	EXPECT_EQ(0, net_load_finish(self->card_handle));
	TH_LOG("%llu MiB on the drive, %llu echoes with %llu KiB on the card",
	       self->drive.bytes / MIB, self->card.echoes, self->card.bytes / KIB);
	EXPECT_LT(MIB, self->drive.bytes);
	EXPECT_LT(100, self->card.echoes);
	EXPECT_EQ(0, irq_stray_lines(self->stray));
	EXPECT_EQ(0, kmsg_count(self->polled, POLLED));
}

/* "nvme0q0": that of the driver's own commands. The others are the kernel's to move. */
static bool may_be_moved(const struct irq *irq)
{
	const size_t len = strlen(irq->name);

	return len > 2 && !strcmp(irq->name + len - 2, "q0");
}

/* Moves all interrupts of the card, and the drive's that may be moved. */
static void move_all(struct __test_metadata *_metadata, FIXTURE_DATA(move) *self, unsigned int cpu)
{
	unsigned int i, moved = 0;
	struct irq_list irqs;

	irq_find(&irqs, self->pci);
	for (i = 0; i < irqs.count; i++)
		EXPECT_EQ(0, irq_move(irqs.irq[i].number, cpu));
	irq_find(&irqs, self->block.pci);
	for (i = 0; i < irqs.count; i++) {
		if (may_be_moved(&irqs.irq[i]))
			moved += !irq_move(irqs.irq[i].number, cpu);
	}
	EXPECT_EQ(1, moved);
}

static __u64 card_seen_by(FIXTURE_DATA(move) *self, unsigned int cpu)
{
	struct irq_list irqs;
	__u64 sum = 0;
	unsigned int i;

	irq_find(&irqs, self->pci);
	for (i = 0; i < irqs.count; i++)
		sum += irqs.irq[i].count[cpu];
	return sum;
}

static __u64 drive_seen_by(FIXTURE_DATA(move) *self, unsigned int cpu)
{
	struct irq_list irqs;
	__u64 sum = 0;
	unsigned int i;

	irq_find(&irqs, self->block.pci);
	for (i = 0; i < irqs.count; i++) {
		if (may_be_moved(&irqs.irq[i]))
			sum += irqs.irq[i].count[cpu];
	}
	return sum;
}

/* What was moved comes here. The kernel moves an interrupt that comes, once the vector before the last is free. */
static bool arrives(FIXTURE_DATA(move) *self, unsigned int cpu)
{
	const __u64 card = card_seen_by(self, cpu), drive = drive_seen_by(self, cpu);
	const __u64 end = now_ms() + WAIT_MS;

	while (card_seen_by(self, cpu) == card || drive_seen_by(self, cpu) == drive) {
		if (block_command(self->block.path) || now_ms() > end)
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(move, interrupts_follow_under_load, 300)
{
	long long invalidations = stats_read("invalidate_interrupts");
	unsigned int moves, cpu;
	__u64 end;

	ASSERT_TRUE(load_starts(self));
	end = now_ms() + LOAD_MS;
	for (moves = 0; moves < self->cpus || now_ms() < end; moves++) {
		cpu = moves % self->cpus;
		move_all(_metadata, self, cpu);
		ASSERT_TRUE(arrives(self, cpu)) TH_LOG("move %u, to CPU %u", moves, cpu);
	}
	TH_LOG("%u moves", moves);
	expect_nothing_lost(_metadata, self);
	if (invalidations >= 0) {
		EXPECT_LT(invalidations, stats_read("invalidate_interrupts"));
	}
}

/* The drive's interrupts for reads and writes that go to this CPU: those that may go elsewhere, or the others. */
static void drive_at(FIXTURE_DATA(move) *self, unsigned int cpu, bool elsewhere,
		     struct irq_list *list)
{
	const __u32 all = (1U << self->cpus) - 1, here = 1U << cpu;
	unsigned int i, count;

	irq_find(list, self->block.pci);
	count = list->count;
	list->count = 0;
	for (i = 0; i < count; i++) {
		const struct irq *irq = &list->irq[i];

		if (!may_be_moved(irq) && irq_target(irq->number) == here &&
		    !(irq_allowed(irq->number) & all & ~here) != elsewhere)
			list->irq[list->count++] = *irq;
	}
}

/* How often an interrupt of the drive has come, to any CPU that is on. */
static __u64 times(FIXTURE_DATA(move) *self, unsigned int number)
{
	struct irq_list irqs;
	unsigned int i, cpu;
	__u64 sum = 0;

	irq_find(&irqs, self->block.pci);
	for (i = 0; i < irqs.count; i++) {
		for (cpu = 0; irqs.irq[i].number == number && cpu < IRQ_CPUS; cpu++)
			sum += irqs.irq[i].count[cpu];
	}
	return sum;
}

/* Each of these comes, from now on. */
static bool go_on(FIXTURE_DATA(move) *self, const struct irq_list *list)
{
	const __u64 end = now_ms() + WAIT_MS;
	unsigned int i;

	for (i = 0; i < list->count; i++) {
		const __u64 before = times(self, list->irq[i].number);

		while (times(self, list->irq[i].number) == before) {
			if (now_ms() > end)
				return false;
			sleep_ms(1);
		}
	}
	return true;
}

/* More replies than requests that were on their way. */
static bool echoes_go_on(struct net_load *card)
{
	const __u64 before = __atomic_load_n(&card->echoes, __ATOMIC_RELAXED);
	const __u64 end = now_ms() + WAIT_MS;

	while (__atomic_load_n(&card->echoes, __ATOMIC_RELAXED) <= before + ECHO_THREADS) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/*
 * Of the drive's interrupts, the kernel moves one that serves other CPUs too, and shuts one that does not. All of
 * the card's are on the CPU that goes off.
 */
TEST_F_TIMEOUT(move, cpus_go_off_and_on_under_load, 300)
{
	unsigned int rounds, cpu, left = 0, shut = 0;
	struct irq_list leaving, staying;
	__u64 end;

	if (!file_exists("/sys/devices/system/cpu/cpu1/online"))
		SKIP(return, "needs CPUs that can be switched off");
	ASSERT_TRUE(load_starts(self));
	end = now_ms() + LOAD_MS;
	for (rounds = 0; rounds < 2 * (self->cpus - 1) || now_ms() < end; rounds++) {
		cpu = 1 + rounds % (self->cpus - 1);
		move_all(_metadata, self, cpu);
		ASSERT_TRUE(arrives(self, cpu)) TH_LOG("round %u, CPU %u", rounds, cpu);
		drive_at(self, cpu, true, &leaving);
		drive_at(self, cpu, false, &staying);
		ASSERT_EQ(0, cpu_online(cpu, false));
		ASSERT_TRUE(go_on(self, &leaving)) TH_LOG("round %u, without CPU %u", rounds, cpu);
		ASSERT_TRUE(echoes_go_on(&self->card)) TH_LOG("round %u, without CPU %u", rounds, cpu);
		ASSERT_EQ(0, cpu_online(cpu, true));
		ASSERT_TRUE(go_on(self, &staying)) TH_LOG("round %u, with CPU %u again", rounds, cpu);
		left += leaving.count;
		shut += staying.count;
	}
	TH_LOG("%u rounds, %u interrupts of the drive moved, %u shut", rounds, left, shut);
	EXPECT_LT(0, self->shared ? left : shut);
	expect_nothing_lost(_metadata, self);
}

TEST_HARNESS_MAIN
