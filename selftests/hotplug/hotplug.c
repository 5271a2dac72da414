// SPDX-License-Identifier: GPL-2.0
/* Client devices may go and come back at any moment. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "edu.h"
#include "kmod.h"
#include "stats.h"
#include "util.h"
#include "vfio.h"

#define IOVA		(1 * GIB)
#define WAIT_MS		20000

/* VFIO user of one edu device, from opening to the first right bytes. */
struct user {
	struct vfio_device dev;
	struct edu edu;
	int container;
	char *mem;
};

static int user_open(struct user *user, const char *name)
{
	int ret;

	user->container = vfio_container();
	if (user->container < 0)
		return user->container;
	ret = vfio_open(&user->dev, user->container, name);
	if (ret)
		return ret;
	ret = edu_init(&user->edu, user->dev.bar0);
	if (ret)
		return ret;
	user->mem = mmap(NULL, 2 * PAGE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (user->mem == MAP_FAILED)
		return -ENOMEM;
	return vfio_map(user->container, user->mem, IOVA, 2 * PAGE_4K, VFIO_RW);
}

static bool user_dma_works(struct user *user, __u64 seed)
{
	pattern_fill(user->mem, PAGE_4K, seed);
	memset(user->mem + PAGE_4K, 0, PAGE_4K);
	return !edu_copy(&user->edu, IOVA + PAGE_4K, IOVA, PAGE_4K) &&
	       pattern_matches(user->mem + PAGE_4K, PAGE_4K, seed);
}

static void user_close(struct user *user)
{
	vfio_close(&user->dev);
	close(user->container);
	munmap(user->mem, 2 * PAGE_4K);
}

FIXTURE(edu) {
	char name[PCI_NAME_LEN];
};

FIXTURE_SETUP(edu)
{
	struct pci_list edus;

	edu_find(&edus);
	if (!edus.count)
		SKIP(return, "needs an edu device on the root bus");
	if (iommu_require())
		SKIP(return, "no AMD IOMMU driver to test");
	if (vfio_prepare())
		SKIP(return, "needs vfio-pci and vfio_iommu_type1");
	memcpy(self->name, edus.name[0], PCI_NAME_LEN);
}

FIXTURE_TEARDOWN(edu)
{
}

TEST_F(edu, idle_device_leaves_its_group_and_comes_back)
{
	int groups = dir_count(IOMMU_GROUPS), i;
	struct user user;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pci_remove(self->name));
		ASSERT_EQ(0, pci_wait(self->name, false, WAIT_MS));
		EXPECT_EQ(groups - 1, dir_count(IOMMU_GROUPS));
		ASSERT_EQ(0, pci_rescan());
		ASSERT_EQ(0, pci_wait(self->name, true, WAIT_MS));
		EXPECT_EQ(groups, dir_count(IOMMU_GROUPS));
	}
	ASSERT_EQ(0, user_open(&user, self->name));
	EXPECT_TRUE(user_dma_works(&user, 1));
	user_close(&user);
}

TEST_F(edu, count_of_devices_follows)
{
	long long devices = stats_read("devices");

	if (devices < 0)
		SKIP(return, "needs amd_viommu's counters");
	ASSERT_EQ(0, pci_remove(self->name));
	EXPECT_EQ(devices - 1, stats_read("devices"));
	ASSERT_EQ(0, pci_rescan());
	EXPECT_EQ(devices, stats_read("devices"));
}

/* VFIO makes the removal wait for its user, whose DMA goes on until it lets go. */
TEST_F(edu, removal_waits_for_a_vfio_user)
{
	struct user user;
	int status;
	pid_t pid;

	ASSERT_EQ(0, user_open(&user, self->name));
	ASSERT_TRUE(user_dma_works(&user, 2));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Not the owner of the device: its files must not keep it. */
		vfio_close(&user.dev);
		close(user.container);
		_exit(pci_remove(self->name) ? 1 : 0);
	}
	sleep_ms(500);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	EXPECT_TRUE(user_dma_works(&user, 3));
	user_close(&user);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, pci_wait(self->name, false, WAIT_MS));
	ASSERT_EQ(0, pci_rescan());
	ASSERT_EQ(0, user_open(&user, self->name));
	EXPECT_TRUE(user_dma_works(&user, 4));
	user_close(&user);
}

FIXTURE(drive) {
	struct block block;
};

FIXTURE_SETUP(drive)
{
	struct pci_list drives;
	unsigned int i;

	pci_find_class(&drives, 0x010802, 0xffffff);
	if (!drives.count)
		SKIP(return, "needs an NVMe drive");
	if (iommu_require())
		SKIP(return, "no AMD IOMMU driver to test");
	if (module_probe("nvme"))
		SKIP(return, "needs the nvme driver");
	for (i = 0; i < drives.count; i++)
		ASSERT_EQ(0, client_claim(drives.name[i], "nvme"));
	if (block_find(&self->block, BLOCK_SCRATCH, WAIT_MS))
		SKIP(return, "needs the drive that may be overwritten");
}

FIXTURE_TEARDOWN(drive)
{
}

static int use_drive(struct block *block)
{
	struct block_load load = { .threads = 2, .operations = 30 };
	int ret;

	ret = block_find(block, BLOCK_SCRATCH, WAIT_MS);
	if (ret)
		return ret;
	load.path = block->path;
	load.size = block->size;
	return block_load_run(&load);
}

TEST_F(drive, idle_drive_leaves_and_comes_back)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, use_drive(&self->block));
		ASSERT_EQ(0, pci_remove(self->block.pci));
		ASSERT_EQ(0, pci_wait(self->block.pci, false, WAIT_MS));
		ASSERT_EQ(0, pci_rescan());
	}
	EXPECT_EQ(0, use_drive(&self->block));
	EXPECT_LE(0, pci_group(self->block.pci));
}

TEST_F_TIMEOUT(drive, drive_removed_under_load_and_back, 100)
{
	struct block_load load = { .threads = 3 };
	struct block_load_handle *handle;

	load.path = self->block.path;
	load.size = self->block.size;
	handle = block_load_start(&load);
	ASSERT_NE(NULL, handle);
	sleep_ms(1000);
	ASSERT_EQ(0, pci_remove(self->block.pci));
	/* The load sees an error, as it must, but never wrong bytes. */
	EXPECT_GT(0, block_load_finish(handle));
	EXPECT_NE(-EILSEQ, load.error);
	EXPECT_LT(0, load.bytes);
	ASSERT_EQ(0, pci_wait(self->block.pci, false, WAIT_MS));
	ASSERT_EQ(0, pci_rescan());
	EXPECT_EQ(0, use_drive(&self->block));
}

TEST_HARNESS_MAIN
