// SPDX-License-Identifier: GPL-2.0
/*
 * Every page size: a mapping of 4 KiB to 1 GiB translates right at its ends
 * and in its middle, disappears as a whole, and gives way to mappings of
 * another size at the same address.
 */
#include "kselftest_harness.h"
#include "fixture.h"

#define IOVA_BIG	(4 * GIB)
#define IOVA_SMALL	(64 * MIB)

#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB	(30 << 26)
#endif
#define HUGE_1GB_COUNT	"/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"

/* The device's own memory is a small window through which its bytes are checked. */
static int window_open(struct requester *dev, const char *name)
{
	int ret = requester_open(dev, name, PAGE_4K);

	return ret ? ret : vfio_map(dev->container, dev->mem, IOVA_SMALL, PAGE_4K, VFIO_RW);
}

/* Both directions at one offset of the big mapping. */
static bool reaches(struct requester *dev, char *big, __u64 iova, __u64 offset)
{
	struct edu *edu = &dev->edu;

	pattern_fill(dev->mem, PAGE_4K, offset);
	if (edu_copy(edu, iova + offset, IOVA_SMALL, PAGE_4K) ||
	    !pattern_matches(big + offset, PAGE_4K, offset))
		return false;
	pattern_fill(big + offset, PAGE_4K, ~offset);
	return !edu_copy(edu, IOVA_SMALL, iova + offset, PAGE_4K) &&
	       pattern_matches(dev->mem, PAGE_4K, ~offset);
}

/* A write to where a mapping was must not land in its memory. */
static bool is_gone(struct requester *dev, char *big, __u64 iova, __u64 offset)
{
	pattern_fill(big + offset, PAGE_4K, 77);
	return !edu_dma(&dev->edu, EDU_WRITE, iova + offset, 0, 16) &&
	       pattern_matches(big + offset, PAGE_4K, 77);
}

static void check_size(struct __test_metadata *_metadata, struct requester *dev,
		       char *big, __u64 iova, __u64 size)
{
	__u64 middle = (size / 2) & ~(PAGE_4K - 1);

	ASSERT_EQ(0, vfio_map(dev->container, big, iova, size, VFIO_RW));
	EXPECT_TRUE(reaches(dev, big, iova, 0));
	EXPECT_TRUE(reaches(dev, big, iova, size - PAGE_4K));
	if (size > 2 * PAGE_4K) {
		EXPECT_TRUE(reaches(dev, big, iova, middle));
	}
	ASSERT_EQ((long long)size, vfio_unmap(dev->container, iova, size));
	EXPECT_TRUE(is_gone(dev, big, iova, 0));
	EXPECT_TRUE(is_gone(dev, big, iova, size - PAGE_4K));
}

FIXTURE(size) {
	struct requester dev;
};

FIXTURE_VARIANT(size) {
	__u64 size;
	/* How far the address is from fitting the memory's alignment. */
	__u64 shift;
};

FIXTURE_VARIANT_ADD(size, of_4k) { .size = 4 * KIB };
FIXTURE_VARIANT_ADD(size, of_8k) { .size = 8 * KIB };
FIXTURE_VARIANT_ADD(size, of_64k) { .size = 64 * KIB };
FIXTURE_VARIANT_ADD(size, of_1m) { .size = MIB };
FIXTURE_VARIANT_ADD(size, of_2m) { .size = 2 * MIB };
FIXTURE_VARIANT_ADD(size, of_4m) { .size = 4 * MIB };
FIXTURE_VARIANT_ADD(size, of_32m_and_4k) { .size = 32 * MIB + 4 * KIB };
FIXTURE_VARIANT_ADD(size, of_4m_misaligned) { .size = 4 * MIB, .shift = 4 * KIB };

FIXTURE_SETUP(size)
{
	struct pci_list edus;
	const char *missing = dma_missing(&edus);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, window_open(&self->dev, edus.name[EDU_ONE]));
}

FIXTURE_TEARDOWN(size)
{
	requester_close(&self->dev);
}

TEST_F(size, translates_and_disappears)
{
	char *big = memory_alloc(variant->size);

	ASSERT_NE(NULL, big);
	check_size(_metadata, &self->dev, big, IOVA_BIG + variant->shift, variant->size);
}

FIXTURE(change) {
	struct requester dev;
};

FIXTURE_SETUP(change)
{
	struct pci_list edus;
	const char *missing = dma_missing(&edus);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, window_open(&self->dev, edus.name[EDU_ONE]));
}

FIXTURE_TEARDOWN(change)
{
	requester_close(&self->dev);
}

