// SPDX-License-Identifier: GPL-2.0
/*
 * Device table entries of a guest as they come: illegal ones, those of host tables, and every mixture
 * that a guest makes when it stores an entry word by word. None is fatal for guest or device.
 */
#include "kselftest_harness.h"
#include "fixture.h"

static int set(struct vmm *vmm, const __u64 dte[4])
{
	return node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte);
}

TEST_F(vm, entry_that_is_not_valid_or_translates_nothing_blocks)
{
	struct guest_domain domain;
	__u64 dte[4] = { };

	EXPECT_EQ(0, set(&self->vmm, dte));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	ASSERT_EQ(0, vm_nest(&self->vmm, &self->dev, &domain, DOMAIN_ID));
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GVA, GUEST_DATA));

	/* V=0 with all else as it was: hardware would let everything pass. */
	guest_entry(&domain, dte);
	dte[0] &= ~DTE_V;
	EXPECT_EQ(0, set(&self->vmm, dte));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	guest_entry(&domain, dte);
	dte[0] &= ~DTE_TV;
	EXPECT_EQ(0, set(&self->vmm, dte));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	EXPECT_EQ(0, guest_attach(&self->vmm, &self->dev, &domain));
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GVA, GUEST_DATA));
	EXPECT_EQ(0, node_clear_entry(self->vmm.node, self->vmm.handle, GUEST_ID));
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
}

TEST_F(vm, refused_entry_leaves_the_old_one)
{
	struct guest_domain domain;
	__u64 good[4], dte[4];
	unsigned int i;
	static const struct {
		unsigned int word;
		__u64 bits;
		int error;
	} bad[] = {
		{ 0, DTE_MODE(1), -EOPNOTSUPP }, { 0, DTE_MODE(4), -EOPNOTSUPP },
		{ 0, DTE_MODE(6), -EOPNOTSUPP }, { 0, DTE_MODE(7), -EINVAL },
		{ 0, 1ULL << 2, -EINVAL }, { 0, 1ULL << 6, -EINVAL }, { 0, 3ULL << 7, -EINVAL },
		{ 0, 1ULL << 52, -EINVAL }, { 0, 1ULL << 53, -EINVAL }, { 0, DTE_GLX(3), -EINVAL },
		{ 0, 1ULL << 63, -EINVAL }, { 2, 2ULL << 54, -EINVAL }, { 2, 3ULL << 54, -EINVAL },
	};

	ASSERT_EQ(0, vm_nest(&self->vmm, &self->dev, &domain, DOMAIN_ID));
	guest_entry(&domain, good);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(dte, good, sizeof(dte));
		dte[bad[i].word] |= bad[i].bits;
		EXPECT_EQ(bad[i].error, set(&self->vmm, dte)) {
			TH_LOG("case %u", i);
		}
		EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GVA, GUEST_DATA));
		EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	}
}

TEST_F(vm, words_about_interrupts_are_not_looked_at)
{
	struct guest_domain domain;
	__u64 dte[4];

	ASSERT_EQ(0, vm_nest(&self->vmm, &self->dev, &domain, DOMAIN_ID));
	guest_entry(&domain, dte);
	dte[2] = 0xff0fffffffffffffULL;
	EXPECT_EQ(0, set(&self->vmm, dte));
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GVA, GUEST_DATA));
	dte[2] = 0;
	/* vImuEn, GuestID and GDeviceID belong to the host. */
	dte[3] = ~0ULL;
	EXPECT_EQ(0, set(&self->vmm, dte));
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GVA, GUEST_DATA));
}

#define ORDERS	24

static const unsigned char orders[ORDERS][4] = {
	{ 0, 1, 2, 3 }, { 0, 1, 3, 2 }, { 0, 2, 1, 3 }, { 0, 2, 3, 1 }, { 0, 3, 1, 2 }, { 0, 3, 2, 1 },
	{ 1, 0, 2, 3 }, { 1, 0, 3, 2 }, { 1, 2, 0, 3 }, { 1, 2, 3, 0 }, { 1, 3, 0, 2 }, { 1, 3, 2, 0 },
	{ 2, 0, 1, 3 }, { 2, 0, 3, 1 }, { 2, 1, 0, 3 }, { 2, 1, 3, 0 }, { 2, 3, 0, 1 }, { 2, 3, 1, 0 },
	{ 3, 0, 1, 2 }, { 3, 0, 2, 1 }, { 3, 1, 0, 2 }, { 3, 1, 2, 0 }, { 3, 2, 0, 1 }, { 3, 2, 1, 0 },
};

