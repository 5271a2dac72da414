// SPDX-License-Identifier: GPL-2.0
/*
 * Random maps and unmaps, compared with the simplest possible model: a table
 * that says which page of memory each page of the address space means.
 * The seed is printed; VIOMMU_SEED in the environment repeats a run.
 */
#include <stdlib.h>
#include <time.h>

#include "kselftest_harness.h"
#include "fixture.h"

#define SLOTS		96	/* Pages of address space. */
#define PAGES		64	/* Pages of memory. */
#define CHANGES		24	/* Maps and unmaps between two transfers. */
#define ROUNDS		40
#define PROBED		8	/* Slots that are accessed: few, so that the IOMMU knows them from before. */
#define NOT_MAPPED	(-1)
/* Of the patterns in memory: far from those that other tests leave in the buffer of an edu device. */
#define SEEDS		(1ULL << 32)

/* Slots fall into three regions far apart, each across a table boundary. */
static __u64 slot_iova(unsigned int slot)
{
	static const __u64 regions[] = { 2 * MIB, GIB, 512 * GIB };

	return regions[slot / 32] + (slot % 32) * PAGE_4K - 16 * PAGE_4K;
}

struct model {
	int page[SLOTS];	/* What each slot means now. */
	unsigned int run[SLOTS];	/* Length of the mapping that starts here. */
};

FIXTURE(random) {
	struct requester dev[2];
	struct model model;
	int container;
	__u64 random;
	char *mem;
};

FIXTURE_SETUP(random)
{
	const char *seed = getenv("VIOMMU_SEED"), *missing;
	struct pci_list edus;
	unsigned int i;

	missing = dma_missing(&edus);
	if (missing)
		SKIP(return, "%s", missing);
	self->random = seed ? strtoull(seed, NULL, 0) : (__u64)time(NULL);
	TH_LOG("VIOMMU_SEED=%llu", self->random);
	self->container = vfio_container();
	ASSERT_LE(0, self->container);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, requester_join(&self->dev[i], self->container, edus.name[i]));
	for (i = 0; i < SLOTS; i++)
		self->model.page[i] = NOT_MAPPED;
	self->mem = memory_alloc(PAGES * PAGE_4K);
	ASSERT_NE(NULL, self->mem);
}

FIXTURE_TEARDOWN(random)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		requester_close(&self->dev[i]);
}

static unsigned int choose(FIXTURE_DATA(random) *self, unsigned int below)
{
	return random_next(&self->random) % below;
}

/* Maps 1 to 4 pages at a free slot, or unmaps the mapping that starts there. */
static int change(FIXTURE_DATA(random) *self)
{
	unsigned int slot = choose(self, SLOTS), len = 1 + choose(self, 4), i;
	unsigned int page = choose(self, PAGES - 4);
	struct model *model = &self->model;

	if (model->run[slot]) {
		len = model->run[slot];
		if (vfio_unmap(self->container, slot_iova(slot), len * PAGE_4K) !=
		    (long long)(len * PAGE_4K))
			return -1;
		for (i = 0; i < len; i++)
			model->page[slot + i] = NOT_MAPPED;
		model->run[slot] = 0;
		return 0;
	}
	for (i = 0; i < len; i++) {
		if (slot % 32 + i >= 32 || model->page[slot + i] != NOT_MAPPED)
			return 0;
	}
	if (vfio_map(self->container, self->mem + page * PAGE_4K, slot_iova(slot),
		     len * PAGE_4K, VFIO_RW))
		return -1;
	for (i = 0; i < len; i++)
		model->page[slot + i] = page + i;
	model->run[slot] = len;
	return 0;
}

/* Memory before and after a transfer may differ in one page only. */
static bool only_changed(const char *mem, const char *before, int page)
{
	int i;

	for (i = 0; i < PAGES; i++) {
		bool changed = memcmp(mem + i * PAGE_4K, before + i * PAGE_4K, PAGE_4K);

		if (changed != (i == page))
			return false;
	}
	return true;
}

/*
 * One device after the other writes to a slot: the page of memory that the
 * slot means must change and no other, or none if the slot is empty.
 */
TEST_F_TIMEOUT(random, mappings_mean_what_the_model_says, 110)
{
	static char before[PAGES * PAGE_4K];
	unsigned int round, i, hits = 0;

	for (round = 0; round < ROUNDS; round++) {
		unsigned int slot = choose(self, PROBED) * (SLOTS / PROBED);
		struct edu *edu = &self->dev[round & 1].edu;
		int page;

		for (i = 0; i < CHANGES; i++)
			ASSERT_EQ(0, change(self));
		page = self->model.page[slot];
		for (i = 0; i < PAGES; i++)
			pattern_fill(self->mem + i * PAGE_4K, PAGE_4K, SEEDS + round * PAGES + i);
		memcpy(before, self->mem, sizeof(before));
		ASSERT_EQ(0, edu_dma(edu, EDU_WRITE, slot_iova(slot), 0, 64));
		ASSERT_TRUE(only_changed(self->mem, before, page))
			TH_LOG("round %u slot %u page %d", round, slot, page);
		hits += page != NOT_MAPPED;
	}
	/* Both outcomes must have been seen, or the run proved little. */
	EXPECT_LT(4, hits);
	EXPECT_LT(hits, ROUNDS - 4);
}

TEST_HARNESS_MAIN
