// SPDX-License-Identifier: GPL-2.0
/* Where a guest's devices get, and where they do not: with no entry, plain ones, and nested ones. */
#include "kselftest_harness.h"
#include "edu.h"
#include "fixture.h"

TEST_F(vm, device_that_comes_reaches_memory_as_without_an_iommu)
{
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_BASE - PAGE_4K));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_BASE + GUEST_SIZE));
	EXPECT_TRUE(vmm_blocked(&self->dev, 0));
}

TEST_F(vm, identity_obeys_the_permissions_of_the_entry)
{
	struct vmm *vmm = &self->vmm;
	__u64 dte[4];
	char buf[8] = { };

	guest_identity_entry(DOMAIN_ID, DTE_IR | DTE_IW, dte);
	ASSERT_EQ(0, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_BASE + GUEST_SIZE));

	guest_identity_entry(DOMAIN_ID, DTE_IR, dte);
	ASSERT_EQ(0, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_EQ(0, vmm_read(&self->dev, GUEST_DATA, buf, sizeof(buf)));
	EXPECT_EQ(-EIO, vmm_write(&self->dev, GUEST_DATA, buf, sizeof(buf)));

	guest_identity_entry(DOMAIN_ID, DTE_IW, dte);
	ASSERT_EQ(0, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_EQ(-EIO, vmm_read(&self->dev, GUEST_DATA, buf, sizeof(buf)));
	EXPECT_EQ(0, vmm_write(&self->dev, GUEST_DATA, buf, sizeof(buf)));

	guest_identity_entry(DOMAIN_ID, 0, dte);
	ASSERT_EQ(0, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
}

TEST_F(vm, nested_device_goes_where_both_tables_lead)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int i;

	guest_domain_make(vmm, &domain, DOMAIN_ID);
	/* Pages that are neighbours for the device are not in memory, and the other way round. */
	for (i = 0; i < 8; i++)
		guest_map(vmm, domain.root, GVA + i * PAGE_4K, GUEST_DATA + (7 - i) * PAGE_4K, GUEST_RW);
	guest_map_large(vmm, domain.root, 3 * GIB, GUEST_BASE + 2 * MIB, GUEST_RW);
	guest_map(vmm, domain.root, 0, GUEST_DATA + MIB, GUEST_RW);
	ASSERT_EQ(0, guest_attach(vmm, &self->dev, &domain));
	for (i = 0; i < 8; i++) {
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA + i * PAGE_4K,
				      GUEST_DATA + (7 - i) * PAGE_4K));
	}
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, 3 * GIB + 300 * KIB, GUEST_DATA + 300 * KIB));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, 0, GUEST_DATA + MIB));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA - PAGE_4K));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA + 8 * PAGE_4K));
	/* Guest physical addresses mean nothing to it now. */
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
}

TEST_F(vm, guest_tables_deny_writes)
{
	struct guest_domain domain;
	char buf[8] = { };

	guest_domain_make(&self->vmm, &domain, DOMAIN_ID);
	guest_map(&self->vmm, domain.root, GVA, GUEST_DATA, GUEST_RO);
	ASSERT_EQ(0, guest_attach(&self->vmm, &self->dev, &domain));
	pattern_fill(vmm_at(&self->vmm, GUEST_DATA), PAGE_4K, 1);
	EXPECT_EQ(0, vmm_read(&self->dev, GVA, buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, vmm_at(&self->vmm, GUEST_DATA), sizeof(buf)));
	EXPECT_EQ(-EIO, vmm_write(&self->dev, GVA, buf, sizeof(buf)));
	EXPECT_TRUE(pattern_matches(vmm_at(&self->vmm, GUEST_DATA), PAGE_4K, 1));
}

