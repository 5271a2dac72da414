// SPDX-License-Identifier: GPL-2.0
/*
 * The IOMMU's own PCI function is pulled. Nobody can refuse that: it must be
 * survived, nothing may pass afterwards, and a rescan brings everything back.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "kmod.h"
#include "needs.h"
#include "pull.h"
#include "requester.h"

#define INTERRUPT_MS	5000
/* What is not to come would have come by then. */
#define SILENCE_MS	500

FIXTURE(iommu) {
	struct pci_list iommus;
	struct pci_list edus;
};

FIXTURE_SETUP(iommu)
{
	const char *missing = need_module() ?: need_edus(&self->edus, 1) ?: need_iommu();

	if (missing)
		SKIP(return, "%s", missing);
	pci_find_iommus(&self->iommus);
}

FIXTURE_TEARDOWN(iommu)
{
}

/* The function may need a new module when it went while it was in use. */
static int return_or_reload(struct pci_list *iommus)
{
	int ret;

	ret = iommus_return(iommus);
	if (!ret)
		return 0;
	ret = viommu_unload();
	return ret ? ret : viommu_load();
}

TEST_F_TIMEOUT(iommu, idle_iommu_goes_and_comes_back, 120)
{
	int i;

	ASSERT_EQ(0, clients_unbind());
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, iommus_pull(&self->iommus));
		EXPECT_EQ(0, dir_count("/sys/class/iommu"));
		EXPECT_EQ(0, dir_count(IOMMU_GROUPS));
		ASSERT_EQ(0, iommus_return(&self->iommus));
		EXPECT_LE(0, pci_group(self->edus.name[0]));
	}
	EXPECT_TRUE(edu_works(self->edus.name[0]));
	clients_unbind();
}

/* The device raises its interrupt; how often it has arrived. */
static __u64 raised(struct requester *dev, int event, int timeout_ms)
{
	struct pollfd poller = { .fd = event, .events = POLLIN };
	__u64 count = 0;

	edu_raise(&dev->edu, 1);
	if (poll(&poller, 1, timeout_ms) != 1 || read(event, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

TEST_F_TIMEOUT(iommu, pulled_under_a_vfio_user_nothing_passes_and_nothing_breaks, 120)
{
	int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct requester dev;

	ASSERT_LE(0, event);
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, requester_start(&dev, self->edus.name[0]));
	ASSERT_TRUE(requester_works(&dev));
	ASSERT_EQ(0, vfio_enable_msi(&dev.vfio, event));
	ASSERT_EQ(1, raised(&dev, event, INTERRUPT_MS));
	ASSERT_EQ(0, iommus_pull(&self->iommus));

	/* Neither the old mapping nor physical memory can be reached. */
	pattern_fill(dev.mem, PAGE_4K, 2);
	ASSERT_EQ(0, edu_dma(&dev.edu, EDU_WRITE, REQUESTER_IOVA, 0, 16));
	EXPECT_TRUE(pattern_matches(dev.mem, PAGE_4K, 2));
	ASSERT_NE(0, physical_address(dev.mem));
	ASSERT_EQ(0, edu_dma(&dev.edu, EDU_WRITE, physical_address(dev.mem), 0, 16));
	EXPECT_TRUE(pattern_matches(dev.mem, PAGE_4K, 2));

	/* Nor does its interrupt arrive, whose vector is going to be another's. */
	EXPECT_EQ(0, raised(&dev, event, SILENCE_MS));

	/* The user notices nothing but what is lost, and can clean up. */
	EXPECT_EQ(0, vfio_disable_msi(&dev.vfio));
	EXPECT_EQ(0, raised(&dev, event, SILENCE_MS));
	vfio_unmap(dev.container, REQUESTER_IOVA, dev.size);
	requester_close(&dev);
	close(event);
	clients_unbind();
	ASSERT_EQ(0, return_or_reload(&self->iommus));
	EXPECT_TRUE(edu_works(self->edus.name[0]));
	clients_unbind();
}

TEST_HARNESS_MAIN