/*
 * Stores the new entry over the old one, 32 bits at a time and the words in this order, and has each
 * state take effect. What a mixture leads to is the guest's affair; that it ends is not.
 */
static void store_in_pieces(struct __test_metadata *_metadata, struct vmm *vmm, __u64 dte[4],
			    const __u64 new[4], const unsigned char order[4], bool high_first)
{
	static const __u64 nothing[4];
	unsigned int i, half;
	__u64 mask;
	int ret;

	for (i = 0; i < 4; i++) {
		for (half = 0; half < 2; half++) {
			mask = (half ^ high_first) ? ~0ULL << 32 : 0xffffffffULL;
			dte[order[i]] = (dte[order[i]] & ~mask) | (new[order[i]] & mask);
			ret = set(vmm, dte);
			if (ret == -EINVAL || ret == -EOPNOTSUPP)
				ret = set(vmm, nothing);
			EXPECT_EQ(0, ret);
		}
	}
}

TEST_F(vm, every_store_order_of_an_entry_ends_well)
{
	static const __u64 blocked[4] = { DTE_V };
	struct vmm *vmm = &self->vmm;
	__u64 first[4], second[4], plain[4], dte[4] = { };
	struct guest_domain one, two;
	unsigned int i, half;
	long long faults;

	ASSERT_EQ(0, guest_boot(vmm));
	guest_domain_make(vmm, &one, DOMAIN_ID);
	guest_map(vmm, one.root, GVA, GUEST_DATA, GUEST_RW);
	guest_domain_make(vmm, &two, 0xfffe);
	guest_map(vmm, two.root, GVA, GUEST_DATA + PAGE_4K, GUEST_RW);
	guest_entry(&one, first);
	guest_entry(&two, second);
	second[2] = 0xc00ULL << 32 | 0x1234560;
	guest_identity_entry(3, DTE_IR | DTE_IW, plain);
	faults = stats_read("faults");
	for (i = 0; i < ORDERS; i++) {
		for (half = 0; half < 2; half++) {
			store_in_pieces(_metadata, vmm, dte, first, orders[i], half);
			EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
			store_in_pieces(_metadata, vmm, dte, second, orders[i], half);
			EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA + PAGE_4K));
			store_in_pieces(_metadata, vmm, dte, plain, orders[i], half);
			EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
			store_in_pieces(_metadata, vmm, dte, blocked, orders[i], half);
			EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
		}
	}
	/* The guest's IOMMU is at work as before. */
	EXPECT_EQ(0, guest_do(vmm, guest_entry_command(GUEST_ID)));
	TH_LOG("%lld faults of the device itself", stats_read("faults") - faults);
}

TEST_F(vm, domains_come_and_go_and_nothing_of_them_stays)
{
	static const __u16 ids[] = { 0, 1, 0x1ff, 0x200, 0x7fff, 0x8000, 0xffff };
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	__u64 page;
	unsigned int i;

	ASSERT_EQ(0, guest_boot(vmm));
	for (i = 0; i < 5 * ARRAY_SIZE(ids); i++) {
		/* The guest invalidates nothing: that the host's IDs are used again is the host's affair. */
		page = GUEST_DATA + i * PAGE_4K;
		guest_domain_make(vmm, &domain, ids[i % ARRAY_SIZE(ids)]);
		guest_map(vmm, domain.root, GVA, page, GUEST_RW);
		ASSERT_EQ(0, guest_attach(vmm, &self->dev, &domain));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, page));
		if (i % 2)
			ASSERT_EQ(0, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
	}
	/* Each takes an ID of the host, and gives it back. */
	for (i = 0; i < 1000; i++) {
		domain.id = i;
		ASSERT_EQ(0, guest_attach(vmm, &self->dev, &domain));
	}
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, page));
	EXPECT_EQ(0, guest_do(vmm, guest_domain_command(domain.id)));
}

TEST_HARNESS_MAIN