TEST_F(vm, nothing_of_the_guest_leads_out_of_its_memory)
{
	struct vmm *vmm = &self->vmm;
	static const __u64 outside[] = {
		0, GUEST_BASE - PAGE_4K, GUEST_BASE + GUEST_SIZE, 0xfed80000, 1ULL << 40, 0xffffffffff000,
	};
	struct guest_domain domain, stray;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		/* The page, a table, the root, and the GCR3 table itself are elsewhere. */
		guest_domain_make(vmm, &domain, DOMAIN_ID);
		guest_map(vmm, domain.root, GVA, outside[i], GUEST_RW);
		guest_map(vmm, domain.root, GVA + PAGE_4K, GUEST_DATA, GUEST_RW);
		ASSERT_EQ(0, guest_attach(vmm, &self->dev, &domain));
		EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA + PAGE_4K, GUEST_DATA));

		guest_domain_make(vmm, &stray, DOMAIN_ID + 1);
		*(__u64 *)vmm_at(vmm, stray.gcr3) = outside[i] | 1;
		ASSERT_EQ(0, guest_attach(vmm, &self->dev, &stray));
		EXPECT_TRUE(vmm_blocked(&self->dev, GVA));

		stray.gcr3 = outside[i];
		/* No guest has it at address 0. */
		ASSERT_EQ(outside[i] ? 0 : -EINVAL, guest_attach(vmm, &self->dev, &stray));
		EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	}
}

TEST_F(vm, each_pasid_has_a_space_of_its_own)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	guest_map(vmm, guest_pasid(vmm, &domain, 5), GVA, GUEST_DATA + PAGE_4K, GUEST_RW);
	guest_map(vmm, guest_pasid(vmm, &domain, 511), GVA, GUEST_DATA + 2 * PAGE_4K, GUEST_RW);
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	self->dev.pasid = 5;
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA + PAGE_4K));
	self->dev.pasid = 511;
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA + 2 * PAGE_4K));
	self->dev.pasid = 0;
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	self->dev.pasid = 6;
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	self->dev.pasid = 512;
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
}

TEST_F(vm, two_devices_of_one_guest_share_a_domain_or_not)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain one, two;
	struct vmm_device second;

	if (self->devices.count < 2)
		SKIP(return, "needs two devices");
	ASSERT_EQ(0, vmm_take(vmm, &second, self->devices.name[1], GUEST_ID + 1));
	ASSERT_EQ(0, vmm_attach(vmm, &second));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &one, DOMAIN_ID));
	ASSERT_EQ(0, guest_attach(vmm, &second, &one));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	EXPECT_TRUE(vmm_moves(vmm, &second, GVA, GUEST_DATA));

	guest_domain_make(vmm, &two, DOMAIN_ID + 1);
	guest_map(vmm, two.root, GVA, GUEST_DATA + PAGE_4K, GUEST_RW);
	ASSERT_EQ(0, guest_attach(vmm, &second, &two));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	EXPECT_TRUE(vmm_moves(vmm, &second, GVA, GUEST_DATA + PAGE_4K));
	EXPECT_EQ(0, node_detach(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_TRUE(vmm_moves(vmm, &second, GVA, GUEST_DATA + PAGE_4K));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	vmm_release(&second);
}

/* The IOMMU is the same for a device that QEMU has made. */
TEST_F(vm, edu_is_nested_as_well)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	struct pci_list edus;
	struct vfio_device vfio;
	struct edu edu;
	char *mem;

	edu_find(&edus);
	if (!edus.count)
		SKIP(return, "needs an edu device");
	ASSERT_EQ(0, vfio_open(&vfio, vmm->container, edus.name[0]));
	ASSERT_EQ(0, edu_init(&edu, vfio.bar0));
	ASSERT_EQ(0, node_attach(vmm->node, vmm->handle, 0x1234, vfio.name, vfio.group));
	guest_domain_make(vmm, &domain, DOMAIN_ID);
	guest_map(vmm, domain.root, GVA, GUEST_DATA + PAGE_4K, GUEST_RW);
	guest_map(vmm, domain.root, GVA + PAGE_4K, GUEST_DATA, GUEST_RW);
	self->dev.id = 0x1234;
	ASSERT_EQ(0, guest_attach(vmm, &self->dev, &domain));
	mem = vmm_at(vmm, GUEST_DATA);
	pattern_fill(mem + PAGE_4K, PAGE_4K, 77);
	ASSERT_EQ(0, edu_copy(&edu, GVA + PAGE_4K, GVA, PAGE_4K));
	EXPECT_TRUE(pattern_matches(mem, PAGE_4K, 77));
	vfio_close(&vfio);
}

TEST_HARNESS_MAIN
