// SPDX-License-Identifier: GPL-2.0
/*
 * A device reads and writes the bytes that its mappings name, at any address
 * the IOMMU offers, and no others; what it may not do is reported.
 */
#include "kselftest_harness.h"
#include "fixture.h"

#define EXPECT_STRAY(direction, iova, present)				\
	EXPECT_STREQ("", stray_access(&self->dev.edu, self->kmsg, self->dev.name, \
				      direction, iova, present))

FIXTURE(dma) {
	struct requester dev;
	int kmsg;
};

FIXTURE_SETUP(dma)
{
	struct pci_list edus;
	const char *missing = dma_missing(&edus);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, requester_open(&self->dev, edus.name[EDU_ONE], 64 * PAGE_4K));
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(dma)
{
	requester_close(&self->dev);
	close(self->kmsg);
}

/* Round trip through the device, from one mapped page to the next. */
static int round_trip(struct edu *edu, char *mem, __u64 iova, __u64 seed)
{
	int ret;

	pattern_fill(mem, PAGE_4K, seed);
	memset(mem + PAGE_4K, 0, PAGE_4K);
	ret = edu_copy(edu, iova + PAGE_4K, iova, PAGE_4K);
	if (ret)
		return ret;
	return pattern_matches(mem + PAGE_4K, PAGE_4K, seed) ? 0 : -1;
}

TEST_F(dma, right_bytes_both_ways)
{
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, MIB, 2 * PAGE_4K, VFIO_RW));
	EXPECT_EQ(0, round_trip(&self->dev.edu, self->dev.mem, MIB, 1));
	EXPECT_EQ(2 * PAGE_4K, vfio_unmap(self->dev.container, MIB, 2 * PAGE_4K));
}

TEST_F(dma, unaligned_and_short_transfers_touch_only_their_bytes)
{
	static const struct {
		__u32 offset, len;
	} cases[] = { { 1, 1 }, { 4093, 6 }, { 8190, 3 }, { 100, 4000 } };
	char before[3 * PAGE_4K], after[sizeof(before)];
	unsigned int i;

	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, 0x7000, 4 * PAGE_4K, VFIO_RW));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		pattern_fill(before, sizeof(before), 40 + i);
		memcpy(self->dev.mem, before, sizeof(before));
		memcpy(after, before, sizeof(before));
		memcpy(after + cases[i].offset, before, cases[i].len);
		ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_READ, 0x7000, 0, cases[i].len));
		ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, 0x7000 + cases[i].offset,
				     0, cases[i].len));
		EXPECT_EQ(0, memcmp(self->dev.mem, after, sizeof(after)))
			TH_LOG("offset %u length %u", cases[i].offset, cases[i].len);
	}
}

/* Addresses on both sides of each step a page table may take. */
TEST_F_TIMEOUT(dma, every_iova_the_iommu_offers, 60)
{
	struct vfio_range ranges[16];
	__u64 iovas[64];
	int count, n = 0, i, shift;

	count = vfio_ranges(self->dev.container, ranges, ARRAY_SIZE(ranges));
	ASSERT_LT(0, count);
	for (i = 0; i < count && n < 32; i++) {
		TH_LOG("range %llx-%llx", ranges[i].start, ranges[i].end);
		iovas[n++] = ranges[i].start;
		iovas[n++] = (ranges[i].end & ~(PAGE_4K - 1)) - PAGE_4K;
	}
	for (shift = 21; shift < 64; shift += 9) {
		iovas[n++] = (1ULL << shift) - PAGE_4K;
		iovas[n++] = (1ULL << shift) + 5 * PAGE_4K;
	}
	for (i = 0; i < n; i++) {
		int ret = vfio_map(self->dev.container, self->dev.mem, iovas[i], 2 * PAGE_4K, VFIO_RW);

		/* Outside the ranges, as the step addresses may be. */
		if (ret && i >= 2 * count)
			continue;
		EXPECT_EQ(0, ret) TH_LOG("map at %llx", iovas[i]);
		if (ret)
			continue;
		EXPECT_EQ(0, round_trip(&self->dev.edu, self->dev.mem, iovas[i], iovas[i]))
			TH_LOG("DMA at %llx", iovas[i]);
		EXPECT_EQ(2 * PAGE_4K, vfio_unmap(self->dev.container, iovas[i], 2 * PAGE_4K));
	}
}

TEST_F(dma, reserved_addresses_cannot_be_mapped)
{
	/* Interrupts live at FEEx_xxxxh, HyperTransport's own range below 1 TiB. */
	EXPECT_EQ(-EINVAL, vfio_map(self->dev.container, self->dev.mem, 0xfee00000, PAGE_4K, VFIO_RW));
	EXPECT_EQ(-EINVAL, vfio_map(self->dev.container, self->dev.mem, 0xfeeff000, PAGE_4K, VFIO_RW));
	EXPECT_EQ(-EINVAL, vfio_map(self->dev.container, self->dev.mem, 0xfd00000000, PAGE_4K, VFIO_RW));
	EXPECT_EQ(-EINVAL, vfio_map(self->dev.container, self->dev.mem, 0xfffffff000, PAGE_4K, VFIO_RW));
}

