// SPDX-License-Identifier: GPL-2.0
/* The module does not go while anyone depends on it, and says who that is. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "edu.h"
#include "kmod.h"
#include "kmsg.h"
#include "util.h"
#include "vfio.h"

#define IOVA		(1 * GIB)
#define WAIT_MS		20000
#define LOG_MS		1000

static const char *module_missing(void)
{
	char path[256];

	if (iommu_driver() == IOMMU_DRIVER_BUILTIN)
		return "the built-in driver runs this machine";
	if (viommu_module_path(path, sizeof(path)))
		return "needs the module's file";
	return iommu_require() ? "the module cannot be loaded" : NULL;
}

FIXTURE(user) {
	struct pci_list edus;
	struct vfio_device dev;
	struct edu edu;
	int container;
	int kmsg;
	char *mem;
};

FIXTURE_SETUP(user)
{
	const char *missing = module_missing();

	if (missing)
		SKIP(return, "%s", missing);
	edu_find(&self->edus);
	if (!self->edus.count)
		SKIP(return, "needs an edu device on the root bus");
	if (vfio_prepare())
		SKIP(return, "needs vfio-pci and vfio_iommu_type1");
	ASSERT_EQ(0, clients_unbind());
	self->container = vfio_container();
	ASSERT_LE(0, self->container);
	ASSERT_EQ(0, vfio_open(&self->dev, self->container, self->edus.name[0]));
	ASSERT_EQ(0, edu_init(&self->edu, self->dev.bar0));
	self->mem = mmap(NULL, 2 * PAGE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	ASSERT_EQ(0, vfio_map(self->container, self->mem, IOVA, 2 * PAGE_4K, VFIO_RW));
	self->kmsg = kmsg_open();
}

FIXTURE_TEARDOWN(user)
{
	if (!self->mem)
		return;
	vfio_close(&self->dev);
	close(self->container);
	close(self->kmsg);
	clients_unbind();
}

static bool dma_works(FIXTURE_DATA(user) *self, __u64 seed)
{
	pattern_fill(self->mem, PAGE_4K, seed);
	memset(self->mem + PAGE_4K, 0, PAGE_4K);
	return !edu_copy(&self->edu, IOVA + PAGE_4K, IOVA, PAGE_4K) &&
	       pattern_matches(self->mem + PAGE_4K, PAGE_4K, seed);
}

TEST_F(user, offline_is_refused_while_a_vfio_user_lives_and_his_dma_goes_on)
{
	char line[KMSG_LINE_MAX];
	int i;

	ASSERT_TRUE(dma_works(self, 1));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EBUSY, viommu_offline());
		EXPECT_TRUE(dma_works(self, 2 + i));
	}
	EXPECT_TRUE(kmsg_wait(self->kmsg, self->dev.name, line, sizeof(line), LOG_MS));
	TH_LOG("%s", line);
	/* New mappings are made and old ones go, as if nothing had been asked. */
	ASSERT_EQ(2 * PAGE_4K, vfio_unmap(self->container, IOVA, 2 * PAGE_4K));
	ASSERT_EQ(0, vfio_map(self->container, self->mem, IOVA, 2 * PAGE_4K, VFIO_RW));
	EXPECT_TRUE(dma_works(self, 9));
}

TEST_F(user, rmmod_is_refused_too)
{
	EXPECT_GT(0, module_remove(MODULE_NAME));
	EXPECT_TRUE(module_loaded(MODULE_NAME));
	EXPECT_TRUE(dma_works(self, 1));
}

TEST_F(user, group_in_a_container_alone_is_reason_enough)
{
	int container, group;

	vfio_close(&self->dev);
	close(self->container);
	container = vfio_container();
	group = vfio_join(container, self->edus.name[0]);
	ASSERT_LE(0, group);
	EXPECT_EQ(-EBUSY, viommu_offline());
	close(group);
	close(container);
	/* For the teardown. */
	self->container = vfio_container();
	ASSERT_EQ(0, vfio_open(&self->dev, self->container, self->edus.name[0]));
}

FIXTURE(drive) {
	struct block block;
	int kmsg;
};

FIXTURE_SETUP(drive)
{
	const char *missing = module_missing();
	struct pci_list drives;
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	if (module_probe("nvme"))
		SKIP(return, "needs the nvme driver");
	pci_find_class(&drives, 0x010802, 0xffffff);
	for (i = 0; i < drives.count; i++)
		ASSERT_EQ(0, client_claim(drives.name[i], "nvme"));
	if (block_find(&self->block, BLOCK_SCRATCH, WAIT_MS))
		SKIP(return, "needs the drive that may be overwritten");
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

TEST_HARNESS_MAIN
