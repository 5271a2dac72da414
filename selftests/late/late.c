// SPDX-License-Identifier: GPL-2.0
/*
 * The module comes to a machine that is at work. What works goes on untouched;
 * what is free is claimed; the log says who was left out and because of whom.
 * Each test starts with the module unloaded.
 */
#include <errno.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "block.h"
#include "claim.h"
#include "edu.h"
#include "kmod.h"
#include "kmsg.h"
#include "needs.h"
#include "net.h"
#include "util.h"

#define WAIT_MS		20000
#define LOG_MS		1000

FIXTURE(late) {
	struct block block;
	int kmsg;
};

FIXTURE_SETUP(late)
{
	const char *missing = need_module();

	if (!missing && module_loaded(MODULE_NAME)) {
		ASSERT_EQ(0, clients_unbind());
		ASSERT_EQ(0, viommu_unload());
	}
	missing = missing ?: need_drive(&self->block, BLOCK_SCRATCH);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_NE(0, self->block.size);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(late)
{
	clients_unbind();
	if (module_loaded(MODULE_NAME))
		viommu_unload();
}

TEST_F_TIMEOUT(late, device_with_a_driver_goes_on_untranslated, 100)
{
	struct block_load load = { .threads = 3 };
	struct block_load_handle *handle;
	char line[KMSG_LINE_MAX];
	struct pci_list edus;

	load.path = self->block.path;
	load.size = self->block.size;
	handle = block_load_start(&load);
	ASSERT_NE(NULL, handle);
	sleep_ms(500);
	ASSERT_EQ(0, viommu_load());
	sleep_ms(1500);
	EXPECT_EQ(0, block_load_finish(handle));
	EXPECT_LT(MIB, load.bytes);
	EXPECT_GT(0, pci_group(self->block.pci));
	EXPECT_TRUE(kmsg_wait(self->kmsg, self->block.pci, line, sizeof(line), LOG_MS));
	TH_LOG("%s", line);
	/* Its neighbours without a driver are claimed. */
	edu_find(&edus);
	if (edus.count) {
		EXPECT_LE(0, pci_group(edus.name[0]));
	}
}

TEST_F_TIMEOUT(late, kernel_warns_of_nothing, 120)
{
	char line[KMSG_LINE_MAX];

	ASSERT_EQ(0, viommu_load());
	EXPECT_FALSE(kmsg_wait(self->kmsg, "late IOMMU probe", line, sizeof(line), LOG_MS));
}

TEST_F_TIMEOUT(late, device_joins_after_remove_and_rescan, 100)
{
	struct block_load load = { .threads = 2, .operations = 30 };

	ASSERT_EQ(0, viommu_load());
	ASSERT_GT(0, pci_group(self->block.pci));
	ASSERT_EQ(0, pci_remove(self->block.pci));
	ASSERT_EQ(0, pci_wait(self->block.pci, false, WAIT_MS));
	ASSERT_EQ(0, pci_rescan());
	ASSERT_EQ(0, block_find(&self->block, BLOCK_SCRATCH, WAIT_MS));
	EXPECT_LE(0, pci_group(self->block.pci));
	load.path = self->block.path;
	load.size = self->block.size;
	EXPECT_EQ(0, block_load_run(&load));
}

/* Driver taken away after the load: no group may appear by surprise. */
TEST_F_TIMEOUT(late, device_that_lost_its_driver_gets_it_back, 120)
{
	struct block_load load = { .threads = 2, .operations = 20 };

	ASSERT_EQ(0, viommu_load());
	ASSERT_EQ(0, pci_unbind(self->block.pci));
	ASSERT_EQ(0, pci_bind(self->block.pci, "nvme"));
	ASSERT_EQ(0, block_find(&self->block, BLOCK_SCRATCH, WAIT_MS));
	load.path = self->block.path;
	load.size = self->block.size;
	EXPECT_EQ(0, block_load_run(&load));
}

/*
 * A free function in the same slot as one with a driver: nothing keeps the two
 * apart, so a group of the free one alone would be a lie.
 */
static bool find_mates(char *bound, char *free)
{
	struct pci_list all;
	unsigned int i, j;
	char driver[64];

	pci_find_class(&all, 0, 0);
	for (i = 0; i < all.count; i++) {
		for (j = 0; j < all.count; j++) {
			/* Same slot, another function. */
			if (i == j || strncmp(all.name[i], all.name[j], 10))
				continue;
			if (pci_driver(all.name[i], driver, sizeof(driver)) ||
			    !pci_driver(all.name[j], driver, sizeof(driver)))
				continue;
			strcpy(bound, all.name[i]);
			strcpy(free, all.name[j]);
			return true;
		}
	}
	return false;
}

static void bind_cards(void)
{
	struct pci_list cards;
	unsigned int i;

	module_probe("e1000e");
	pci_find_id(&cards, NIC_VENDOR, NIC_DEVICE);
	for (i = 0; i < cards.count; i++)
		pci_bind(cards.name[i], "e1000e");
}

TEST_F_TIMEOUT(late, device_not_isolated_from_a_bound_one_is_left_out, 120)
{
	char bound[PCI_NAME_LEN], free[PCI_NAME_LEN], line[KMSG_LINE_MAX];
	bool named = false;

	bind_cards();
	if (!find_mates(bound, free))
		SKIP(return, "needs a slot with a bound and a free function");
	ASSERT_EQ(0, viommu_load());
	EXPECT_GT(0, pci_group(free)) TH_LOG("%s was claimed beside %s", free, bound);
	EXPECT_GT(0, pci_group(bound));
	while (!named && kmsg_wait(self->kmsg, free, line, sizeof(line), LOG_MS))
		named = strstr(line, bound);
	EXPECT_TRUE(named) TH_LOG("no line names both %s and %s", free, bound);
	if (named)
		TH_LOG("%s", line);
	pci_unbind(bound);
}

TEST_HARNESS_MAIN
