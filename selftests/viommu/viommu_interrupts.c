// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts of guests' IOMMUs: each comes to the eventfd of its own VM, however many VMs there are, and none
 * without a reason that its guest can see.
 */
#include "kselftest_harness.h"
#include "interrupts.h"
#include "irq.h"

/* More than the vectors that they share. */
#define VMS			40
#define ROUNDS			200
/* How often a CPU goes off. */
#define LEAVES			4
/* More than there are. */
#define VECTORS_MAX		16

FIXTURE(interrupts) {
	struct pci_list devices;
	struct vmm vmm[2];
	struct vmm_device dev[2];
	int fd[2];
	int kmsg;
};

FIXTURE_SETUP(interrupts)
{
	const char *missing = need_guests(&self->devices, 2);
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
	for (i = 0; i < 2; i++) {
		self->fd[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_LE(0, self->fd[i]);
		ASSERT_EQ(0, vmm_start(&self->vmm[i], &self->dev[i], self->devices.name[i], GUEST_ID));
		ASSERT_EQ(0, set_eventfd(&self->vmm[i], self->fd[i]));
		ASSERT_EQ(0, boot(&self->vmm[i]));
	}
}

FIXTURE_TEARDOWN(interrupts)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vmm_close(&self->vmm[i]);
		vmm_release(&self->dev[i]);
		close(self->fd[i]);
	}
	close(self->kmsg);
}

TEST_F(interrupts, call_takes_eventfds_only)
{
	struct vmm *vmm = &self->vmm[0];

	EXPECT_EQ(-EBADF, set_eventfd(vmm, -2));
	EXPECT_EQ(-EBADF, set_eventfd(vmm, 999));
	EXPECT_EQ(-EINVAL, set_eventfd(vmm, self->kmsg));
	EXPECT_EQ(-EINVAL, set_eventfd_of(vmm, 2, self->fd[0]));
	EXPECT_EQ(-EOPNOTSUPP, set_eventfd_of(vmm, AMD_VIOMMU_INTERRUPT_PPR, self->fd[0]));
	vmm->handle++;
	EXPECT_EQ(-ENOENT, set_eventfd(vmm, self->fd[0]));
	vmm->handle--;
	/* What was refused has changed nothing. */
	EXPECT_EQ(0, wait_interrupting(vmm));
	EXPECT_NE(0, signals(self->fd[0], 2000));
	EXPECT_EQ(0, set_eventfd(vmm, -1));
	EXPECT_EQ(0, set_eventfd(vmm, -1));
}

TEST_F(interrupts, completion_wait_interrupts_its_own_guest)
{
	unsigned int i, n;

	for (i = 0; i < ROUNDS; i++) {
		n = i % 2;
		ASSERT_EQ(0, wait_interrupting(&self->vmm[n]));
		ASSERT_NE(0, signals(self->fd[n], 2000));
		EXPECT_TRUE(guest_status(&self->vmm[n]) & STATUS_WAIT);
		acknowledge(&self->vmm[n]);
		EXPECT_EQ(0, signals(self->fd[!n], 0));
	}
	/* One that does not ask for it. */
	ASSERT_EQ(0, guest_sync(&self->vmm[0]));
	EXPECT_EQ(0, signals(self->fd[0], 200));
}

TEST_F(interrupts, fault_interrupts_its_own_guest)
{
	struct vmm *vmm = &self->vmm[0];
	struct guest_domain domain;
	struct guest_event event;
	unsigned int i;
	char buf[8];

	ASSERT_EQ(0, vm_nest(vmm, &self->dev[0], &domain, DOMAIN_ID));
	acknowledge(vmm);
	signals(self->fd[0], 0);
	for (i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(-EIO, vmm_read(&self->dev[0], 0x3000, buf, sizeof(buf)));
		ASSERT_NE(0, signals(self->fd[0], 2000));
		/* As a driver does: first the bit, then the log. */
		acknowledge(vmm);
		EXPECT_TRUE(guest_event_wait(vmm, &event));
	}
	EXPECT_EQ(0, signals(self->fd[1], 0));
	EXPECT_EQ(0, signals(self->fd[0], 200));
}

TEST_F(interrupts, only_what_the_guest_enables_interrupts)
{
	struct vmm *vmm = &self->vmm[0];

	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL | CONTROL_EVENT_INT));
	ASSERT_EQ(0, wait_interrupting(vmm));
	EXPECT_EQ(0, signals(self->fd[0], 200));
	acknowledge(vmm);
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL | CONTROL_WAIT_INT));
	ASSERT_EQ(0, wait_interrupting(vmm));
	EXPECT_NE(0, signals(self->fd[0], 2000));
	acknowledge(vmm);
	/* Not without an eventfd either, but what is pending then is told to the next one. */
	ASSERT_EQ(0, set_eventfd(vmm, -1));
	ASSERT_EQ(0, wait_interrupting(vmm));
	EXPECT_EQ(0, signals(self->fd[0], 200));
	ASSERT_EQ(0, set_eventfd(vmm, self->fd[0]));
	EXPECT_NE(0, signals(self->fd[0], 0));
	acknowledge(vmm);
	/* It stays over a reset of the guest. */
	ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
	ASSERT_EQ(0, boot(vmm));
	ASSERT_EQ(0, wait_interrupting(vmm));
	EXPECT_NE(0, signals(self->fd[0], 2000));
}

