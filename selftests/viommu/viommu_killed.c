// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that is killed at any point leaves nothing behind: its device works for the next one. A seed
 * can be given in VIOMMU_SEED.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "names.h"

#define ROUNDS		60
/* A file descriptor above those of VFIO. */
#define HIGH		100

/* Commands that nobody waits for, so that something is under way whatever comes next. */
static void burst(struct vmm *vmm)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		if (guest_put(vmm, i % 2 ? guest_entry_command(i) : guest_domain_command(i / 4)))
			break;
	}
	guest_ring(vmm);
}

/* What a process has open when it ends is closed in an order that the numbers decide. */
static void renumber(struct vmm *vmm)
{
	int node = fcntl(vmm->node, F_DUPFD_CLOEXEC, HIGH);

	close(vmm->node);
	vmm->node = node;
}

/* One VMM's life: 0, or where it failed. */
static int live(const char *name, bool node_is_high)
{
	struct guest_domain domain;
	struct vmm_device dev;
	struct vmm vmm;
	__u64 dte[4];
	int i;

	if (vmm_start(&vmm, &dev, name, GUEST_ID))
		return 1;
	if (node_is_high)
		renumber(&vmm);
	if (guest_boot(&vmm) || vm_nest(&vmm, &dev, &domain, DOMAIN_ID))
		return 2;
	for (i = 0; i < 4; i++) {
		vmm_moves(&vmm, &dev, GVA, GUEST_DATA);
		guest_do(&vmm, guest_domain_command(DOMAIN_ID));
	}
	guest_identity_entry(1, DTE_IR | DTE_IW, dte);
	burst(&vmm);
	if (node_set_entry(vmm.node, vmm.handle, GUEST_ID, dte) ||
	    node_run(vmm.node, vmm.handle, 0) || guest_attach(&vmm, &dev, &domain) ||
	    node_run(vmm.node, vmm.handle, AMD_VIOMMU_RUN) ||
	    node_reset(vmm.node, vmm.handle) || guest_boot(&vmm))
		return 3;
	burst(&vmm);
	if (node_detach(vmm.node, vmm.handle, GUEST_ID))
		return 4;
	vmm_close(&vmm);
	vmm_release(&dev);
	return 0;
}

/* Lives over and over, until it is killed. */
static void live_on(const char *name, bool node_is_high)
{
	int failed;

	do {
		failed = live(name, node_is_high);
	} while (!failed);
	_exit(failed);
}

/* How long one life lasts on this machine; 0 if it fails. */
static __u64 life_us(const char *name)
{
	__u64 begin = now_ms();
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(live(name, false));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return 0;
	return (now_ms() - begin + 1) * 1000;
}

/* The line that debugfs has for each guest: is there any but those that stay? */
static unsigned int guests_now(void)
{
	char text[4096], *line;
	unsigned int count = 0;

	if (debugfs_read("guests", text, sizeof(text)) < 0)
		return ~0U;
	for (line = text; *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "")
		count++;
	return count;
}

FIXTURE(killed) {
	struct pci_list devices;
	__u64 seed, life_us;
};

FIXTURE_SETUP(killed)
{
	const char *missing = need_guests(&self->devices, 1);

	if (missing)
		SKIP(return, "%s", missing);
	self->seed = getenv("VIOMMU_SEED") ? strtoull(getenv("VIOMMU_SEED"), NULL, 0) : now_ms();
	ASSERT_TRUE(vmm_device_works(self->devices.name[0]));
	self->life_us = life_us(self->devices.name[0]);
	ASSERT_LT(0, self->life_us);
	TH_LOG("VIOMMU_SEED=%llu, a life of %llu us", self->seed, self->life_us);
}

FIXTURE_TEARDOWN(killed)
{
}

TEST_F_TIMEOUT(killed, device_works_for_the_next_one, 150)
{
	const char *name = self->devices.name[0];
	unsigned int i, guests;
	int status;
	pid_t pid;

	guests = guests_now();
	ASSERT_NE(~0U, guests);
	for (i = 0; i < ROUNDS; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			live_on(name, i % 2);
		/* Inside of its life, or in the next one. */
		usleep(random_next(&self->seed) % (self->life_us + self->life_us / 4));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		/* It had not gone by itself. */
		ASSERT_TRUE(WIFSIGNALED(status)) {
			TH_LOG("round %u status %x", i, status);
		}
		EXPECT_EQ(guests, guests_now());
		ASSERT_TRUE(vmm_device_works(name)) {
			TH_LOG("round %u", i);
		}
	}
}

TEST_HARNESS_MAIN
