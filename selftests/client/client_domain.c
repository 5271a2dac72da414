// SPDX-License-Identifier: GPL-2.0
/* Client devices run in the kind of domain that the command line asked for. */
#include "kselftest_harness.h"
#include "clients.h"

/* NULL: the command line leaves it open. */
static const char *asked_type(void)
{
	char cmdline[4096];

	if (file_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return NULL;
	if (strstr(cmdline, "iommu.passthrough=1"))
		return "identity";
	if (strstr(cmdline, "iommu.strict=1"))
		return "DMA";
	if (strstr(cmdline, "iommu.strict=0"))
		return "DMA-FQ";
	return NULL;
}

static void check_type(struct __test_metadata *_metadata, const char *pci)
{
	const char *asked = asked_type();
	char type[32];

	ASSERT_LT(0, pci_group_type(pci, type, sizeof(type)));
	TH_LOG("%s: %s", pci, type);
	if (asked) {
		EXPECT_STREQ(asked, type);
	} else {
		EXPECT_TRUE(!strcmp(type, "DMA") || !strcmp(type, "DMA-FQ"));
	}
}

TEST(nvme_is_in_the_domain_asked_for)
{
	struct block block;
	const char *missing = nvme_missing(&block, BLOCK_DATA);

	if (missing)
		SKIP(return, "%s", missing);
	if (iommu_driver() == IOMMU_DRIVER_BUILTIN)
		SKIP(return, "the built-in driver chooses strict mode in a VM");
	check_type(_metadata, block.pci);
}

TEST(nic_is_in_the_domain_asked_for)
{
	char pci[PCI_NAME_LEN], name[32];
	const char *missing = nic_missing(pci, name, sizeof(name));

	if (missing)
		SKIP(return, "%s", missing);
	if (iommu_driver() == IOMMU_DRIVER_BUILTIN)
		SKIP(return, "the built-in driver chooses strict mode in a VM");
	check_type(_metadata, pci);
}

TEST_HARNESS_MAIN
