// SPDX-License-Identifier: GPL-2.0
/* Client devices may go and come back at any moment. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "needs.h"
#include "requester.h"
#include "stats.h"

#define WAIT_MS		20000

FIXTURE(edu) {
	char name[PCI_NAME_LEN];
};

FIXTURE_SETUP(edu)
{
	struct pci_list edus;
	const char *missing = need_edus(&edus, 1) ?: need_iommu();

	if (missing)
		SKIP(return, "%s", missing);
	memcpy(self->name, edus.name[0], PCI_NAME_LEN);
}

FIXTURE_TEARDOWN(edu)
{
}

TEST_F_TIMEOUT(edu, idle_device_leaves_its_group_and_comes_back, 120)
{
	int groups = dir_count(IOMMU_GROUPS), i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pci_remove(self->name));
		ASSERT_EQ(0, pci_wait(self->name, false, WAIT_MS));
		EXPECT_EQ(groups - 1, dir_count(IOMMU_GROUPS));
		ASSERT_EQ(0, pci_rescan());
		ASSERT_EQ(0, pci_wait(self->name, true, WAIT_MS));
		EXPECT_EQ(groups, dir_count(IOMMU_GROUPS));
	}
	EXPECT_TRUE(edu_works(self->name));
}

TEST_F_TIMEOUT(edu, count_of_devices_follows, 120)
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
TEST_F_TIMEOUT(edu, removal_waits_for_a_vfio_user, 120)
{
	struct requester user;
	int status;
	pid_t pid;

	ASSERT_EQ(0, requester_start(&user, self->name));
	ASSERT_TRUE(requester_works(&user));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Not the owner of the device: its files must not keep it. */
		requester_close(&user);
		_exit(pci_remove(self->name) ? 1 : 0);
	}
	sleep_ms(500);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	EXPECT_TRUE(requester_works(&user));
	requester_close(&user);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, pci_wait(self->name, false, WAIT_MS));
	ASSERT_EQ(0, pci_rescan());
	EXPECT_TRUE(edu_works(self->name));
}

FIXTURE(drive) {
	struct block block;
};

FIXTURE_SETUP(drive)
{
	const char *missing = need_iommu() ?: need_drive(&self->block, BLOCK_SCRATCH);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_LE(0, pci_group(self->block.pci));
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

TEST_F_TIMEOUT(drive, idle_drive_leaves_and_comes_back, 120)
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