/* One more VM with the memory of another, which gives its device away. */
static int take_over(struct vmm *vmm, struct vmm *from, struct vmm_device *dev)
{
	*vmm = (struct vmm){
		.container = from->container,
		.mem = from->mem,
		.node = node_open(),
	};
	return vmm_init(vmm, dev) ?: node_detach(from->node, from->handle, dev->id) ?:
	       vmm_attach(vmm, dev);
}

/* Interrupts of others, by each of the vectors that there are. */
static void others_interrupt(struct __test_metadata *_metadata, struct vmm *first,
			     struct vmm_device *dev)
{
	struct vmm other[VECTORS_MAX], *from = first;
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < VECTORS_MAX; from = &other[i++]) {
		ASSERT_EQ(0, take_over(&other[i], from, dev));
		ASSERT_EQ(0, set_eventfd(&other[i], fd));
		ASSERT_EQ(0, boot(&other[i]));
		ASSERT_EQ(0, wait_interrupting(&other[i]));
		EXPECT_NE(0, signals(fd, 2000));
		acknowledge(&other[i]);
	}
	for (i = 0; i < VECTORS_MAX; i++) {
		vmm_unmap_page(&other[i]);
		close(other[i].node);
	}
	ASSERT_EQ(0, vmm_attach(first, dev));
	close(fd);
}

/* A guest that polls its status is not interrupted because others are. */
TEST_F(interrupts, others_do_not_make_up_for_an_enable)
{
	struct vmm *vmm = &self->vmm[0];
	struct guest_domain domain;
	char buf[8];

	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev[0], &domain, DOMAIN_ID));
	EXPECT_EQ(-EIO, vmm_read(&self->dev[0], 0x3000, buf, sizeof(buf)));
	ASSERT_EQ(0, wait_interrupting(vmm));
	EXPECT_EQ(STATUS_EVENT | STATUS_WAIT, guest_status(vmm) & REASONS);
	others_interrupt(_metadata, &self->vmm[1], &self->dev[1]);
	EXPECT_EQ(0, signals(self->fd[0], 200));
	/* What is enabled is told, with the interrupts of others if there is none of its own. */
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL | CONTROL_EVENT_INT));
	others_interrupt(_metadata, &self->vmm[1], &self->dev[1]);
	EXPECT_NE(0, signals(self->fd[0], 200));
}

/* Handles of VMs without devices, which can have nothing to say. */
TEST_F_TIMEOUT(interrupts, many_share_few_vectors, 60)
{
	struct amd_viommu_vm_init init;
	struct vmm silent[VMS] = { };
	int fd[VMS];
	unsigned int i, n;

	for (i = 0; i < VMS; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		silent[i].node = node_open();
		ASSERT_LE(0, silent[i].node);
		ASSERT_EQ(0, node_init(silent[i].node, self->vmm[0].host, self->dev[0].vfio.name,
				       self->dev[0].vfio.group, &init));
		silent[i].handle = init.handle;
		ASSERT_EQ(0, set_eventfd(&silent[i], fd[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		n = i % 2;
		ASSERT_EQ(0, wait_interrupting(&self->vmm[n]));
		ASSERT_NE(0, signals(self->fd[n], 2000));
		acknowledge(&self->vmm[n]);
	}
	for (i = 0; i < VMS; i++) {
		EXPECT_EQ(0, signals(fd[i], 0));
		close(silent[i].node);
		close(fd[i]);
	}
	/* Those that remain go on. */
	ASSERT_EQ(0, wait_interrupting(&self->vmm[0]));
	EXPECT_NE(0, signals(self->fd[0], 2000));
}

static void expect_interrupt(struct __test_metadata *_metadata, FIXTURE_DATA(interrupts) *self, unsigned int n)
{
	ASSERT_EQ(0, wait_interrupting(&self->vmm[n]));
	ASSERT_NE(0, signals(self->fd[n], 2000));
	acknowledge(&self->vmm[n]);
}

TEST_F_TIMEOUT(interrupts, none_is_lost_when_vectors_move, 60)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		EXPECT_NE(0, move_vectors(i % 4 < 2 ? "0" : "1"));
		expect_interrupt(_metadata, self, i % 2);
	}
}

TEST_F_TIMEOUT(interrupts, none_is_lost_when_their_cpu_goes, 60)
{
	unsigned int i;

	if (cpu_count() < 2)
		SKIP(return, "needs two processors");
	for (i = 0; i < LEAVES; i++) {
		EXPECT_NE(0, move_vectors("1"));
		expect_interrupt(_metadata, self, i % 2);
		ASSERT_EQ(0, cpu_online(1, false));
		expect_interrupt(_metadata, self, i % 2);
		expect_interrupt(_metadata, self, !(i % 2));
		ASSERT_EQ(0, cpu_online(1, true));
	}
}

TEST_HARNESS_MAIN