/* Maps page by page, last page first, so that nothing can be joined. */
static int map_shattered(struct requester *dev, char *mem, __u64 iova, __u64 size)
{
	__u64 offset;
	int ret;

	for (offset = 0; offset < size; offset += PAGE_4K) {
		ret = vfio_map(dev->container, mem + size - PAGE_4K - offset, iova + offset,
			       PAGE_4K, VFIO_RW);
		if (ret)
			return ret;
	}
	return 0;
}

TEST_F(change, from_a_large_page_to_small_ones)
{
	char *big = memory_alloc(2 * MIB), *other = memory_alloc(2 * MIB);
	struct requester *dev = &self->dev;

	ASSERT_EQ(0, vfio_map(dev->container, big, IOVA_BIG, 2 * MIB, VFIO_RW));
	ASSERT_TRUE(reaches(dev, big, IOVA_BIG, MIB));
	ASSERT_EQ(2 * MIB, vfio_unmap(dev->container, IOVA_BIG, 2 * MIB));
	ASSERT_EQ(0, map_shattered(dev, other, IOVA_BIG, 2 * MIB));
	pattern_fill(big + MIB, PAGE_4K, 1);
	pattern_fill(dev->mem, PAGE_4K, 2);
	ASSERT_EQ(0, edu_copy(&dev->edu, IOVA_BIG + MIB, IOVA_SMALL, PAGE_4K));
	EXPECT_TRUE(pattern_matches(big + MIB, PAGE_4K, 1));
	EXPECT_TRUE(pattern_matches(other + MIB - PAGE_4K, PAGE_4K, 2));
}

TEST_F(change, from_small_pages_to_a_large_one)
{
	char *big = memory_alloc(2 * MIB), *other = memory_alloc(2 * MIB);
	struct requester *dev = &self->dev;

	ASSERT_EQ(0, map_shattered(dev, other, IOVA_BIG, 2 * MIB));
	pattern_fill(dev->mem, PAGE_4K, 3);
	ASSERT_EQ(0, edu_copy(&dev->edu, IOVA_BIG + MIB, IOVA_SMALL, PAGE_4K));
	ASSERT_TRUE(pattern_matches(other + MIB - PAGE_4K, PAGE_4K, 3));
	ASSERT_EQ(2 * MIB, vfio_unmap(dev->container, IOVA_BIG, 2 * MIB));
	ASSERT_EQ(0, vfio_map(dev->container, big, IOVA_BIG, 2 * MIB, VFIO_RW));
	EXPECT_TRUE(reaches(dev, big, IOVA_BIG, MIB));
	EXPECT_TRUE(pattern_matches(other + MIB - PAGE_4K, PAGE_4K, 3));
}

TEST_F(change, sizes_side_by_side)
{
	static const struct {
		__u64 offset, size;
	} parts[] = {
		{ 0, 2 * MIB }, { 2 * MIB, 4 * KIB }, { 2 * MIB + 4 * KIB, 60 * KIB },
		{ 4 * MIB - 8 * KIB, 8 * KIB }, { 4 * MIB, 4 * MIB },
	};
	struct requester *dev = &self->dev;
	char *mem = memory_alloc(8 * MIB);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		ASSERT_EQ(0, vfio_map(dev->container, mem + parts[i].offset,
				      IOVA_BIG + parts[i].offset, parts[i].size, VFIO_RW));
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		EXPECT_TRUE(reaches(dev, mem, IOVA_BIG,
				    parts[i].offset + parts[i].size - PAGE_4K));
	EXPECT_TRUE(is_gone(dev, mem, IOVA_BIG, 3 * MIB));
	/* Each goes alone. */
	ASSERT_EQ(4 * KIB, vfio_unmap(dev->container, IOVA_BIG + 2 * MIB, 4 * KIB));
	EXPECT_TRUE(is_gone(dev, mem, IOVA_BIG, 2 * MIB));
	EXPECT_TRUE(reaches(dev, mem, IOVA_BIG, 2 * MIB - PAGE_4K));
	EXPECT_TRUE(reaches(dev, mem, IOVA_BIG, 2 * MIB + PAGE_4K));
}

static char *alloc_gigabyte(void)
{
	char *mem;

	file_write(HUGE_1GB_COUNT, "1");
	mem = mmap(NULL, GIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
	if (mem == MAP_FAILED)
		return NULL;
	mem[0] = 1;
	return mem;
}

TEST_F(change, one_gigabyte)
{
	char *big = alloc_gigabyte();

	if (!big)
		SKIP(return, "needs a free 1 GiB page");
	check_size(_metadata, &self->dev, big, IOVA_BIG, GIB);
	munmap(big, GIB);
	file_write(HUGE_1GB_COUNT, "0");
}

TEST_HARNESS_MAIN
