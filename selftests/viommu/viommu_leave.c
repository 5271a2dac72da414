// SPDX-License-Identifier: GPL-2.0
/* Devices that leave a guest without a call: because of a neighbour, and because they are pulled. */
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "edu.h"
#include "fixture.h"

/* Two devices behind a conventional bridge, whose requests carry the same ID. */
static bool find_neighbours(struct pci_list *pair)
{
	struct pci_list edus;
	unsigned int i;

	pair->count = 0;
	pci_find_id(&edus, EDU_VENDOR, EDU_DEVICE);
	for (i = 0; i < edus.count && pair->count < 2; i++) {
		if (strncmp(edus.name[i], "0000:00:", 8))
			strcpy(pair->name[pair->count++], edus.name[i]);
	}
	return pair->count == 2 && pci_group(pair->name[0]) == pci_group(pair->name[1]);
}

/* Does the device write to the guest's memory at this address? */
static bool writes(struct vmm *vmm, struct edu *edu)
{
	char *mem = vmm_at(vmm, GUEST_DATA);

	memset(mem, 0x5a, 64);
	return !edu_dma(edu, EDU_WRITE, GUEST_DATA, 0, 64) && mem[0] != 0x5a;
}

TEST_F(vm, device_whose_requester_id_gets_another_user_leaves)
{
	struct vmm *vmm = &self->vmm;
	struct vmm_device dev = { .id = GUEST_ID + 1 };
	struct pci_list pair;
	__u64 dte[4] = { };
	struct edu edu;

	if (!find_neighbours(&pair))
		SKIP(return, "needs two devices behind a conventional bridge");
	ASSERT_EQ(0, pci_remove(pair.name[1]));
	ASSERT_EQ(0, vfio_open(&dev.vfio, vmm->container, pair.name[0]));
	ASSERT_EQ(0, edu_init(&edu, dev.vfio.bar0));
	ASSERT_EQ(0, vmm_attach(vmm, &dev));
	EXPECT_TRUE(writes(vmm, &edu));
	ASSERT_EQ(0, node_set_entry(vmm->node, vmm->handle, dev.id, dte));
	EXPECT_FALSE(writes(vmm, &edu));

	/* The neighbour gets what the group has, which is VFIO's. An entry has one owner. */
	ASSERT_EQ(0, pci_rescan());
	ASSERT_EQ(0, pci_wait(pair.name[1], true, 5000));
	EXPECT_EQ(pci_group(pair.name[0]), pci_group(pair.name[1]));
	EXPECT_EQ(-ENOENT, node_set_entry(vmm->node, vmm->handle, dev.id, dte));
	EXPECT_EQ(-EOPNOTSUPP, vmm_attach(vmm, &dev));
	EXPECT_TRUE(writes(vmm, &edu));

	/* Alone again it can come back. The other device of the guest was not touched. */
	ASSERT_EQ(0, pci_remove(pair.name[1]));
	EXPECT_EQ(0, vmm_attach(vmm, &dev));
	EXPECT_EQ(0, node_set_entry(vmm->node, vmm->handle, dev.id, dte));
	EXPECT_FALSE(writes(vmm, &edu));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	vmm_release(&dev);
	EXPECT_EQ(0, pci_rescan());
	EXPECT_EQ(0, pci_wait(pair.name[1], true, 5000));
}

/* The owner has let go of the device, as VFIO asks him to when it is pulled, but not of its group. */
TEST_F(vm, device_that_is_pulled_comes_back_though_its_group_was_held)
{
	const char *name = self->devices.name[0];
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	int group;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	group = dup(self->dev.vfio.group);
	vmm_release(&self->dev);
	ASSERT_EQ(0, node_set_entry(vmm->node, vmm->handle, GUEST_ID, (__u64[4]){ }));
	ASSERT_EQ(0, pci_remove(name));
	EXPECT_EQ(-ENOENT, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
	ASSERT_EQ(0, pci_rescan());
	ASSERT_EQ(0, pci_wait(name, true, 5000));
	close(group);
	ASSERT_EQ(0, vmm_take(vmm, &self->dev, name, GUEST_ID));
	ASSERT_EQ(0, vmm_map(vmm));
	EXPECT_EQ(0, vmm_attach(vmm, &self->dev));
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
}

TEST_HARNESS_MAIN
