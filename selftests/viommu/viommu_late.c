// SPDX-License-Identifier: GPL-2.0
/*
 * An event whose content gets into the hardware's log later than the tail says is not told to the next owner of
 * the device. The boot chooses the event: viommu.event-late=NUMBER:MILLISECONDS.
 */
#include "kselftest_harness.h"
#include <poll.h>

#include "fixture.h"

#define PARAMETER	"viommu.event-late="
/* An address of the guest's tables that leads out of its memory. */
#define STRAY		(GVA + PAGE_4K)

static bool late_event(unsigned int *number, unsigned int *ms)
{
	char cmdline[4096], *word;

	if (file_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return false;
	word = strstr(cmdline, PARAMETER);
	return word && sscanf(word, PARAMETER "%u:%u", number, ms) == 2;
}

static int stray(struct vmm_device *dev)
{
	char buf[8] = { };

	return vmm_write(dev, STRAY, buf, sizeof(buf));
}

static bool readable(struct vmm *vmm, int timeout_ms)
{
	struct pollfd fd = { .fd = vmm->node, .events = POLLIN };

	return poll(&fd, 1, timeout_ms) == 1;
}

/* Until the next event of the device is the late one. */
static void events_before(struct __test_metadata *_metadata, struct vmm *vmm,
			  struct vmm_device *dev, unsigned int number)
{
	struct amd_viommu_event event;

	ASSERT_LT(stats_read("events"), number);
	while (stats_read("events") < number - 1) {
		EXPECT_EQ(-EIO, stray(dev));
		ASSERT_TRUE(readable(vmm, 2000));
		ASSERT_EQ(sizeof(event), read(vmm->node, &event, sizeof(event)));
		EXPECT_EQ(AMD_VIOMMU_EVENT_DEVICE, event.type);
	}
}

TEST_F(vm, late_event_is_not_told_to_the_next_owner)
{
	struct vmm *vmm = &self->vmm, next = { .container = vmm->container, .mem = vmm->mem };
	struct guest_domain domain;
	unsigned int number, ms;
	__u64 begun;

	if (!late_event(&number, &ms))
		SKIP(return, "needs %sNUMBER:MILLISECONDS", PARAMETER);
	next.node = node_open();
	ASSERT_LE(0, next.node);
	ASSERT_EQ(0, vmm_init(&next, &self->dev));
	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	guest_map(vmm, domain.root, STRAY, GUEST_BASE + GUEST_SIZE, GUEST_RW);
	events_before(_metadata, vmm, &self->dev, number);

	begun = now_ms();
	EXPECT_EQ(-EIO, stray(&self->dev));
	ASSERT_EQ(0, node_detach(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_GT(ms, now_ms() - begun);
	ASSERT_EQ(0, vmm_attach(&next, &self->dev));
	EXPECT_LE(ms, now_ms() - begun);
	EXPECT_EQ(number, stats_read("events"));
	EXPECT_FALSE(readable(&next, 2 * ms));

	vmm_unmap_page(&next);
	close(next.node);
	ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
}

TEST_HARNESS_MAIN
