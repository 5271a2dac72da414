// SPDX-License-Identifier: GPL-2.0
/* Whose interrupts are remapped, and from when to when. */
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "irq.h"
#include "kmod.h"
#include "msi.h"
#include "needs.h"
#include "requester.h"
#include "stats.h"
#include "vfio.h"

#define XHCI_CLASS	0x0c0330
#define UNSAFE_INTERRUPTS \
	"/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"

FIXTURE(life) {
	struct block block;
};

FIXTURE_SETUP(life)
{
	const char *missing = need_module();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, clients_unbind());
	if (module_loaded(MODULE_NAME)) {
		ASSERT_EQ(0, viommu_unload());
	}
}

FIXTURE_TEARDOWN(life)
{
	clients_unbind();
}

/* The drive's bytes come back; its interrupts are remapped, or not. */
static const char *works(const char *pci, const struct block *block, bool remapped)
{
	struct block_load load = { .path = block->path, .size = block->size, .threads = 2,
				   .operations = 30 };
	struct irq_list irqs;

	irq_find(&irqs, pci);
	if (!irqs.count)
		return "the drive has no interrupts";
	if (irq_remapped(&irqs) != remapped)
		return remapped ? "interrupts are not remapped" : "interrupts are remapped";
	return block_load_run(&load) ? "a transfer failed" : NULL;
}

TEST_F_TIMEOUT(life, interrupts_are_plain_without_the_module_and_remapped_with_it, 300)
{
	const char *missing, *wrong;
	int i;

	for (i = 0; i < 3; i++) {
		bool loaded = i % 2;

		if (loaded) {
			ASSERT_EQ(0, viommu_load());
		}
		missing = need_drive(&self->block, BLOCK_SCRATCH);
		if (missing)
			SKIP(return, "%s", missing);
		wrong = works(self->block.pci, &self->block, loaded);
		EXPECT_EQ(NULL, wrong) TH_LOG("round %d: %s", i, wrong);
		ASSERT_EQ(0, block_unbind_all());
		if (loaded) {
			/* No entry is left to anybody. */
			EXPECT_EQ(0, stats_read("interrupts"));
			EXPECT_LT(0, stats_read("remapped"));
			ASSERT_EQ(0, viommu_unload());
		}
	}
}

/* Its driver has told the device which vectors to name, and does not hear of the module. */
TEST_F_TIMEOUT(life, device_in_use_keeps_its_plain_interrupts, 300)
{
	const char *missing = need_drive(&self->block, BLOCK_SCRATCH), *wrong;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, viommu_load());
	wrong = works(self->block.pci, &self->block, false);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	/* Found again, it joins. */
	ASSERT_EQ(0, block_unbind_all());
	ASSERT_EQ(NULL, need_drive(&self->block, BLOCK_SCRATCH));
	ASSERT_LE(0, pci_group(self->block.pci));
	wrong = works(self->block.pci, &self->block, true);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

/* A device with one interrupt has a table with one entry. */
TEST_F_TIMEOUT(life, table_has_the_length_that_the_device_needs, 100)
{
	struct pci_list edus;
	const char *missing = need_edus(&edus, 1);
	char entry[256];
	__u64 q2;
	int found;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, viommu_load());
	ASSERT_EQ(0, debugfs_write("devid", edus.name[0]));
	ASSERT_LT(0, debugfs_read("devtbl", entry, sizeof(entry)));
	found = sscanf(entry, "%*s %*s 0x%llx", &q2);
	ASSERT_EQ(1, found) TH_LOG("%s", entry);
	EXPECT_EQ(1, q2 & 1);
	EXPECT_EQ(0, q2 >> 1 & 0xf);
	EXPECT_EQ(2, q2 >> 60 & 3);
}

/* Functions that one interrupt table serves, if they share one: those behind a bridge, and the bridge. */
static int mates(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), IOMMU_GROUPS "/%d/devices", pci_group(name));
	return dir_count(path);
}

/*
 * The device is told the first message only, and counts up in its low bits. The hardware is told of each
 * entry under every requester ID of the table.
 */
TEST_F_TIMEOUT(life, several_interrupts_of_plain_msi_are_entries_in_a_row, 100)
{
	struct vfio_device dev;
	struct pci_list hubs;
	struct msi_message message;
	struct irq_list irqs;
	int container, events[4], i;
	long long told;

	pci_find_class(&hubs, XHCI_CLASS, 0xffffff);
	if (!hubs.count || vfio_prepare())
		SKIP(return, "needs a device with several interrupts of plain MSI, and VFIO");
	ASSERT_EQ(0, viommu_load());
	container = vfio_container();
	ASSERT_LE(0, container);
	ASSERT_EQ(0, vfio_open(&dev, container, hubs.name[0]));
	for (i = 0; i < ARRAY_SIZE(events); i++)
		events[i] = eventfd(0, EFD_CLOEXEC);
	told = stats_read("invalidate_interrupts");
	ASSERT_EQ(0, vfio_enable_several_msi(&dev, events, ARRAY_SIZE(events)));
	EXPECT_LE(ARRAY_SIZE(events) * mates(hubs.name[0]),
		  stats_read("invalidate_interrupts") - told);
	irq_find(&irqs, hubs.name[0]);
	EXPECT_EQ(ARRAY_SIZE(events), irqs.count);
	EXPECT_TRUE(irq_remapped(&irqs));
	EXPECT_EQ(ARRAY_SIZE(events), stats_read("interrupts"));
	ASSERT_EQ(0, msi_read(hubs.name[0], &message));
	EXPECT_EQ(0, message.data % ARRAY_SIZE(events));
	ASSERT_EQ(0, vfio_disable_msi(&dev));
	EXPECT_EQ(0, stats_read("interrupts"));
	for (i = 0; i < ARRAY_SIZE(events); i++)
		close(events[i]);
	vfio_close(&dev);
	close(container);
}

TEST_F_TIMEOUT(life, vfio_needs_no_unsafe_switch, 100)
{
	struct pci_list edus;
	const char *missing = need_edus(&edus, 1);
	char text[8];

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, viommu_load());
	ASSERT_LT(0, file_read(UNSAFE_INTERRUPTS, text, sizeof(text)));
	EXPECT_STREQ("N", text);
	EXPECT_TRUE(edu_works(edus.name[0]));
}

TEST_HARNESS_MAIN
