// SPDX-License-Identifier: GPL-2.0
/* Every allocation of a load may fail: then it fails cleanly or succeeds, and works afterwards. */
#include <errno.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "injector.h"
#include "kmod.h"
#include "needs.h"
#include "requester.h"

#define NEVER		1000000
#define TIME_MS		120000

struct loader {
	struct injector injector;
	unsigned int failed, unbound, bound;
	int module;
};

FIXTURE(load) {
	struct loader loader;
	struct pci_list edus;
};

FIXTURE_SETUP(load)
{
	const char *missing;
	char path[256];

	missing = need_module() ?: need_edus(&self->edus, 1) ?:
		  injector_open(&self->loader.injector);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, clients_unbind());
	if (module_loaded(MODULE_NAME)) {
		ASSERT_EQ(0, viommu_unload());
	}
	ASSERT_EQ(0, viommu_module_path(path, sizeof(path)));
	self->loader.module = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->loader.module);
}

FIXTURE_TEARDOWN(load)
{
	injector_close(&self->loader.injector);
	close(self->loader.module);
	clients_unbind();
}

static int load(struct loader *loader, unsigned int n, unsigned int *left)
{
	int ret;

	inject(&loader->injector, n);
	ret = syscall(SYS_finit_module, loader->module, "", 0) ? -errno : 0;
	*left = not_reached(&loader->injector);
	return ret;
}

/* NULL, or what is wrong after this attempt. */
static const char *load_attempt(struct loader *loader, unsigned int n, unsigned int *left)
{
	if (load(loader, n, left)) {
		loader->failed++;
		return iommu_traces_left() ? "a failed load leaves traces" : NULL;
	}
	/* Loading is one thing, and that the IOMMU could be brought up another. */
	if (dir_count("/sys/class/iommu")) {
		loader->bound++;
	} else {
		loader->unbound++;
		if (dir_count(IOMMU_GROUPS))
			return "groups without an IOMMU";
	}
	if (viommu_unload())
		return "it cannot be unloaded";
	return iommu_traces_left() ? "unloading leaves traces" : NULL;
}

/*
 * What counts is what the module calls for. What the module loader needs comes before, and most
 * of the rest are the caches of DMA addresses, of which the module knows nothing.
 */
static int choose_allocations(void)
{
	unsigned long address;
	int ret;

	ret = viommu_load();
	if (ret)
		return ret;
	address = module_address(MODULE_NAME);
	ret = viommu_unload();
	if (!ret)
		ret = injector_filter("require", code_of_modules(address));
	return ret ? ret : injector_filter("reject", code_of_function("iommu_setup_dma_ops"));
}

TEST_F_TIMEOUT(load, fails_cleanly_or_succeeds, 200)
{
	unsigned int total, step, tried = 0, n = 0, left;
	struct loader *loader = &self->loader;
	const char *wrong = NULL;
	__u64 end;

	ASSERT_EQ(0, choose_allocations());
	ASSERT_EQ(0, load(loader, NEVER, &left));
	total = NEVER - left;
	ASSERT_LT(0, total) TH_LOG("no allocation is counted");
	ASSERT_EQ(0, viommu_unload());
	ASSERT_FALSE(iommu_traces_left());

	step = even_step(total);
	for (end = now_ms() + TIME_MS; tried < total && now_ms() < end; tried++) {
		n = (n + step) % total;
		wrong = load_attempt(loader, n + 1, &left);
		ASSERT_EQ(NULL, wrong) TH_LOG("allocation %u of %u: %s", n + 1, total, wrong);
	}
	TH_LOG("%u of %u allocations failed: %u loads failed, %u without IOMMU, %u with",
	       tried, total, loader->failed, loader->unbound, loader->bound);
	EXPECT_LT(0, loader->failed + loader->unbound);
	ASSERT_EQ(0, viommu_load());
	EXPECT_TRUE(edu_works(self->edus.name[0]));
}

TEST_HARNESS_MAIN
