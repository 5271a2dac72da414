// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of a call of the node may fail: the call then fails cleanly, if it may fail at all, or
 * succeeds, and a VM works afterwards.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "guest.h"
#include "injector.h"
#include "kmod.h"
#include "vmm.h"

#define GUEST_ID	0x10
#define NEVER		1000000
#define TIME_MS		40000

struct user {
	struct injector injector;
	/* Without a vIOMMU, and one that has or had one. */
	struct vmm plain, vmm;
	struct vmm_device dev;
	const char *device;
	int event;
};

static int set_eventfd(struct user *user)
{
	struct amd_viommu_eventfd eventfd = {
		.size = sizeof(eventfd),
		.handle = user->vmm.handle,
		.interrupt = AMD_VIOMMU_INTERRUPT_EVENT,
		.fd = user->event,
	};

	return node_call(user->vmm.node, AMD_VIOMMU_SET_EVENTFD, &eventfd);
}

static int init(struct user *user)
{
	return vmm_init(&user->vmm, &user->dev);
}

static int attach(struct user *user)
{
	return vmm_attach(&user->vmm, &user->dev);
}

static int boot(struct user *user)
{
	return guest_boot(&user->vmm);
}

static int reset(struct user *user)
{
	return node_reset(user->vmm.node, user->vmm.handle);
}

static int detach(struct user *user)
{
	return node_detach(user->vmm.node, user->vmm.handle, GUEST_ID);
}

static int destroy(struct user *user)
{
	vmm_unmap_page(&user->vmm);
	return node_destroy(user->vmm.node, user->vmm.handle);
}

/* The life of a VM. */
static int (* const calls[])(struct user *user) = {
	init, attach, set_eventfd, boot, reset, detach, destroy,
};

/* A container with the device and memory. */
static int arrive(struct user *user)
{
	int ret = vmm_open(&user->plain);

	return ret ? ret : vmm_take(&user->plain, &user->dev, user->device, GUEST_ID) ?:
			   vmm_map(&user->plain);
}

static void leave(struct user *user)
{
	vmm_release(&user->dev);
	vmm_close(&user->plain);
}

static int load_again(struct user *user)
{
	leave(user);
	return clients_unbind() ?: viommu_unload() ?: viommu_load() ?: arrive(user);
}

FIXTURE(node) {
	struct user user;
	struct pci_list devices;
};

FIXTURE_VARIANT(node) {
	int (*call)(struct user *user);
	/* May the call answer that there is no memory? Taking something away may not. */
	bool fails;
	/* The call takes what the IOMMU then keeps, so it is made with a module that has just been loaded. */
	bool once;
};

FIXTURE_VARIANT_ADD(node, init) {
	.call = init,
	.fails = true,
};

FIXTURE_VARIANT_ADD(node, attach) {
	.call = attach,
	.fails = true,
};

FIXTURE_VARIANT_ADD(node, set_eventfd) {
	.call = set_eventfd,
	.fails = true,
	.once = true,
};

FIXTURE_VARIANT_ADD(node, boot) {
	.call = boot,
};

FIXTURE_VARIANT_ADD(node, reset) {
	.call = reset,
};

FIXTURE_VARIANT_ADD(node, detach) {
	.call = detach,
};

FIXTURE_VARIANT_ADD(node, destroy) {
	.call = destroy,
};

FIXTURE_SETUP(node)
{
	const char *missing = need_guests(&self->devices, 1) ?:
			      injector_open(&self->user.injector);

	if (missing)
		SKIP(return, "%s", missing);
	self->user.device = self->devices.name[0];
	self->user.event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->user.event);
	/* Loads and fills what only the first user needs. */
	ASSERT_TRUE(vmm_device_works(self->user.device));
	ASSERT_EQ(0, arrive(&self->user));
}

FIXTURE_TEARDOWN(node)
{
	injector_close(&self->user.injector);
	leave(&self->user);
	close(self->user.event);
	clients_unbind();
}

/* All calls, with the n-th allocation of one of them failing. How many of the n were not reached. */
static int make_calls(struct user *user, int (*chosen)(struct user *user), unsigned int n,
		      unsigned int *left)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < ARRAY_SIZE(calls); i++) {
		if (calls[i] == chosen)
			inject(&user->injector, n);
		ret = calls[i](user);
		if (calls[i] == chosen)
			*left = not_reached(&user->injector);
		else if (ret)
			return ret == -ENOMEM ? -EPROTO : ret;
	}
	return ret;
}

/* The kernel does not tell whether registers are taken, or there is no memory to take them. */
static bool is_for_want_of_memory(int ret)
{
	return ret == -ENOMEM || ret == -EBUSY;
}

/* A file of its own for each VM, which goes with it. */
static int life(struct user *user, int (*chosen)(struct user *user), unsigned int n,
		unsigned int *left)
{
	int ret;

	user->vmm = user->plain;
	user->vmm.node = node_open();
	if (user->vmm.node < 0)
		return user->vmm.node;
	ret = make_calls(user, chosen, n, left);
	vmm_unmap_page(&user->vmm);
	close(user->vmm.node);
	return ret;
}

TEST_F_TIMEOUT(node, call_fails_cleanly_or_succeeds, 300)
{
	unsigned int total, step = 0, n = 0, tried = 0, failed = 0, left = 0;
	struct user *user = &self->user;
	__u64 end;
	int ret;

	if (variant->once) {
		ASSERT_EQ(0, load_again(user));
	}
	ASSERT_EQ(0, life(user, variant->call, NEVER, &left));
	total = NEVER - left;
	if (total)
		step = even_step(total);
	for (end = now_ms() + TIME_MS; tried < total && now_ms() < end; tried++) {
		if (variant->once) {
			ASSERT_EQ(0, load_again(user));
		}
		ret = life(user, variant->call, n + 1, &left);
		ASSERT_TRUE(ret == 0 || (variant->fails && is_for_want_of_memory(ret)))
			TH_LOG("allocation %u of %u: %d", n + 1, total, ret);
		failed += ret != 0;
		n = (n + step) % total;
	}
	TH_LOG("%u of %u allocations failed, and %u calls", tried, total, failed);
	/* One that takes vectors is content with fewer. */
	if (!variant->once) {
		EXPECT_EQ(variant->fails, failed > 0);
	}
	/* Nobody is left behind who keeps the device. */
	ASSERT_EQ(0, load_again(user));
	EXPECT_EQ(0, life(user, variant->call, NEVER, &left));
}

TEST_HARNESS_MAIN
