// SPDX-License-Identifier: GPL-2.0
/*
 * Loading on a machine whose IVRS table make-tables has made: a broken one is
 * refused with one clear line, nothing is left behind, and the machine goes on
 * without an IOMMU. The valid one works, which shows that it is the fault in
 * the others that is refused, and not that they are no table of QEMU's.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "kmod.h"
#include "kmsg.h"
#include "needs.h"
#include "stats.h"
#include "util.h"

#define TABLE			"/sys/firmware/acpi/tables/IVRS"
#define TABLE_MAX		512
#define TABLE_CREATOR_ID	28
#define TABLE_CREATOR_REVISION	32
#define CREATOR			"TEST"
#define REFUSAL			MODULE_NAME ": IVRS: "
#define LOG_MS			500
#define CYCLES			100

/* What the log says of each table; the valid one is the first. */
static const char * const reasons[] = {
	NULL,
	"the block length 0 is too small",
	"ends past the end of the table",
	"device entry of type 0x42 ends past its block",
	"memory region ends outside the physical address space",
};

FIXTURE(ivrs) {
	const char *reason;
	int kmsg;
};

FIXTURE_SETUP(ivrs)
{
	const char *missing = need_module();
	char table[TABLE_MAX];
	unsigned int number;

	self->kmsg = -1;
	if (file_read(TABLE, table, sizeof(table)) < TABLE_CREATOR_REVISION + 4 ||
	    memcmp(table + TABLE_CREATOR_ID, CREATOR, strlen(CREATOR)))
		SKIP(return, "needs an IVRS table of make-tables");
	if (missing)
		SKIP(return, "%s", missing);
	number = (unsigned char)table[TABLE_CREATOR_REVISION];
	ASSERT_GT(ARRAY_SIZE(reasons), number);
	self->reason = reasons[number];
	if (module_loaded(MODULE_NAME)) {
		ASSERT_EQ(0, clients_unbind());
		ASSERT_EQ(0, viommu_unload());
	}
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(ivrs)
{
	if (self->kmsg < 0)
		return;
	close(self->kmsg);
	clients_unbind();
	if (module_loaded(MODULE_NAME))
		viommu_unload();
}

TEST_F(ivrs, valid_table_works)
{
	char line[KMSG_LINE_MAX], driver[64];
	struct pci_list iommus;

	if (self->reason)
		SKIP(return, "this table is broken");
	ASSERT_EQ(0, viommu_load());
	pci_find_iommus(&iommus);
	ASSERT_EQ(1, iommus.count);
	ASSERT_EQ(0, pci_driver(iommus.name[0], driver, sizeof(driver)));
	EXPECT_STREQ(MODULE_NAME, driver);
	EXPECT_LT(0, dir_count(IOMMU_GROUPS));
	EXPECT_EQ(1, dir_count("/sys/class/iommu"));
	EXPECT_TRUE(file_exists(VIOMMU_DEBUGFS));
	EXPECT_FALSE(kmsg_wait(self->kmsg, "IVRS:", line, sizeof(line), LOG_MS))
		TH_LOG("%s", line);
	ASSERT_EQ(0, viommu_unload());
	EXPECT_FALSE(iommu_traces_left());
}

TEST_F(ivrs, broken_table_is_refused_with_one_line)
{
	char line[KMSG_LINE_MAX], *text;

	if (!self->reason)
		SKIP(return, "this table is valid");
	EXPECT_EQ(-EINVAL, viommu_load());
	EXPECT_FALSE(module_loaded(MODULE_NAME));
	EXPECT_FALSE(iommu_traces_left());
	ASSERT_TRUE(kmsg_wait(self->kmsg, REFUSAL, line, sizeof(line), LOG_MS));
	TH_LOG("%s", line);
	text = strstr(line, REFUSAL);
	EXPECT_NE(NULL, strstr(text, self->reason)) TH_LOG("should say '%s'", self->reason);
	EXPECT_FALSE(kmsg_wait(self->kmsg, MODULE_NAME, line, sizeof(line), LOG_MS))
		TH_LOG("%s", line);
}

TEST_F_TIMEOUT(ivrs, machine_goes_on_after_a_refusal, 60)
{
	struct block_load load = { .threads = 2, .operations = 20 };
	const char *missing;
	struct block block;

	if (!self->reason)
		SKIP(return, "this table is valid");
	EXPECT_EQ(-EINVAL, viommu_load());
	missing = need_drive(&block, BLOCK_SCRATCH);
	if (missing)
		SKIP(return, "%s", missing);
	load.path = block.path;
	load.size = block.size;
	EXPECT_EQ(0, block_load_run(&load));
	EXPECT_LT(0, load.bytes);
	EXPECT_GT(0, pci_group(block.pci));
	EXPECT_EQ(-EINVAL, viommu_load());
}

static int refused_load(const void *unused)
{
	int ret = viommu_load();

	return ret == -EINVAL ? 0 : ret ?: -EEXIST;
}

TEST_F_TIMEOUT(ivrs, refusal_again_and_again_leaks_nothing, 150)
{
	const char *leak;

	if (!self->reason)
		SKIP(return, "this table is valid");
	EXPECT_EQ(0, refused_load(NULL));
	leak = cycles_leak(refused_load, NULL, CYCLES);
	EXPECT_EQ(NULL, leak) TH_LOG("%s", leak);
}

TEST_HARNESS_MAIN
