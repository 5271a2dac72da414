// SPDX-License-Identifier: GPL-2.0
/*
 * The host's IOMMU is pulled while a guest uses it. Nobody can refuse that: the guest has no IOMMU from
 * then on, nothing of its device passes, and all that it had can be given back in any order.
 */
#include "kselftest_harness.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "claim.h"
#include "names.h"
#include "pull.h"

/* All devices of the machine lose their drivers, and are found anew: the sanitizers take their time. */
#define TEST_LIMIT	80

FIXTURE(pulled) {
	struct pci_list iommus, devices;
	struct vmm vmm;
	struct vmm_device dev;
};

FIXTURE_SETUP(pulled)
{
	const char *missing = need_guests(&self->devices, 1);

	if (missing)
		SKIP(return, "%s", missing);
	pci_find_iommus(&self->iommus);
	/* A drive that can do no DMA any more would take minutes to give up. */
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
}

FIXTURE_TEARDOWN(pulled)
{
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
}

static void all_is_refused(struct __test_metadata *_metadata, struct vmm *vmm,
			   struct vmm_device *dev)
{
	__u64 dte[4] = { }, value;

	EXPECT_EQ(-ENODEV, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_EQ(-ENODEV, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_EQ(-ENODEV, node_reset(vmm->node, vmm->handle));
	EXPECT_EQ(-ENODEV, node_run(vmm->node, vmm->handle, 0));
	EXPECT_EQ(-ENODEV, node_detach(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_EQ(-ENODEV, node_read(vmm->node, vmm->handle, REG_CONTROL, 8, &value));
	EXPECT_EQ(-ENODEV, vmm_attach(vmm, dev));
}

static void pull_and_look(struct __test_metadata *_metadata, const struct pci_list *iommus,
			  struct vmm *vmm, struct vmm_device *dev)
{
	struct guest_domain domain;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, dev, &domain, DOMAIN_ID));
	ASSERT_TRUE(vmm_moves(vmm, dev, GVA, GUEST_DATA));
	ASSERT_EQ(0, iommus_pull(iommus));
	EXPECT_TRUE(vmm_blocked(dev, GVA));
	EXPECT_TRUE(vmm_blocked(dev, GUEST_DATA));
	EXPECT_EQ(SIGBUS, signal_of(vmm->page));
	all_is_refused(_metadata, vmm, dev);
}

/* The next guest finds everything as it should be. Nothing of the last one is left. */
static void works_again(struct __test_metadata *_metadata, FIXTURE_DATA(pulled) *self)
{
	struct guest_domain domain;

	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, iommus_return(&self->iommus));
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
	EXPECT_EQ(0, guest_boot(&self->vmm));
	EXPECT_EQ(0, vm_nest(&self->vmm, &self->dev, &domain, DOMAIN_ID));
	EXPECT_TRUE(vmm_moves(&self->vmm, &self->dev, GVA, GUEST_DATA));
	EXPECT_EQ(0, guest_sync(&self->vmm));
}

TEST_F_TIMEOUT(pulled, vm_is_given_back_before_its_device, TEST_LIMIT)
{
	pull_and_look(_metadata, &self->iommus, &self->vmm, &self->dev);
	EXPECT_EQ(0, node_destroy(self->vmm.node, self->vmm.handle));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	vmm_close(&self->vmm);
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	vmm_release(&self->dev);
	works_again(_metadata, self);
}

TEST_F_TIMEOUT(pulled, device_is_given_back_before_its_vm, TEST_LIMIT)
{
	pull_and_look(_metadata, &self->iommus, &self->vmm, &self->dev);
	vmm_release(&self->dev);
	close(self->vmm.container);
	self->vmm.container = -1;
	vmm_close(&self->vmm);
	works_again(_metadata, self);
}

#define MOST_RECORDS	8

/* Who polls a file, and what it has read. */
struct listener {
	struct vmm *vmm;
	struct amd_viommu_event record[MOST_RECORDS];
	unsigned int count;
};

/* Waits in poll() for each record, until the IOMMU has gone. */
static void *hear(void *argument)
{
	struct listener *listener = argument;
	struct pollfd fd = { .fd = listener->vmm->node, .events = POLLIN };
	struct amd_viommu_event event = { };

	while (event.type != AMD_VIOMMU_EVENT_IOMMU_GONE && listener->count < MOST_RECORDS) {
		if (poll(&fd, 1, TEST_LIMIT * 1000 / 2) != 1 ||
		    read(fd.fd, &event, sizeof(event)) != sizeof(event))
			break;
		listener->record[listener->count++] = event;
	}
	return NULL;
}

TEST_F_TIMEOUT(pulled, vmm_that_polls_is_told_once, TEST_LIMIT)
{
	struct listener listener[2] = { { .vmm = &self->vmm } };
	struct amd_viommu_vm_init init;
	struct vmm idle = { .node = node_open() };
	struct pollfd fds[2];
	pthread_t thread[2];
	unsigned int i;

	/* One has a device at work, the other has none. */
	ASSERT_LE(0, idle.node);
	ASSERT_EQ(0, node_init(idle.node, self->vmm.host, self->dev.vfio.name, self->dev.vfio.group,
			       &init));
	idle.handle = init.handle;
	listener[1].vmm = &idle;
	for (i = 0; i < 2; i++) {
		fds[i] = (struct pollfd){ .fd = listener[i].vmm->node, .events = POLLIN };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, hear, &listener[i]));
	}
	sleep_ms(200);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread[i], NULL));
	pull_and_look(_metadata, &self->iommus, &self->vmm, &self->dev);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(1, listener[i].count);
		EXPECT_EQ(AMD_VIOMMU_EVENT_IOMMU_GONE, listener[i].record[0].type);
		EXPECT_EQ(listener[i].vmm->handle, listener[i].record[0].handle);
		EXPECT_EQ(0, listener[i].record[0].lost);
		EXPECT_EQ(1, listener[i].record[0].sequence);
	}
	EXPECT_EQ(0, poll(fds, 2, 300));
	close(idle.node);
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
	works_again(_metadata, self);
}

TEST_HARNESS_MAIN
