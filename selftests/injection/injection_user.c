// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of a VFIO user's life may fail: the step that it belongs to then
 * fails cleanly, if it may fail at all, or succeeds, and everything works afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "injector.h"
#include "kmod.h"
#include "needs.h"
#include "requester.h"

/* On both sides of a boundary of page tables. */
#define IOVA		(GIB - MAP_SIZE / 2)
#define MAP_SIZE	(64 * KIB)
/* A step has some dozens of allocations. One that goes on and on would never be through. */
#define MOST_ALLOCATIONS	250

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
	/* May the step answer that there is no memory? Taking something away may not. */
	bool fails;
};

/* Blocking takes no memory. */
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
	const char *missing = need_module() ?: need_edus(&self->edus, 1) ?: need_iommu() ?:
			      injector_open(&self->user.injector);

	if (missing)
		SKIP(return, "%s", missing);
	self->user.step = variant->step;
	self->user.device = self->edus.name[0];
	self->user.mem = memory_alloc(MAP_SIZE);
	ASSERT_NE(NULL, self->user.mem);
	ASSERT_EQ(0, clients_unbind());
	/* Loads and fills what only the first user needs. */
	ASSERT_TRUE(edu_works(self->user.device));
}

FIXTURE_TEARDOWN(user)
{
	injector_close(&self->user.injector);
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

TEST_F_TIMEOUT(user, fails_cleanly_or_succeeds, 200)
{
	struct user *user = &self->user;
	unsigned int failed = 0;
	int ret;

	ASSERT_EQ(0, pci_bind(user->device, "vfio-pci"));
	do {
		user->n++;
		ASSERT_GE(MOST_ALLOCATIONS, user->n) TH_LOG("the step does not get through");
		ret = life(user);
		ASSERT_TRUE(ret == 0 || (variant->fails && ret == -ENOMEM))
			TH_LOG("allocation %u: %d", user->n, ret);
		failed += ret != 0;
	} while (!user->left);
	TH_LOG("%u allocations, %u attempts failed", user->n - 1, failed);
	/* An attempt that nothing was taken from succeeds. */
	EXPECT_EQ(0, ret);
	EXPECT_EQ(variant->fails, failed > 0);
	EXPECT_TRUE(edu_works(user->device));
	/* Nobody is left behind who keeps the device. */
	ASSERT_EQ(0, clients_unbind());
	EXPECT_EQ(0, viommu_unload());
	ASSERT_EQ(0, viommu_load());
	EXPECT_TRUE(edu_works(user->device));
}

TEST_HARNESS_MAIN
