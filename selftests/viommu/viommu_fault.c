// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of a guest's devices: what the guest's own tables say goes to the guest's log, everything else
 * to the host's.
 */
#include "kselftest_harness.h"
#include "fixture.h"

#define IO_PAGE_FAULT	2

/* The event that the guest gets for this access of its device. */
static void expect_event(struct __test_metadata *_metadata, struct vmm *vmm, __u64 address,
			 bool write, bool present)
{
	struct guest_event event = { };

	ASSERT_TRUE(guest_event_wait(vmm, &event));
	EXPECT_EQ(IO_PAGE_FAULT, event.code);
	/* The guest's names of things, not the host's. */
	EXPECT_EQ(GUEST_ID, event.device);
	EXPECT_EQ(address, event.address);
	EXPECT_EQ(write, !!(event.flags & FAULT_RW));
	EXPECT_EQ(present, !!(event.flags & FAULT_PR));
}

static int stray(struct vmm_device *dev, __u64 iova, bool write)
{
	char buf[8] = { };

	return write ? vmm_write(dev, iova, buf, sizeof(buf)) :
		       vmm_read(dev, iova, buf, sizeof(buf));
}

TEST_F(vm, fault_of_guest_tables_is_the_guests)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	struct guest_event event;
	struct fault fault;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	guest_map(vmm, domain.root, GVA + PAGE_4K, GUEST_DATA, GUEST_RO);
	kmsg_skip(self->kmsg);
	EXPECT_EQ(-EIO, stray(&self->dev, GVA + 0x12340, true));
	expect_event(_metadata, vmm, GVA + 0x12340, true, false);
	EXPECT_EQ(-EIO, stray(&self->dev, 0x1000, false));
	expect_event(_metadata, vmm, 0x1000, false, false);
	EXPECT_EQ(-EIO, stray(&self->dev, GVA + PAGE_4K + 8, true));
	expect_event(_metadata, vmm, GVA + PAGE_4K + 8, true, true);
	EXPECT_FALSE(guest_event(vmm, &event));
	EXPECT_TRUE(guest_status(vmm) & STATUS_EVENT);
	/* The host was not bothered. */
	EXPECT_FALSE(fault_wait(self->kmsg, &fault, 300));
	/* The device goes on, and so does the log. */
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_F(vm, fault_of_stage_2_is_the_hosts)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	struct guest_event event;

	/* The log of the kernel takes so many lines only. */
	sleep_ms(FAULT_LIMIT_MS);
	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	guest_map(vmm, domain.root, GVA + PAGE_4K, GUEST_BASE + GUEST_SIZE, GUEST_RW);
	kmsg_skip(self->kmsg);
	EXPECT_EQ(-EIO, stray(&self->dev, GVA + PAGE_4K + 0x100, true));
	EXPECT_STREQ("", fault_check(self->kmsg, self->dev.vfio.name, GVA + PAGE_4K + 0x100, 1, true,
				     false));
	EXPECT_FALSE(guest_event(vmm, &event));
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_F(vm, faults_go_to_the_host_while_the_guest_has_no_log)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	struct guest_event event;

	sleep_ms(FAULT_LIMIT_MS);
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	kmsg_skip(self->kmsg);
	EXPECT_EQ(-EIO, stray(&self->dev, 0x3000, false));
	EXPECT_STREQ("", fault_check(self->kmsg, self->dev.vfio.name, 0x3000, 1, false, false));
	/* Not even later. */
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_FALSE(guest_event(vmm, &event));
}

TEST_F(vm, log_that_overflows_is_restarted_by_the_guest)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	struct guest_event event;
	unsigned int i, events = 0;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	for (i = 0; i < EVENTS_SIZE / 16 + 10; i++)
		EXPECT_EQ(-EIO, stray(&self->dev, i * PAGE_4K, true));
	ASSERT_TRUE(guest_status_becomes(vmm, STATUS_OVERFLOW | STATUS_EVENTS_RUN, STATUS_OVERFLOW));
	while (guest_event(vmm, &event)) {
		EXPECT_EQ(events * PAGE_4K, event.address);
		events++;
	}
	EXPECT_EQ(EVENTS_SIZE / 16 - 1, events);
	/* Commands have gone on. */
	EXPECT_EQ(0, guest_sync(vmm));

	/* As Linux does it. */
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL & ~CONTROL_EVENTS));
	vmm_set(vmm, PAGE_STATUS, STATUS_OVERFLOW | STATUS_EVENT);
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL));
	EXPECT_TRUE(guest_status_becomes(vmm, STATUS_OVERFLOW | STATUS_EVENTS_RUN, STATUS_EVENTS_RUN));
	EXPECT_EQ(-EIO, stray(&self->dev, 0x7000, true));
	expect_event(_metadata, vmm, 0x7000, true, false);
}

/* The host's log may have so many lines of its IOMMU in so much time. */
#define LOG_LINES	50
#define LOG_MS		5000
#define MANY_ERRORS	400
#define EVENTS_MS	15000

/* How many events have come since; the driver reads its log when it gets to it. */
static long long events_since(long long before, long long expected)
{
	__u64 end = now_ms() + EVENTS_MS;
	long long count;

	do {
		count = stats_read("events") - before;
	} while (count < expected && now_ms() < end && !usleep(10000));
	return count;
}

TEST_F(vm, guest_cannot_fill_the_hosts_log_nor_trouble_its_engine)
{
	long long errors = stats_read("command_errors"), events = stats_read("events");
	struct vmm *vmm = &self->vmm;
	__u64 start = now_ms();
	unsigned int i, most;

	kmsg_skip(self->kmsg);
	ASSERT_EQ(0, guest_boot(vmm));
	/* There is no such opcode, and the guest tries it again and again. */
	ASSERT_EQ(0, guest_put(vmm, (struct guest_command){ }));
	guest_ring(vmm);
	for (i = 0; i < MANY_ERRORS; i++) {
		ASSERT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0));
		ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL & ~CONTROL_COMMANDS));
		ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL));
	}
	EXPECT_LE(MANY_ERRORS, events_since(events, MANY_ERRORS));
	EXPECT_EQ(errors, stats_read("command_errors"));
	most = LOG_LINES * ((now_ms() - start) / LOG_MS + 2);
	ASSERT_GT(MANY_ERRORS / 2, most);
	EXPECT_GE(most, kmsg_count(self->kmsg, "_ERROR"));
}

TEST_HARNESS_MAIN