TEST_F(dma, write_to_an_unmapped_address_is_reported_and_harmless)
{
	const __u64 bad = 0x12345000;

	pattern_fill(self->dev.mem, 4 * PAGE_4K, 5);
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, bad - 2 * PAGE_4K, 2 * PAGE_4K,
			      VFIO_RW));
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + 3 * PAGE_4K, bad + PAGE_4K, PAGE_4K,
			      VFIO_RW));
	EXPECT_STRAY(EDU_WRITE, bad + 0x678, false);
	EXPECT_TRUE(pattern_matches(self->dev.mem, 4 * PAGE_4K, 5));
}

TEST_F(dma, read_of_an_unmapped_address_is_reported_and_gives_no_data)
{
	const __u64 good = 0x40000000, bad = 0x87654000;

	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, good, PAGE_4K, VFIO_RW));
	/* Leave a known secret in the device, read nothing, look what it has. */
	pattern_fill(self->dev.mem, PAGE_4K, 6);
	EXPECT_STRAY(EDU_READ, bad + 0x10, false);
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_READ, bad, 0, PAGE_4K));
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, good, 0, PAGE_4K));
	EXPECT_FALSE(pattern_matches(self->dev.mem, PAGE_4K, 6));
}

TEST_F(dma, address_above_every_mapping_faults)
{
	if (iommu_is_qemu() && iommu_driver() == IOMMU_DRIVER_BUILTIN)
		SKIP(return, "QEMU takes high addresses for low ones in a table of few levels");
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, 0, PAGE_4K, VFIO_RW));
	/* Beyond what the table's present levels reach. */
	pattern_fill(self->dev.mem, PAGE_4K, 13);
	EXPECT_STRAY(EDU_WRITE, 1ULL << 46, false);
	EXPECT_TRUE(pattern_matches(self->dev.mem, PAGE_4K, 13));
}

TEST_F(dma, read_only_mapping_refuses_a_write)
{
	const __u64 iova = 0x200000000;

	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, iova, PAGE_4K,
			      VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + PAGE_4K, iova + PAGE_4K, PAGE_4K,
			      VFIO_RW));
	pattern_fill(self->dev.mem, PAGE_4K, 7);
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_READ, iova, 0, PAGE_4K));
	/* The translation is cached for reading now. */
	pattern_fill(self->dev.mem, PAGE_4K, 8);
	EXPECT_STRAY(EDU_WRITE, iova, true);
	EXPECT_TRUE(pattern_matches(self->dev.mem, PAGE_4K, 8));
	/* Reading through it did work. */
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, iova + PAGE_4K, 0, PAGE_4K));
	EXPECT_TRUE(pattern_matches(self->dev.mem + PAGE_4K, PAGE_4K, 7));
}

TEST_F(dma, write_only_mapping_refuses_a_read)
{
	const __u64 iova = 0x300000000;

	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, iova, PAGE_4K,
			      VFIO_DMA_MAP_FLAG_WRITE));
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem + PAGE_4K, iova + PAGE_4K,
			      2 * PAGE_4K, VFIO_RW));
	pattern_fill(self->dev.mem, PAGE_4K, 9);
	EXPECT_STRAY(EDU_READ, iova, true);
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_READ, iova, 0, PAGE_4K));
	ASSERT_EQ(0, edu_dma(&self->dev.edu, EDU_WRITE, iova + PAGE_4K, 0, PAGE_4K));
	EXPECT_FALSE(pattern_matches(self->dev.mem + PAGE_4K, PAGE_4K, 9));
	/* Writing through it does work. */
	pattern_fill(self->dev.mem + 2 * PAGE_4K, PAGE_4K, 10);
	ASSERT_EQ(0, edu_copy(&self->dev.edu, iova, iova + 2 * PAGE_4K, PAGE_4K));
	EXPECT_TRUE(pattern_matches(self->dev.mem, PAGE_4K, 10));
}

TEST_F(dma, device_behind_a_conventional_bridge)
{
	struct vfio_device vfio;
	struct pci_list all;
	struct edu edu;
	unsigned int i;

	/* Its requests carry the bridge's alias, not its own requester ID. */
	pci_find_id(&all, EDU_VENDOR, EDU_DEVICE);
	for (i = 0; i < all.count && !strncmp(all.name[i], "0000:00:", 8); i++)
		;
	if (i == all.count)
		SKIP(return, "needs an edu device behind a PCI bridge");
	if (iommu_is_qemu())
		SKIP(return, "QEMU gives devices behind a bridge the requester ID of bus 0");
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, MIB, 2 * PAGE_4K, VFIO_RW));
	ASSERT_EQ(0, vfio_open(&vfio, self->dev.container, all.name[i]));
	ASSERT_EQ(0, edu_init(&edu, vfio.bar0));
	EXPECT_EQ(0, round_trip(&edu, self->dev.mem, MIB, 11));
	pattern_fill(self->dev.mem, 4 * PAGE_4K, 12);
	ASSERT_EQ(0, edu_dma(&edu, EDU_WRITE, 3 * MIB, 0, PAGE_4K));
	EXPECT_TRUE(pattern_matches(self->dev.mem, 4 * PAGE_4K, 12));
	vfio_close(&vfio);
}

TEST_HARNESS_MAIN
