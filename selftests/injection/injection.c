// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation on the way may fail: loading, attaching, mapping and leaving
 * then fail cleanly or succeed, and work afterwards. Whether memory was lost is
 * judged by kmemleak, after all tests.
 *
 * fail-nth makes the n-th allocation from now on fail. What it says afterwards
 * tells how many there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "edu.h"
#include "kmod.h"
#include "util.h"
#include "vfio.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc"
#define NEVER		1000000
/* On both sides of a boundary of page tables. */
#define IOVA		(GIB - MAP_SIZE / 2)
#define MAP_SIZE	(64 * KIB)
#define LOAD_MS		100000
#define LOADER_MS	20000
#define STEP_MS		25000

/* Allocations that may sleep fail too, single pages too, and without a word. */
static const struct setting {
	const char *path, *value;
} settings[] = {
	{ FAILSLAB "/ignore-gfp-wait", "N" },
	{ FAILSLAB "/verbose", "0" },
	{ FAIL_PAGES "/ignore-gfp-wait", "N" },
	{ FAIL_PAGES "/ignore-gfp-highmem", "N" },
	{ FAIL_PAGES "/min-order", "0" },
	{ FAIL_PAGES "/verbose", "0" },
};

/* What was there before. */
struct injector {
	int fd;
	char before[ARRAY_SIZE(settings)][16];
};

static const char *injector_open(struct injector *injector)
{
	unsigned int i;

	injector->fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (injector->fd < 0)
		return "needs a kernel with fault injection";
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (file_read(settings[i].path, injector->before[i],
			      sizeof(injector->before[i])) < 0 ||
		    file_write(settings[i].path, settings[i].value)) {
			injector->before[i][0] = '\0';
			return "needs failslab and fail_page_alloc in debugfs";
		}
	}
	return NULL;
}

static void injector_close(struct injector *injector)
{
	unsigned int i;

	if (injector->fd < 0)
		return;
	for (i = 0; i < ARRAY_SIZE(settings) && injector->before[i][0]; i++)
		file_write(settings[i].path, injector->before[i]);
	close(injector->fd);
}

/* Neither of the two allocates: the count is that of what lies between them. */
static void inject(struct injector *injector, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(injector->fd, text, len, 0) != len)
		abort();
}

/* How many of the n allocations were not reached; 0 if the n-th has failed. */
static unsigned int not_reached(struct injector *injector)
{
	char text[16] = "";

	if (pread(injector->fd, text, sizeof(text) - 1, 0) <= 0)
		abort();
	inject(injector, 0);
	return strtoul(text, NULL, 10);
}

static const char *machine_missing(struct pci_list *edus)
{
	char path[256];

	if (iommu_driver() == IOMMU_DRIVER_BUILTIN)
		return "the built-in driver runs this machine";
	if (viommu_module_path(path, sizeof(path)))
		return "needs the module's file";
	edu_find(edus);
	if (!edus->count)
		return "needs an edu device on the root bus";
	return vfio_prepare() ? "needs vfio-pci and vfio_iommu_type1" : NULL;
}

static bool dma_works(const char *edu_name, char *mem, __u64 seed)
{
	struct vfio_device dev;
	struct edu edu;
	int container = vfio_container();
	bool works;

	if (container < 0)
		return false;
	if (vfio_open(&dev, container, edu_name)) {
		close(container);
		return false;
	}
	pattern_fill(mem, PAGE_4K, seed);
	memset(mem + PAGE_4K, 0, PAGE_4K);
	works = !edu_init(&edu, dev.bar0) &&
		!vfio_map(container, mem, IOVA, MAP_SIZE, VFIO_RW) &&
		!edu_copy(&edu, IOVA + PAGE_4K, IOVA, PAGE_4K) &&
		pattern_matches(mem + PAGE_4K, PAGE_4K, seed);
	vfio_close(&dev);
	close(container);
	return works;
}

