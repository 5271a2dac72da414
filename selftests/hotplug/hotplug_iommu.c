// SPDX-License-Identifier: GPL-2.0
/*
 * The IOMMU's own PCI function is pulled. Nobody can refuse that: it must be
 * survived, nothing may pass afterwards, and a rescan brings everything back.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "edu.h"
#include "kmod.h"
#include "util.h"
#include "vfio.h"

#define IOVA		(1 * GIB)
#define WAIT_MS		5000

FIXTURE(iommu) {
	struct pci_list iommus;
	struct pci_list edus;
	char *mem;
};

FIXTURE_SETUP(iommu)
{
	pci_find_iommus(&self->iommus);
	edu_find(&self->edus);
	if (!self->iommus.count || !self->edus.count)
		SKIP(return, "needs an AMD IOMMU and an edu device");
	if (iommu_require())
		SKIP(return, "no AMD IOMMU driver to test");
	if (iommu_driver() == IOMMU_DRIVER_BUILTIN)
		SKIP(return, "the built-in driver does not live with its function's removal");
	if (vfio_prepare())
		SKIP(return, "needs vfio-pci and vfio_iommu_type1");
	self->mem = mmap(NULL, 2 * PAGE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(iommu)
{
}

static int pull_all(struct pci_list *iommus)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < iommus->count; i++) {
		ret = pci_remove(iommus->name[i]);
		if (!ret)
			ret = pci_wait(iommus->name[i], false, WAIT_MS);
	}
	return ret;
}

static int bring_back(struct pci_list *iommus)
{
	unsigned int i;
	int ret;

	ret = pci_rescan();
	for (i = 0; !ret && i < iommus->count; i++)
		ret = pci_wait_driver(iommus->name[i], MODULE_NAME, WAIT_MS);
	return ret;
}

/* The function may need a new module when it went while it was in use. */
static int bring_back_or_reload(struct pci_list *iommus)
{
	int ret;

	ret = bring_back(iommus);
	if (!ret)
		return 0;
	ret = viommu_unload();
	return ret ? ret : viommu_load();
}

static bool dma_works(FIXTURE_DATA(iommu) *self)
{
	struct vfio_device dev;
	struct edu edu;
	int container = vfio_container();
	bool works;

	if (container < 0 || vfio_open(&dev, container, self->edus.name[0]))
		return false;
	pattern_fill(self->mem, PAGE_4K, 1);
	memset(self->mem + PAGE_4K, 0, PAGE_4K);
	works = !edu_init(&edu, dev.bar0) &&
		!vfio_map(container, self->mem, IOVA, 2 * PAGE_4K, VFIO_RW) &&
		!edu_copy(&edu, IOVA + PAGE_4K, IOVA, PAGE_4K) &&
		pattern_matches(self->mem + PAGE_4K, PAGE_4K, 1);
	vfio_close(&dev);
	close(container);
	return works;
}

TEST_F(iommu, idle_iommu_goes_and_comes_back)
{
	int i;

	ASSERT_EQ(0, clients_unbind());
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pull_all(&self->iommus));
		EXPECT_EQ(0, dir_count("/sys/class/iommu"));
		EXPECT_EQ(0, dir_count(IOMMU_GROUPS));
		ASSERT_EQ(0, bring_back(&self->iommus));
		EXPECT_LE(0, pci_group(self->edus.name[0]));
	}
	EXPECT_TRUE(dma_works(self));
	clients_unbind();
}

TEST_F(iommu, pulled_under_a_vfio_user_nothing_passes_and_nothing_breaks)
{
	struct vfio_device dev;
	struct edu edu;
	int container;

	ASSERT_EQ(0, clients_unbind());
	container = vfio_container();
	ASSERT_LE(0, container);
	ASSERT_EQ(0, vfio_open(&dev, container, self->edus.name[0]));
	ASSERT_EQ(0, edu_init(&edu, dev.bar0));
	ASSERT_EQ(0, vfio_map(container, self->mem, IOVA, 2 * PAGE_4K, VFIO_RW));
	ASSERT_EQ(0, edu_copy(&edu, IOVA, IOVA, PAGE_4K));
	ASSERT_EQ(0, pull_all(&self->iommus));

	/* Neither the old mapping nor physical memory can be reached. */
	pattern_fill(self->mem, PAGE_4K, 2);
	ASSERT_EQ(0, edu_dma(&edu, EDU_WRITE, IOVA, 0, 16));
	EXPECT_TRUE(pattern_matches(self->mem, PAGE_4K, 2));
	ASSERT_NE(0, physical_address(self->mem));
	ASSERT_EQ(0, edu_dma(&edu, EDU_WRITE, physical_address(self->mem), 0, 16));
	EXPECT_TRUE(pattern_matches(self->mem, PAGE_4K, 2));

	/* The user notices nothing but lost DMA, and can clean up. */
	vfio_unmap(container, IOVA, 2 * PAGE_4K);
	vfio_close(&dev);
	close(container);
	clients_unbind();
	ASSERT_EQ(0, bring_back_or_reload(&self->iommus));
	EXPECT_TRUE(dma_works(self));
	clients_unbind();
}

TEST_HARNESS_MAIN
