// SPDX-License-Identifier: GPL-2.0
/*
 * Two devices in two containers see their own memory only; two devices in one
 * container see the same, and lose it together.
 */
#include "kselftest_harness.h"
#include "fixture.h"

#define IOVA		(1 * GIB)

FIXTURE(pair) {
	struct pci_list edus;
	int kmsg;
	char *mem[2];
};

FIXTURE_SETUP(pair)
{
	const char *missing = dma_missing(&self->edus);

	if (missing)
		SKIP(return, "%s", missing);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
	self->mem[0] = memory_alloc(PAGE_4K);
	self->mem[1] = memory_alloc(PAGE_4K);
}

FIXTURE_TEARDOWN(pair)
{
}

TEST_F(pair, same_address_in_two_containers_is_two_memories)
{
	struct requester dev[2];
	int container[2], i;

	for (i = 0; i < 2; i++) {
		container[i] = vfio_container();
		ASSERT_LE(0, container[i]);
		ASSERT_EQ(0, requester_join(&dev[i], container[i], self->edus.name[i]));
		ASSERT_EQ(0, vfio_map(container[i], self->mem[i], IOVA, PAGE_4K, VFIO_RW));
		pattern_fill(self->mem[i], PAGE_4K, 10 + i);
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, edu_start(&dev[i].edu, EDU_READ, IOVA, 0, PAGE_4K));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, edu_wait(&dev[i].edu));
	memset(self->mem[0], 0, PAGE_4K);
	memset(self->mem[1], 0, PAGE_4K);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, edu_start(&dev[i].edu, EDU_WRITE, IOVA, 0, PAGE_4K));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, edu_wait(&dev[i].edu));
	EXPECT_TRUE(pattern_matches(self->mem[0], PAGE_4K, 10));
	EXPECT_TRUE(pattern_matches(self->mem[1], PAGE_4K, 11));
}

TEST_F(pair, mapping_of_one_is_no_mapping_of_the_other)
{
	struct requester dev[2];
	int container[2], i;

	for (i = 0; i < 2; i++) {
		container[i] = vfio_container();
		ASSERT_LE(0, container[i]);
		ASSERT_EQ(0, requester_join(&dev[i], container[i], self->edus.name[i]));
	}
	ASSERT_EQ(0, vfio_map(container[0], self->mem[0], IOVA, PAGE_4K, VFIO_RW));
	/* The first device uses it, so that it is cached under its name. */
	ASSERT_EQ(0, edu_copy(&dev[0].edu, IOVA, IOVA, PAGE_4K));
	pattern_fill(self->mem[0], PAGE_4K, 20);
	EXPECT_STREQ("", stray_access(&dev[1].edu, self->kmsg, dev[1].name, EDU_WRITE, IOVA, false));
	EXPECT_TRUE(pattern_matches(self->mem[0], PAGE_4K, 20));

	/* The other one leaves; the first goes on. */
	requester_close(&dev[1]);
	close(container[1]);
	ASSERT_EQ(0, edu_dma(&dev[0].edu, EDU_READ, IOVA, 0, PAGE_4K));
	memset(self->mem[0], 0, PAGE_4K);
	ASSERT_EQ(0, edu_dma(&dev[0].edu, EDU_WRITE, IOVA, 0, PAGE_4K));
	EXPECT_TRUE(pattern_matches(self->mem[0], PAGE_4K, 20));
}

TEST_F(pair, one_container_is_one_view_that_both_lose)
{
	struct requester dev[2];
	int container, i;

	container = vfio_container();
	ASSERT_LE(0, container);
	ASSERT_EQ(0, requester_join(&dev[0], container, self->edus.name[0]));
	ASSERT_EQ(0, vfio_map(container, self->mem[0], IOVA, PAGE_4K, VFIO_RW));
	/* The second one joins after the mapping was made. */
	ASSERT_EQ(0, requester_join(&dev[1], container, self->edus.name[1]));
	for (i = 0; i < 2; i++) {
		pattern_fill(self->mem[0], PAGE_4K, 30 + i);
		ASSERT_EQ(0, edu_dma(&dev[i].edu, EDU_READ, IOVA, 0, PAGE_4K));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, edu_dma(&dev[i].edu, EDU_WRITE, IOVA, 0, PAGE_4K));
		EXPECT_TRUE(pattern_matches(self->mem[0], PAGE_4K, 30 + i));
	}
	ASSERT_EQ(PAGE_4K, vfio_unmap(container, IOVA, PAGE_4K));
	pattern_fill(self->mem[0], PAGE_4K, 32);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, edu_dma(&dev[i].edu, EDU_WRITE, IOVA, 0, PAGE_4K));
		EXPECT_TRUE(pattern_matches(self->mem[0], PAGE_4K, 32));
	}
}

TEST_F(pair, moved_to_another_container_a_device_has_its_mappings)
{
	struct requester dev;
	int container[2], i;

	for (i = 0; i < 2; i++) {
		container[i] = vfio_container();
		ASSERT_LE(0, container[i]);
		ASSERT_EQ(0, requester_join(&dev, container[i], self->edus.name[0]));
		ASSERT_EQ(0, vfio_map(container[i], self->mem[i], IOVA, PAGE_4K, VFIO_RW));
		pattern_fill(self->mem[0], PAGE_4K, 40);
		pattern_fill(self->mem[1], PAGE_4K, 41);
		ASSERT_EQ(0, edu_dma(&dev.edu, EDU_READ, IOVA, 0, PAGE_4K));
		memset(self->mem[i], 0, PAGE_4K);
		ASSERT_EQ(0, edu_dma(&dev.edu, EDU_WRITE, IOVA, 0, PAGE_4K));
		EXPECT_TRUE(pattern_matches(self->mem[0], PAGE_4K, 40));
		EXPECT_TRUE(pattern_matches(self->mem[1], PAGE_4K, 41));
		requester_close(&dev);
		close(container[i]);
	}
}

TEST_HARNESS_MAIN
