// SPDX-License-Identifier: GPL-2.0
/* Load and unload, again and again: it works each time and leaves nothing. */
#include <errno.h>
#include <stdio.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "kmod.h"
#include "needs.h"
#include "requester.h"

#define CYCLES		100
#define USER_CYCLES	50
/* With sanitizers a cycle takes seconds, and kmemleak looks as well. */
#define SLOWER		10
#define USER_SLOWER	12
#define WARM_UP		5

FIXTURE(module) {
	struct pci_list edus;
};

FIXTURE_SETUP(module)
{
	const char *missing = need_module() ?: need_edus(&self->edus, 1);

	if (missing)
		SKIP(return, "%s", missing);
	/* Start without the module. */
	ASSERT_EQ(0, clients_unbind());
	if (module_loaded(MODULE_NAME)) {
		ASSERT_EQ(0, viommu_unload());
	}
}

FIXTURE_TEARDOWN(module)
{
	clients_unbind();
	if (module_loaded(MODULE_NAME))
		viommu_unload();
}

/* Lines of /proc/interrupts that name our driver. */
static unsigned int interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "re");
	unsigned int count = 0;
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, MODULE_NAME) != NULL;
	if (file)
		fclose(file);
	return count;
}

TEST_F_TIMEOUT(module, unload_leaves_no_trace_and_a_reload_works, 120)
{
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, viommu_load());
		EXPECT_LT(0, dir_count(IOMMU_GROUPS));
		ASSERT_TRUE(edu_works(self->edus.name[0]));
		ASSERT_EQ(0, clients_unbind());
		ASSERT_EQ(0, viommu_offline());
		EXPECT_EQ(0, module_refcount(MODULE_NAME));
		ASSERT_EQ(0, module_remove(MODULE_NAME));
		EXPECT_FALSE(iommu_traces_left());
		EXPECT_EQ(0, interrupts());
	}
}

TEST_F_TIMEOUT(module, second_load_is_refused_and_harmless, 120)
{
	ASSERT_EQ(0, viommu_load());
	EXPECT_EQ(-EEXIST, viommu_load());
	EXPECT_TRUE(edu_works(self->edus.name[0]));
}

/* Without the IOMMU a device's addresses are memory's own again. */
TEST_F_TIMEOUT(module, client_works_after_unload_and_after_reload, 180)
{
	struct block_load load = { .threads = 2, .operations = 30 };
	struct block block;
	int i;

	for (i = 0; i < 2; i++) {
		const char *missing;

		if (i) {
			ASSERT_EQ(0, viommu_load());
		}
		missing = need_drive(&block, BLOCK_SCRATCH);
		if (missing)
			SKIP(return, "%s", missing);
		EXPECT_EQ(i ? 1 : 0, pci_group(block.pci) >= 0);
		load.path = block.path;
		load.size = block.size;
		EXPECT_EQ(0, block_load_run(&load));
		ASSERT_EQ(0, block_unbind_all());
	}
}

static int cycle(const void *unused)
{
	int ret;

	ret = viommu_load();
	return ret ? ret : viommu_unload();
}

static int cycle_with_user(const void *edu)
{
	int ret;

	ret = viommu_load();
	if (!ret)
		ret = edu_works(edu) ? clients_unbind() : -EIO;
	return ret ? ret : viommu_unload();
}

static bool has_sanitizers(void)
{
	return file_exists("/sys/kernel/debug/kmemleak");
}

TEST_F_TIMEOUT(module, hundred_cycles_leak_nothing, 600)
{
	const unsigned int cycles = has_sanitizers() ? CYCLES / SLOWER : CYCLES;
	const char *leak;
	int i;

	for (i = 0; i < WARM_UP; i++)
		ASSERT_EQ(0, cycle(NULL));
	leak = cycles_leak(cycle, NULL, cycles);
	EXPECT_EQ(NULL, leak) TH_LOG("%s", leak);
	EXPECT_FALSE(iommu_traces_left());
	EXPECT_EQ(0, interrupts());
	/* And it still works. */
	ASSERT_EQ(0, viommu_load());
	EXPECT_TRUE(edu_works(self->edus.name[0]));
}

/* The same with a user in each cycle, so that domains come and go too. */
TEST_F_TIMEOUT(module, cycles_with_a_user_leak_nothing, 300)
{
	const unsigned int cycles = has_sanitizers() ? USER_CYCLES / USER_SLOWER : USER_CYCLES;
	const char *leak;

	leak = cycles_leak(cycle_with_user, self->edus.name[0], cycles);
	EXPECT_EQ(NULL, leak) TH_LOG("%s", leak);
}

TEST_HARNESS_MAIN