static char *map_memory(void)
{
	char *mem = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

struct loader {
	struct injector injector;
	unsigned int failed, unbound, bound;
	int module;
};

FIXTURE(load) {
	struct loader loader;
	struct pci_list edus;
	char *mem;
};

FIXTURE_SETUP(load)
{
	const char *missing;
	char path[256];

	self->loader.module = -1;
	missing = injector_open(&self->loader.injector);
	if (!missing)
		missing = machine_missing(&self->edus);
	if (missing)
		SKIP(return, "%s", missing);
	self->mem = map_memory();
	ASSERT_NE(NULL, self->mem);
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
	if (self->loader.module < 0)
		return;
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
 * The module's own allocations come after those of the module loader. So they
 * are tried from the last one back, and the loader's from the first on, each
 * for a limited time.
 */
TEST_F_TIMEOUT(load, fails_cleanly_or_succeeds, 300)
{
	unsigned int n, first, total, left;
	const char *wrong = NULL;
	__u64 end;

	ASSERT_EQ(0, load(&self->loader, NEVER, &left));
	total = NEVER - left;
	ASSERT_LT(0, total) TH_LOG("no allocation is counted");
	ASSERT_EQ(0, viommu_unload());
	ASSERT_FALSE(iommu_traces_left());

	end = now_ms() + LOAD_MS;
	for (n = total; n && now_ms() < end; n--) {
		wrong = load_attempt(&self->loader, n, &left);
		ASSERT_EQ(NULL, wrong) TH_LOG("allocation %u of %u: %s", n, total, wrong);
	}
	end = now_ms() + LOADER_MS;
	for (first = 1; first <= n && now_ms() < end; first++) {
		wrong = load_attempt(&self->loader, first, &left);
		ASSERT_EQ(NULL, wrong) TH_LOG("allocation %u of %u: %s", first, total, wrong);
	}
	TH_LOG("%u allocations; tried 1 to %u and %u to %u: %u loads failed, %u without IOMMU, %u with",
	       total, first - 1, n + 1, total, self->loader.failed, self->loader.unbound,
	       self->loader.bound);
	EXPECT_LT(0, self->loader.failed);
	ASSERT_EQ(0, viommu_load());
	EXPECT_TRUE(dma_works(self->edus.name[0], self->mem, total));
}

/* What a user of VFIO does with a device. */
enum step {
	STEP_OWN,		/* The group comes into a container: blocked. */
	STEP_ATTACH,		/* A domain of the user's own. */
	STEP_MAP,
	STEP_UNMAP,
	STEP_DETACH,		/* Out of the container. */
	STEP_CLOSE,		/* Everything is closed, without a word before. */
};

struct user {
	struct injector injector;
	/* The step one of whose allocations fails, and which allocation. */
	enum step step;
	unsigned int n, left;
	const char *device;
	char *mem;
};

FIXTURE(user) {
	struct user user;
	struct pci_list edus;
};

FIXTURE_VARIANT(user) {
	enum step step;
	/* Can the step answer that there is no memory? */
	bool fails;
};

/* Blocking takes no memory, so that it cannot fail. */
FIXTURE_VARIANT_ADD(user, own) {
	.step = STEP_OWN,
};

FIXTURE_VARIANT_ADD(user, attach) {
	.step = STEP_ATTACH,
	.fails = true,
};

FIXTURE_VARIANT_ADD(user, map) {
	.step = STEP_MAP,
	.fails = true,
};

FIXTURE_VARIANT_ADD(user, unmap) {
	.step = STEP_UNMAP,
};

FIXTURE_VARIANT_ADD(user, detach) {
	.step = STEP_DETACH,
};

FIXTURE_VARIANT_ADD(user, close) {
	.step = STEP_CLOSE,
};

FIXTURE_SETUP(user)
{
	const char *missing = injector_open(&self->user.injector);

	if (!missing)
		missing = machine_missing(&self->edus);
	if (missing)
		SKIP(return, "%s", missing);
	self->user.step = variant->step;
	self->user.device = self->edus.name[0];
	self->user.mem = map_memory();
	ASSERT_NE(NULL, self->user.mem);
	ASSERT_EQ(0, iommu_require());
	ASSERT_EQ(0, clients_unbind());
	/* Loads and fills what only the first user needs. */
	ASSERT_TRUE(dma_works(self->user.device, self->user.mem, 1));
}

FIXTURE_TEARDOWN(user)
{
	injector_close(&self->user.injector);
	if (self->user.device)
		clients_unbind();
}

static void step_begin(struct user *user, enum step step)
{
	if (step == user->step)
		inject(&user->injector, user->n);
}

static int step_end(struct user *user, enum step step, long long result)
{
	if (step == user->step)
		user->left = not_reached(&user->injector);
	return result < 0 ? result : 0;
}

static int step_ioctl(struct user *user, enum step step, int fd,
		      unsigned long request, unsigned long arg)
{
	int ret;

	step_begin(user, step);
	ret = ioctl(fd, request, arg) ? -errno : 0;
	return step_end(user, step, ret);
}

static int map_and_unmap(struct user *user, int container)
{
	int ret;

	step_begin(user, STEP_MAP);
	ret = vfio_map(container, user->mem, IOVA, MAP_SIZE, VFIO_RW);
	ret = step_end(user, STEP_MAP, ret);
	if (ret)
		return ret;
	/* What is left mapped has to go with the container. */
	if (user->step == STEP_DETACH || user->step == STEP_CLOSE)
		return 0;
	step_begin(user, STEP_UNMAP);
	return step_end(user, STEP_UNMAP, vfio_unmap(container, IOVA, MAP_SIZE));
}

static int use(struct user *user, int container, int group)
{
	int ret;

	ret = step_ioctl(user, STEP_OWN, group, VFIO_GROUP_SET_CONTAINER,
			 (unsigned long)&container);
	if (ret)
		return ret;
	ret = step_ioctl(user, STEP_ATTACH, container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
	if (!ret)
		ret = map_and_unmap(user, container);
	if (!ret && user->step == STEP_DETACH)
		ret = step_ioctl(user, STEP_DETACH, group, VFIO_GROUP_UNSET_CONTAINER, 0);
	return ret;
}

/* A whole life of a user, with one allocation of one step failing. */
static int life(struct user *user)
{
	int container, group, ret;
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%d", pci_group(user->device));
	container = vfio_container();
	group = open(path, O_RDWR | O_CLOEXEC);
	if (container < 0 || group < 0)
		abort();
	ret = use(user, container, group);
	step_begin(user, STEP_CLOSE);
	close(group);
	close(container);
	return step_end(user, STEP_CLOSE, ret);
}

TEST_F_TIMEOUT(user, fails_cleanly_or_succeeds, 100)
{
	__u64 end = now_ms() + STEP_MS;
	unsigned int failed = 0;
	int ret;

	ASSERT_EQ(0, pci_bind(self->user.device, "vfio-pci"));
	do {
		self->user.n++;
		ret = life(&self->user);
		ASSERT_TRUE(ret == 0 || ret == -ENOMEM) TH_LOG("allocation %u: %d", self->user.n, ret);
		failed += ret != 0;
	} while (!self->user.left && now_ms() < end);
	TH_LOG("%u allocations%s, %u attempts failed", self->user.n - 1,
	       self->user.left ? "" : " and more", failed);
	/* An attempt that nothing was taken from succeeds. */
	EXPECT_TRUE(!self->user.left || ret == 0);
	EXPECT_TRUE(!variant->fails || failed > 0);
	EXPECT_TRUE(dma_works(self->user.device, self->user.mem, 2));
	/* Nobody is left behind who keeps the device. */
	ASSERT_EQ(0, clients_unbind());
	EXPECT_EQ(0, viommu_unload());
	ASSERT_EQ(0, viommu_load());
	EXPECT_TRUE(dma_works(self->user.device, self->user.mem, 3));
}

TEST_HARNESS_MAIN
