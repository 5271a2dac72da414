// SPDX-License-Identifier: GPL-2.0
/*
 * The host's IOMMU goes and comes back while a VM without devices is still open. What it has left must be
 * in nobody's way.
 */
#include "kselftest_harness.h"
#include "claim.h"
#include "fixture.h"
#include "pull.h"

TEST_F(vm, old_vm_is_in_no_new_ones_way)
{
	struct vmm *vmm = &self->vmm, old;
	struct pci_list iommus;
	__u64 value;

	pci_find_iommus(&iommus);
	old = *vmm;
	munmap(old.page, PAGE_4K);
	vmm_release(&self->dev);
	close(old.container);
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, iommus_pull(&iommus));
	EXPECT_EQ(-ENODEV, node_read(old.node, old.handle, REG_CONTROL, 8, &value));
	ASSERT_EQ(0, iommus_return(&iommus));

	ASSERT_EQ(0, vmm_start(vmm, &self->dev, self->devices.name[0], GUEST_ID));
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_EQ(0, guest_sync(vmm));
	/* Nor does its end harm anybody. */
	EXPECT_EQ(-ENODEV, node_reset(old.node, old.handle));
	EXPECT_EQ(0, node_destroy(old.node, old.handle));
	EXPECT_EQ(0, guest_sync(vmm));
	close(old.node);
	memory_free(old.mem, GUEST_SIZE);
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
}

TEST_HARNESS_MAIN
