// SPDX-License-Identifier: GPL-2.0
/* An e1000e card behind the IOMMU sends and receives what it is given. */
#include <errno.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "clients.h"

#define FOLDER	"/tmp/viommu-net"

FIXTURE(nic) {
	char pci[PCI_NAME_LEN];
	char name[32];
};

FIXTURE_SETUP(nic)
{
	const char *missing = nic_missing(self->pci, self->name, sizeof(self->name));

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_LE(0, pci_group(self->pci));
	ASSERT_EQ(0, net_up(self->name));
	mkdir(FOLDER, 0700);
}

FIXTURE_TEARDOWN(nic)
{
	net_down(self->name);
}

TEST_F(nic, echoes_of_all_sizes_come_back_unaltered)
{
	__u64 bytes = 0;

	EXPECT_EQ(300, net_ping(300, &bytes));
	TH_LOG("%llu KiB verified", bytes / KIB);
}

TEST_F_TIMEOUT(nic, fetched_file_has_its_checksum, 100)
{
	char *const argv[] = { "sh", "-c", "cd " FOLDER " && grep ' odd-size$' SHA256SUMS | sha256sum -c",
			       NULL };
	long long size;

	ASSERT_LT(0, net_tftp("SHA256SUMS", FOLDER "/SHA256SUMS"));
	size = net_tftp("odd-size", FOLDER "/odd-size");
	ASSERT_LT(0, size);
	TH_LOG("%lld bytes", size);
	EXPECT_EQ(0, run_program(argv));
}

TEST_F(nic, goes_down_and_comes_up_again)
{
	__u64 bytes = 0;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, net_down(self->name));
		ASSERT_EQ(0, net_up(self->name));
		EXPECT_EQ(20, net_ping(20, &bytes));
	}
}

TEST_HARNESS_MAIN
