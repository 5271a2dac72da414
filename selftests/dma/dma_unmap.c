// SPDX-License-Identifier: GPL-2.0
/*
 * What is unmapped is out of reach when the call returns, whatever the IOMMU
 * had cached: nothing stale, no neighbour harmed.
 */
#include "kselftest_harness.h"
#include "fixture.h"

#define IOVA		(1 * GIB)
/* Short, so that a refused transfer does not fill the event log. */
#define LANDING		4

FIXTURE(unmap) {
	struct requester dev;
	int kmsg;
};

FIXTURE_SETUP(unmap)
{
	struct pci_list edus;
	const char *missing = dma_missing(&edus);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, requester_open(&self->dev, edus.name[EDU_ONE], 2 * MIB));
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(unmap)
{
	requester_close(&self->dev);
	close(self->kmsg);
}

/*
 * The device writes a few bytes. 1: exactly there memory changed; 0: it did not;
 * negative: the device itself failed.
 */
static int write_lands(struct edu *edu, __u64 iova, char *page)
{
	static __u64 seed = 1000;
	int ret;

	pattern_fill(page, PAGE_4K, ++seed);
	ret = edu_dma(edu, EDU_WRITE, iova, 0, LANDING);
	return ret ? ret : !pattern_matches(page, PAGE_4K, seed);
}

TEST_F(unmap, use_after_unmap_faults_and_neighbours_stay)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + i * PAGE_4K,
				      IOVA + i * PAGE_4K, PAGE_4K, VFIO_RW));
		/* Touched, so that the IOMMU may hold the translation. */
		ASSERT_EQ(1, write_lands(&self->dev.edu, IOVA + i * PAGE_4K,
					self->dev.mem + i * PAGE_4K));
	}
	ASSERT_EQ(PAGE_4K, vfio_unmap(self->dev.container, IOVA + PAGE_4K, PAGE_4K));
	EXPECT_EQ(0, write_lands(&self->dev.edu, IOVA + PAGE_4K, self->dev.mem + PAGE_4K));
	EXPECT_STREQ("", stray_access(&self->dev.edu, self->kmsg, self->dev.name, EDU_WRITE,
				      IOVA + PAGE_4K, false));
	EXPECT_EQ(1, write_lands(&self->dev.edu, IOVA, self->dev.mem));
	EXPECT_EQ(1, write_lands(&self->dev.edu, IOVA + 2 * PAGE_4K, self->dev.mem + 2 * PAGE_4K));
}

TEST_F(unmap, remapped_address_means_the_new_memory)
{
	char *old = self->dev.mem, *new = old + 8 * PAGE_4K, *other = old + 16 * PAGE_4K;

	ASSERT_EQ(0, vfio_map(self->dev.container, other, IOVA + MIB, PAGE_4K, VFIO_RW));
	ASSERT_EQ(0, vfio_map(self->dev.container, old, IOVA, PAGE_4K, VFIO_RW));
	pattern_fill(old, PAGE_4K, 1);
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_READ, IOVA, 0, PAGE_4K));
	ASSERT_EQ(1, write_lands(&self->dev.edu, IOVA, old));
	ASSERT_EQ(PAGE_4K, vfio_unmap(self->dev.container, IOVA, PAGE_4K));
	ASSERT_EQ(0, vfio_map(self->dev.container, new, IOVA, PAGE_4K, VFIO_RW));

	pattern_fill(new, PAGE_4K, 2);
	ASSERT_EQ(0, edu_copy(&self->dev.edu, IOVA + MIB, IOVA, PAGE_4K));
	EXPECT_TRUE(pattern_matches(other, PAGE_4K, 2));

	pattern_fill(old, PAGE_4K, 3);
	pattern_fill(new, PAGE_4K, 4);
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, IOVA, 0, PAGE_4K));
	EXPECT_TRUE(pattern_matches(old, PAGE_4K, 3));
	EXPECT_TRUE(pattern_matches(new, PAGE_4K, 2));
}

TEST_F(unmap, large_range_of_single_pages_goes_at_once)
{
	static const unsigned int touched[] = { 0, 1, 255, 256, 511 };
	unsigned int i;

	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + i * PAGE_4K,
				      IOVA + i * PAGE_4K, PAGE_4K, VFIO_RW));
	for (i = 0; i < ARRAY_SIZE(touched); i++)
		ASSERT_EQ(1, write_lands(&self->dev.edu, IOVA + touched[i] * PAGE_4K,
					self->dev.mem + touched[i] * PAGE_4K));
	ASSERT_EQ(2 * MIB, vfio_unmap(self->dev.container, IOVA, 2 * MIB));
	for (i = 0; i < ARRAY_SIZE(touched); i++)
		EXPECT_EQ(0, write_lands(&self->dev.edu, IOVA + touched[i] * PAGE_4K,
					 self->dev.mem + touched[i] * PAGE_4K));
}

