// SPDX-License-Identifier: GPL-2.0
/* Drive and card at once: their maps and unmaps interleave, their bytes do not. */
#include <errno.h>

#include "kselftest_harness.h"
#include "clients.h"
#include "stats.h"

#define LOAD_MS	6000

FIXTURE(load) {
	struct block block;
	char name[32];
};

FIXTURE_SETUP(load)
{
	char pci[PCI_NAME_LEN];
	const char *missing;

	missing = nvme_missing(&self->block, BLOCK_SCRATCH);
	if (!missing)
		missing = nic_missing(pci, self->name, sizeof(self->name));
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_LE(0, pci_group(self->block.pci));
	ASSERT_LE(0, pci_group(pci));
	ASSERT_EQ(0, net_up(self->name));
}

FIXTURE_TEARDOWN(load)
{
	net_down(self->name);
}

static bool passes_through(const char *pci)
{
	char type[32];

	return pci_group_type(pci, type, sizeof(type)) > 0 && !strcmp(type, "identity");
}

TEST_F_TIMEOUT(load, drive_and_card_at_once, 100)
{
	long long commands = stats_read("commands"), errors = stats_read("command_errors");
	struct block_load load = { .threads = 3 };
	struct block_load_handle *handle;
	__u64 bytes = 0, end;

	load.path = self->block.path;
	load.size = self->block.size;
	handle = block_load_start(&load);
	ASSERT_NE(NULL, handle);
	for (end = now_ms() + LOAD_MS; now_ms() < end;)
		EXPECT_EQ(20, net_ping(20, &bytes));
	EXPECT_EQ(0, block_load_finish(handle));
	TH_LOG("%llu MiB on the drive, %llu KiB on the card", load.bytes / MIB, bytes / KIB);
	EXPECT_LT(MIB, load.bytes);
	EXPECT_LT(10 * KIB, bytes);
	if (errors >= 0) {
		EXPECT_EQ(errors, stats_read("command_errors"));
		/* Addresses that are passed through are never invalidated. */
		if (!passes_through(self->block.pci)) {
			EXPECT_LT(commands, stats_read("commands"));
		}
	}
}

TEST_HARNESS_MAIN
