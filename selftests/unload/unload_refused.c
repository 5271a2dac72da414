// SPDX-License-Identifier: GPL-2.0
/* The module does not go while anyone depends on it, and says who that is. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "kmod.h"
#include "kmsg.h"
#include "needs.h"
#include "requester.h"

#define HOST_BRIDGE	0x060000
#define LOG_MS		1000

FIXTURE(user) {
	struct requester dev;
	int kmsg;
};

FIXTURE_SETUP(user)
{
	struct pci_list edus;
	const char *missing = need_module() ?: need_edus(&edus, 1) ?: need_iommu();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, requester_start(&self->dev, edus.name[0]));
	self->kmsg = kmsg_open();
}

FIXTURE_TEARDOWN(user)
{
	requester_close(&self->dev);
	close(self->kmsg);
	clients_unbind();
}

TEST_F_TIMEOUT(user, offline_is_refused_while_a_vfio_user_lives_and_his_dma_goes_on, 120)
{
	char line[KMSG_LINE_MAX];
	int i;

	ASSERT_TRUE(requester_works(&self->dev));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EBUSY, viommu_offline());
		EXPECT_TRUE(requester_works(&self->dev));
	}
	EXPECT_TRUE(kmsg_wait(self->kmsg, self->dev.name, line, sizeof(line), LOG_MS));
	TH_LOG("%s", line);
	/* New mappings are made and old ones go, as if nothing had been asked. */
	ASSERT_EQ(self->dev.size, vfio_unmap(self->dev.container, REQUESTER_IOVA, self->dev.size));
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, REQUESTER_IOVA, self->dev.size,
			      VFIO_RW));
	EXPECT_TRUE(requester_works(&self->dev));
}

TEST_F_TIMEOUT(user, rmmod_is_refused_too, 120)
{
	EXPECT_GT(0, module_remove(MODULE_NAME));
	EXPECT_TRUE(module_loaded(MODULE_NAME));
	EXPECT_TRUE(requester_works(&self->dev));
}

TEST_F_TIMEOUT(user, group_in_a_container_alone_is_reason_enough, 120)
{
	char name[PCI_NAME_LEN];
	int container, group;

	strcpy(name, self->dev.name);
	requester_close(&self->dev);
	container = vfio_container();
	group = vfio_join(container, name);
	ASSERT_LE(0, group);
	EXPECT_EQ(-EBUSY, viommu_offline());
	close(group);
	close(container);
	/* For the teardown. */
	ASSERT_EQ(0, requester_start(&self->dev, name));
}

FIXTURE(drive) {
	struct block block;
	int kmsg;
};

FIXTURE_SETUP(drive)
{
	const char *missing = need_module() ?: need_iommu() ?:
			      need_drive(&self->block, BLOCK_SCRATCH);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_LE(0, pci_group(self->block.pci));
	self->kmsg = kmsg_open();
}

FIXTURE_TEARDOWN(drive)
{
	clients_unbind();
}

TEST_F_TIMEOUT(drive, offline_is_refused_with_a_client_driver_idle_or_busy, 100)
{
	struct block_load load = { .threads = 3 };
	struct block_load_handle *handle;
	char line[KMSG_LINE_MAX];
	int i;

	EXPECT_EQ(-EBUSY, viommu_offline());
	EXPECT_TRUE(kmsg_wait(self->kmsg, "0000:", line, sizeof(line), LOG_MS));
	TH_LOG("%s", line);
	load.path = self->block.path;
	load.size = self->block.size;
	handle = block_load_start(&load);
	ASSERT_NE(NULL, handle);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(-EBUSY, viommu_offline());
		EXPECT_GT(0, module_remove(MODULE_NAME));
		sleep_ms(50);
	}
	EXPECT_EQ(0, block_load_finish(handle));
	EXPECT_LT(0, load.bytes);
}

/* It starts no DMA, and has no interrupts that would end with the IOMMU. */
TEST(driver_of_a_bridge_without_interrupts_is_no_reason)
{
	const char *missing = need_module() ?: need_iommu();
	struct pci_list bridges;

	if (missing)
		SKIP(return, "%s", missing);
	pci_find_class(&bridges, HOST_BRIDGE, 0xffff00);
	if (!bridges.count || vfio_prepare())
		SKIP(return, "needs a host bridge, and VFIO");
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, pci_bind(bridges.name[0], "vfio-pci"));
	EXPECT_EQ(0, viommu_offline());
	EXPECT_EQ(0, pci_unbind(bridges.name[0]));
	EXPECT_EQ(0, module_remove(MODULE_NAME));
}

TEST_HARNESS_MAIN
