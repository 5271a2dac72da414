// SPDX-License-Identifier: GPL-2.0
/*
 * The host's IOMMU is pulled while a guest uses it. Nobody can refuse that: the guest has no IOMMU from
 * then on, nothing of its device passes, and all that it had can be given back in any order.
 */
#include "kselftest_harness.h"
#include <pthread.h>
#include <signal.h>

#include "claim.h"
#include "interrupts.h"
#include "pull.h"

/* All devices of the machine lose their drivers, and are found anew: the sanitizers take their time. */
#define TEST_LIMIT	80
#define SIGNAL_MS	3000
/* What is not to come would have come by then. */
#define SILENCE_MS	300

FIXTURE(pulled) {
	struct pci_list iommus, devices;
	struct vmm vmm;
	struct vmm_device dev;
	int fd;
};

FIXTURE_SETUP(pulled)
{
	const char *missing = need_guests(&self->devices, 1);

	if (missing)
		SKIP(return, "%s", missing);
	pci_find_iommus(&self->iommus);
	self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	/* A drive that can do no DMA any more would take minutes to give up. */
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
}

FIXTURE_TEARDOWN(pulled)
{
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
	close(self->fd);
}

static void all_is_refused(struct __test_metadata *_metadata, FIXTURE_DATA(pulled) *self)
{
	struct vmm *vmm = &self->vmm;
	__u64 dte[4] = { }, value;

	EXPECT_EQ(-ENODEV, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_EQ(-ENODEV, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_EQ(-ENODEV, node_reset(vmm->node, vmm->handle));
	EXPECT_EQ(-ENODEV, node_run(vmm->node, vmm->handle, 0));
	EXPECT_EQ(-ENODEV, node_detach(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_EQ(-ENODEV, node_read(vmm->node, vmm->handle, REG_CONTROL, 8, &value));
	EXPECT_EQ(-ENODEV, vmm_attach(vmm, &self->dev));
	EXPECT_EQ(-ENODEV, set_eventfd(vmm, self->fd));
}

/* The guest uses its device, and its IOMMU interrupts, for a reason that stays. */
static void use(struct __test_metadata *_metadata, FIXTURE_DATA(pulled) *self)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, set_eventfd(vmm, self->fd));
	ASSERT_EQ(0, boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	ASSERT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	ASSERT_EQ(0, wait_interrupting(vmm));
	ASSERT_NE(0, signals(self->fd, SIGNAL_MS));
}

static void pull_and_look(struct __test_metadata *_metadata, FIXTURE_DATA(pulled) *self)
{
	use(_metadata, self);
	ASSERT_NE(0, move_vectors("0"));
	ASSERT_EQ(0, iommus_pull(&self->iommus));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	EXPECT_EQ(SIGBUS, signal_of(self->vmm.page));
	all_is_refused(_metadata, self);
	/* A handler on its way may have told it again. Nobody does any more, and the host has its vectors back. */
	signals(self->fd, 0);
	EXPECT_EQ(0, signals(self->fd, SILENCE_MS));
	EXPECT_EQ(0, move_vectors("0"));
}

/* The next guest finds everything as it should be. Nothing of the last one is left. */
static void works_again(struct __test_metadata *_metadata, FIXTURE_DATA(pulled) *self)
{
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, iommus_return(&self->iommus));
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
	use(_metadata, self);
	EXPECT_EQ(0, guest_sync(&self->vmm));
}

TEST_F_TIMEOUT(pulled, vm_is_given_back_before_its_device, TEST_LIMIT)
{
	pull_and_look(_metadata, self);
	EXPECT_EQ(0, node_destroy(self->vmm.node, self->vmm.handle));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	vmm_close(&self->vmm);
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	vmm_release(&self->dev);
	works_again(_metadata, self);
}

TEST_F_TIMEOUT(pulled, device_is_given_back_before_its_vm, TEST_LIMIT)
{
	pull_and_look(_metadata, self);
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
	pull_and_look(_metadata, self);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(1, listener[i].count);
		EXPECT_EQ(AMD_VIOMMU_EVENT_IOMMU_GONE, listener[i].record[0].type);
		EXPECT_EQ(listener[i].vmm->handle, listener[i].record[0].handle);
		EXPECT_EQ(0, listener[i].record[0].lost);
		EXPECT_EQ(1, listener[i].record[0].sequence);
	}
	EXPECT_EQ(0, poll(fds, 2, SILENCE_MS));
	close(idle.node);
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
	works_again(_metadata, self);
}

TEST_HARNESS_MAIN
