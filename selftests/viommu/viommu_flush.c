// SPDX-License-Identifier: GPL-2.0
/*
 * Invalidation by the guest: old translations stay until it asks, are gone after, and no ID that it
 * names stops its queue.
 */
#include "kselftest_harness.h"
#include "fixture.h"

#define IDS		0x10000
/* A cache may lose an entry by itself at any time, but not every time. */
#define TRIES		20

/* One round: is the translation old until the command, and new after it? */
static bool renewed(struct __test_metadata *_metadata, struct vmm *vmm, struct vmm_device *dev,
		    __u64 root, struct guest_command command, unsigned int *stale)
{
	static __u64 seed = 9ULL << 32;
	__u64 old = GUEST_DATA, new = GUEST_DATA + PAGE_4K;
	char buf[64];

	pattern_fill(vmm_at(vmm, old), sizeof(buf), ++seed);
	pattern_fill(vmm_at(vmm, new), sizeof(buf), seed + (1ULL << 40));
	guest_map(vmm, root, GVA, old, GUEST_RW);
	if (guest_do(vmm, command) || vmm_read(dev, GVA, buf, sizeof(buf)) ||
	    !pattern_matches(buf, sizeof(buf), seed))
		return false;
	guest_map(vmm, root, GVA, new, GUEST_RW);
	if (vmm_read(dev, GVA, buf, sizeof(buf)))
		return false;
	*stale += pattern_matches(buf, sizeof(buf), seed);
	if (guest_do(vmm, command) || vmm_read(dev, GVA, buf, sizeof(buf)))
		return false;
	return pattern_matches(buf, sizeof(buf), seed + (1ULL << 40));
}

TEST_F(vm, old_translation_stays_until_the_guest_invalidates_it)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int i, stale = 0;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	for (i = 0; i < TRIES; i++) {
		EXPECT_TRUE(renewed(_metadata, vmm, &self->dev, domain.root,
				    guest_page_command(DOMAIN_ID, 0, GVA), &stale));
	}
	/* If nothing is ever old, the test shows nothing. */
	EXPECT_LT(0, stale);
	TH_LOG("%u of %u times there was something to invalidate", stale, TRIES);

	self->dev.pasid = 3;
	stale = 0;
	domain.root = guest_pasid(vmm, &domain, 3);
	for (i = 0; i < TRIES; i++) {
		EXPECT_TRUE(renewed(_metadata, vmm, &self->dev, domain.root,
				    guest_page_command(DOMAIN_ID, 3, GVA), &stale));
	}
	EXPECT_LT(0, stale);
}

TEST_F(vm, unmapped_page_is_unreachable_once_invalidated)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int i;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	for (i = 0; i < TRIES; i++) {
		guest_map(vmm, domain.root, GVA, GUEST_DATA, GUEST_RW);
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
		guest_unmap(vmm, domain.root, GVA);
		EXPECT_EQ(0, guest_do(vmm, guest_page_command(DOMAIN_ID, 0, GVA)));
		EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	}
}

TEST_F(vm, invalidation_of_another_domain_leaves_this_one)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int i, stale = 0;
	char buf[8];

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	for (i = 0; i < TRIES; i++) {
		guest_map(vmm, domain.root, GVA, GUEST_DATA, GUEST_RW);
		ASSERT_EQ(0, guest_do(vmm, guest_page_command(DOMAIN_ID, 0, GVA)));
		ASSERT_EQ(0, vmm_read(&self->dev, GVA, buf, sizeof(buf)));
		guest_unmap(vmm, domain.root, GVA);
		EXPECT_EQ(0, guest_do(vmm, guest_page_command(DOMAIN_ID + 1, 0, GVA)));
		stale += !vmm_read(&self->dev, GVA, buf, sizeof(buf));
	}
	EXPECT_LT(0, stale);
}

static int put_waiting(struct vmm *vmm, struct guest_command command)
{
	__u64 end = now_ms() + 20000;

	while (guest_put(vmm, command)) {
		guest_ring(vmm);
		if (now_ms() > end || !(guest_status(vmm) & STATUS_COMMANDS_RUN))
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

TEST_F_TIMEOUT(vm, flush_of_every_id_at_boot_is_executed, 120)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int id;
	__u64 begin = now_ms();

	ASSERT_EQ(0, guest_boot_with(vmm, 512 * KIB));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	for (id = 0; id < IDS; id++)
		ASSERT_EQ(0, put_waiting(vmm, guest_entry_command(id)));
	ASSERT_EQ(0, guest_sync(vmm));
	for (id = 0; id < IDS; id++)
		ASSERT_EQ(0, put_waiting(vmm, guest_domain_command(id)));
	ASSERT_EQ(0, guest_sync(vmm));
	TH_LOG("131072 commands in %llu ms", now_ms() - begin);
	EXPECT_TRUE(guest_status(vmm) & STATUS_COMMANDS_RUN);
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_F(vm, ids_that_were_used_can_be_flushed_after)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int i;

	ASSERT_EQ(0, guest_boot(vmm));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID + i));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
		EXPECT_EQ(0, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
		EXPECT_EQ(0, guest_do(vmm, guest_domain_command(DOMAIN_ID + i)));
		EXPECT_EQ(0, guest_do(vmm, guest_entry_command(GUEST_ID)));
	}
}

TEST_HARNESS_MAIN
