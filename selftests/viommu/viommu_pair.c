// SPDX-License-Identifier: GPL-2.0
/*
 * Two guests that call everything by the same names: devices, domains, addresses. Neither reaches the
 * other's memory, invalidates for the other, or is hurt when the other ends.
 */
#include "kselftest_harness.h"
#include "names.h"

FIXTURE(pair) {
	struct pci_list devices;
	struct vmm vmm[2];
	struct vmm_device dev[2];
	struct guest_domain domain[2];
};

FIXTURE_SETUP(pair)
{
	const char *missing = need_guests(&self->devices, 2);
	int i;

	if (missing)
		SKIP(return, "%s", missing);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vmm_start(&self->vmm[i], &self->dev[i], self->devices.name[i], GUEST_ID));
		ASSERT_EQ(0, guest_boot(&self->vmm[i]));
		ASSERT_EQ(0, vm_nest(&self->vmm[i], &self->dev[i], &self->domain[i], DOMAIN_ID));
	}
}

FIXTURE_TEARDOWN(pair)
{
	int i;

	for (i = 0; i < 2; i++) {
		vmm_close(&self->vmm[i]);
		vmm_release(&self->dev[i]);
	}
}

TEST_F(pair, same_names_are_different_things)
{
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_TRUE(vmm_moves(&self->vmm[i % 2], &self->dev[i % 2], GVA, GUEST_DATA));
		pattern_fill(vmm_at(&self->vmm[i % 2], GUEST_DATA), 256, i);
		EXPECT_FALSE(pattern_matches(vmm_at(&self->vmm[!(i % 2)], GUEST_DATA), 256, i));
	}
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, guest_sync(&self->vmm[i]));
}

TEST_F(pair, invalidation_works_for_ones_own_guest_only)
{
	unsigned int i, stale = 0;
	char buf[8];

	for (i = 0; i < 20; i++) {
		guest_map(&self->vmm[0], self->domain[0].root, GVA, GUEST_DATA, GUEST_RW);
		ASSERT_EQ(0, guest_do(&self->vmm[0], guest_domain_command(DOMAIN_ID)));
		ASSERT_EQ(0, guest_do(&self->vmm[0], guest_page_command(DOMAIN_ID, 0, GVA)));
		ASSERT_EQ(0, vmm_read(&self->dev[0], GVA, buf, sizeof(buf)));
		guest_unmap(&self->vmm[0], self->domain[0].root, GVA);
		EXPECT_EQ(0, guest_do(&self->vmm[1], guest_domain_command(DOMAIN_ID)));
		EXPECT_EQ(0, guest_do(&self->vmm[1], guest_page_command(DOMAIN_ID, 0, GVA)));
		stale += !vmm_read(&self->dev[0], GVA, buf, sizeof(buf));
		EXPECT_EQ(0, guest_do(&self->vmm[0], guest_page_command(DOMAIN_ID, 0, GVA)));
		EXPECT_TRUE(vmm_blocked(&self->dev[0], GVA));
	}
	EXPECT_LT(0, stale);
}

TEST_F(pair, events_are_those_of_ones_own_device)
{
	struct guest_event event;

	EXPECT_TRUE(vmm_blocked(&self->dev[1], 0x5000));
	EXPECT_TRUE(guest_event_wait(&self->vmm[1], &event));
	EXPECT_EQ(GUEST_ID, event.device);
	EXPECT_EQ(0x5000, event.address);
	EXPECT_FALSE(guest_event(&self->vmm[0], &event));
}

TEST_F(pair, stopped_or_broken_guest_does_not_stop_the_other)
{
	ASSERT_EQ(0, guest_put(&self->vmm[0], (struct guest_command){ { 0, 0xfU << 28 } }));
	guest_ring(&self->vmm[0]);
	EXPECT_TRUE(guest_status_becomes(&self->vmm[0], STATUS_COMMANDS_RUN, 0));
	EXPECT_EQ(0, guest_sync(&self->vmm[1]));
	EXPECT_EQ(0, node_run(self->vmm[0].node, self->vmm[0].handle, 0));
	EXPECT_EQ(0, guest_sync(&self->vmm[1]));
	EXPECT_EQ(0, node_reset(self->vmm[0].node, self->vmm[0].handle));
	EXPECT_EQ(0, guest_sync(&self->vmm[1]));
	EXPECT_TRUE(vmm_moves(&self->vmm[1], &self->dev[1], GVA, GUEST_DATA));
}

TEST_F(pair, end_of_one_is_nothing_to_the_other)
{
	EXPECT_EQ(0, node_destroy(self->vmm[0].node, self->vmm[0].handle));
	EXPECT_TRUE(vmm_moves(&self->vmm[1], &self->dev[1], GVA, GUEST_DATA));
	EXPECT_EQ(0, guest_do(&self->vmm[1], guest_page_command(DOMAIN_ID, 0, GVA)));
	EXPECT_TRUE(vmm_moves(&self->vmm[1], &self->dev[1], GVA, GUEST_DATA));
	/* And one that comes in its place finds nothing of it. */
	ASSERT_EQ(0, vmm_init(&self->vmm[0], &self->dev[0]));
	ASSERT_EQ(0, vmm_attach(&self->vmm[0], &self->dev[0]));
	EXPECT_EQ(0, guest_status(&self->vmm[0]));
	EXPECT_TRUE(vmm_moves(&self->vmm[0], &self->dev[0], GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_blocked(&self->dev[0], GVA));
	ASSERT_EQ(0, guest_boot(&self->vmm[0]));
	EXPECT_EQ(0, guest_sync(&self->vmm[0]));
	EXPECT_EQ(0, guest_sync(&self->vmm[1]));
}

/* A device that goes from one guest to the other takes nothing with it. */
TEST_F(pair, device_changes_hands_without_a_trace)
{
	struct vmm_device *dev = &self->dev[0];
	struct vmm *from = &self->vmm[0], *to = &self->vmm[1];
	struct guest_domain domain;

	EXPECT_TRUE(vmm_moves(from, dev, GVA, GUEST_DATA));
	EXPECT_EQ(0, node_detach(from->node, from->handle, GUEST_ID));
	vmm_release(dev);
	ASSERT_EQ(0, vmm_take(to, dev, self->devices.name[0], GUEST_ID + 1));
	ASSERT_EQ(0, vmm_attach(to, dev));
	EXPECT_TRUE(vmm_moves(to, dev, GUEST_DATA, GUEST_DATA));
	guest_domain_make(to, &domain, DOMAIN_ID + 1);
	guest_map(to, domain.root, GVA, GUEST_DATA + PAGE_4K, GUEST_RW);
	ASSERT_EQ(0, guest_attach(to, dev, &domain));
	EXPECT_TRUE(vmm_moves(to, dev, GVA, GUEST_DATA + PAGE_4K));
}

TEST_HARNESS_MAIN