/* Ranges whose size and place fit no single invalidation. */
TEST_F(unmap, odd_ranges_go_whole_and_alone)
{
	static const struct {
		unsigned int first, count;
	} odd[] = { { 1, 3 }, { 7, 2 }, { 31, 34 }, { 100, 29 } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		unsigned int first = odd[i].first, count = odd[i].count;
		char *mem = self->dev.mem + first * PAGE_4K;
		__u64 iova = IOVA + first * PAGE_4K;
		char *before = mem - PAGE_4K, *after = mem + count * PAGE_4K;
		char *last = after - PAGE_4K;

		ASSERT_EQ(0, vfio_map(self->dev.container, before, iova - PAGE_4K, PAGE_4K, VFIO_RW));
		ASSERT_EQ(0, vfio_map(self->dev.container, after, iova + count * PAGE_4K, PAGE_4K,
				      VFIO_RW));
		ASSERT_EQ(0, vfio_map(self->dev.container, mem, iova, count * PAGE_4K, VFIO_RW));
		ASSERT_EQ(1, write_lands(&self->dev.edu, iova, mem));
		ASSERT_EQ(1, write_lands(&self->dev.edu, iova + (last - mem), last));
		ASSERT_EQ(1, write_lands(&self->dev.edu, iova - PAGE_4K, before));
		ASSERT_EQ(count * PAGE_4K, vfio_unmap(self->dev.container, iova, count * PAGE_4K));
		EXPECT_EQ(0, write_lands(&self->dev.edu, iova, mem));
		EXPECT_EQ(0, write_lands(&self->dev.edu, iova + (last - mem), last));
		EXPECT_EQ(1, write_lands(&self->dev.edu, iova - PAGE_4K, before));
		EXPECT_EQ(1, write_lands(&self->dev.edu, iova + count * PAGE_4K, after));
		ASSERT_EQ(PAGE_4K, vfio_unmap(self->dev.container, iova - PAGE_4K, PAGE_4K));
		ASSERT_EQ(PAGE_4K, vfio_unmap(self->dev.container, iova + count * PAGE_4K, PAGE_4K));
	}
}

/* Enough commands to take the command ring around several times. */
TEST_F_TIMEOUT(unmap, thousands_of_unmaps_then_still_exact, 60)
{
	unsigned int i;

	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, IOVA, PAGE_4K, VFIO_RW));
	ASSERT_EQ(1, write_lands(&self->dev.edu, IOVA, self->dev.mem));
	for (i = 0; i < 4000; i++) {
		ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + PAGE_4K, IOVA + MIB, PAGE_4K,
				      VFIO_RW));
		ASSERT_EQ(PAGE_4K, vfio_unmap(self->dev.container, IOVA + MIB, PAGE_4K));
	}
	EXPECT_EQ(1, write_lands(&self->dev.edu, IOVA, self->dev.mem));
	ASSERT_EQ(PAGE_4K, vfio_unmap(self->dev.container, IOVA, PAGE_4K));
	EXPECT_EQ(0, write_lands(&self->dev.edu, IOVA, self->dev.mem));
}

/*
 * The rest drives the device through sysfs, so that it can still be aimed
 * while VFIO has let go of it.
 */
FIXTURE(owner) {
	struct edu edu;
	int container;
	int group;
	int kmsg;
	char *mem;
	char name[PCI_NAME_LEN];
};

FIXTURE_SETUP(owner)
{
	struct pci_list edus;
	const char *missing = dma_missing(&edus);

	if (missing)
		SKIP(return, "%s", missing);
	memcpy(self->name, edus.name[EDU_ONE], PCI_NAME_LEN);
	self->container = vfio_container();
	ASSERT_LE(0, self->container);
	self->group = vfio_join(self->container, self->name);
	ASSERT_LE(0, self->group);
	ASSERT_EQ(0, edu_open_sysfs(&self->edu, self->name));
	self->kmsg = kmsg_open();
	self->mem = memory_alloc(4 * PAGE_4K);
	ASSERT_NE(NULL, self->mem);
	ASSERT_EQ(0, vfio_map(self->container, self->mem, IOVA, PAGE_4K, VFIO_RW));
	ASSERT_EQ(1, write_lands(&self->edu, IOVA, self->mem));
}

FIXTURE_TEARDOWN(owner)
{
	edu_close_sysfs(&self->edu);
	close(self->kmsg);
}

TEST_F(owner, closed_container_leaves_no_mapping)
{

	close(self->group);
	close(self->container);
	EXPECT_EQ(0, write_lands(&self->edu, IOVA, self->mem));
	EXPECT_STREQ("", stray_access(&self->edu, self->kmsg, self->name, EDU_WRITE, IOVA, false));
}

TEST_F(owner, device_without_a_domain_of_its_owner_reaches_nothing)
{
	int container;

	close(self->group);
	close(self->container);
	/* Claimed for user space, but no IOMMU type is set: blocked. */
	container = vfio_container();
	ASSERT_LE(0, container);
	self->group = vfio_join_blocked(container, self->name);
	ASSERT_LE(0, self->group);
	EXPECT_EQ(0, write_lands(&self->edu, IOVA, self->mem));
	ASSERT_NE(0, physical_address(self->mem));
	EXPECT_EQ(0, write_lands(&self->edu, physical_address(self->mem), self->mem));
	close(self->group);
	close(container);
}

TEST_F(owner, physical_addresses_are_not_reachable)
{
	ASSERT_NE(0, physical_address(self->mem + PAGE_4K));
	EXPECT_EQ(0, write_lands(&self->edu, physical_address(self->mem + PAGE_4K),
				 self->mem + PAGE_4K));
	close(self->group);
	close(self->container);
}

TEST_HARNESS_MAIN
