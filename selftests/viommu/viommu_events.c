// SPDX-License-Identifier: GPL-2.0
/*
 * What the VMM is told: faults of its guest's devices, queues that stopped, a vIOMMU that failed, devices
 * that left. Each VM hears of its own guest, and a guest that causes more than anybody reads harms nobody
 * else.
 */
#include "kselftest_harness.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "fixture.h"
#include "irq.h"

#define EVENT_BYTES	sizeof(struct amd_viommu_event)
#define IO_PAGE_FAULT	2
#define VIOMMU_ERROR	12
#define STORM		3000
/* How long one lasts that is read meanwhile. */
#define STORM_MS	4000
/* More events than there are places in the hardware's log. */
#define LOG_PLACES	512
/* So many in a second are reported one by one. */
#define STORM_LIMIT	256
/* More reports than a file keeps. */
#define MOST_PLACES	70
/* Reports about one guest's events in the kernel's log, in FAULT_LIMIT_MS. */
#define MOST_LINES	12
/* An address of the guest's tables that leads out of its memory. */
#define STRAY		(GVA + PAGE_4K)
/* What is written here is an interrupt; a message that no device has been told. */
#define INTERRUPTS	0xfee00000ULL
#define UNTOLD		0xf2

static bool readable(int node, int timeout_ms)
{
	struct pollfd fd = { .fd = node, .events = POLLIN };

	return poll(&fd, 1, timeout_ms) == 1 && fd.revents == POLLIN;
}

/* The next event, after some time at most; false if there is none. */
static bool next(int node, struct amd_viommu_event *event)
{
	memset(event, 0xee, sizeof(*event));
	return readable(node, 2000) && read(node, event, EVENT_BYTES) == EVENT_BYTES &&
	       event->version == AMD_VIOMMU_EVENT_VERSION && event->size == EVENT_BYTES &&
	       !event->reserved;
}

/* The device is in a domain, one of whose addresses is beyond stage 2. */
static int boot(struct vmm *vmm, struct vmm_device *dev)
{
	struct guest_domain domain;
	int ret = guest_boot(vmm) ?: vm_nest(vmm, dev, &domain, DOMAIN_ID);

	guest_map(vmm, domain.root, STRAY, GUEST_BASE + GUEST_SIZE, GUEST_RW);
	return ret;
}

static int stray(struct vmm_device *dev, unsigned int offset)
{
	char buf[8] = { };

	return vmm_write(dev, STRAY + offset, buf, sizeof(buf));
}

static void expect_fault(struct __test_metadata *_metadata, struct vmm *vmm, unsigned int offset)
{
	struct amd_viommu_event event;

	ASSERT_TRUE(next(vmm->node, &event));
	EXPECT_EQ(AMD_VIOMMU_EVENT_DEVICE, event.type);
	EXPECT_EQ(vmm->handle, event.handle);
	EXPECT_EQ(GUEST_ID, event.guest_id);
	EXPECT_EQ(IO_PAGE_FAULT, event.code);
	EXPECT_EQ(AMD_VIOMMU_EVENT_HAS_ADDRESS, event.flags & AMD_VIOMMU_EVENT_HAS_ADDRESS);
	/* The address in the guest's tables, or the one that they lead to. */
	EXPECT_EQ(offset, event.address % PAGE_4K);
	EXPECT_TRUE(event.access & FAULT_RW);
	EXPECT_EQ(0, event.lost);
}

TEST_F(vm, nothing_to_read)
{
	struct amd_viommu_event event;
	int node = self->vmm.node;

	EXPECT_FALSE(readable(node, 100));
	ASSERT_EQ(0, fcntl(node, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(node, &event, EVENT_BYTES));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, read(node, &event, EVENT_BYTES - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(node, NULL, 0));
	EXPECT_EQ(EINVAL, errno);

	node = node_open();
	ASSERT_LE(0, node);
	EXPECT_FALSE(readable(node, 0));
	close(node);
}

TEST_F(vm, fault_is_told_with_the_guests_names)
{
	struct vmm *vmm = &self->vmm;
	struct amd_viommu_event event;
	struct guest_event guest;
	unsigned int i;

	ASSERT_EQ(0, boot(vmm, &self->dev));
	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(-EIO, stray(&self->dev, i * 16));
		expect_fault(_metadata, vmm, i * 16);
	}
	EXPECT_FALSE(readable(vmm->node, 0));
	/* What is the guest's own affair is in its log alone. */
	EXPECT_EQ(-EIO, vmm_read(&self->dev, 0x5000, &event, 8));
	EXPECT_TRUE(guest_event_wait(vmm, &guest));
	EXPECT_FALSE(readable(vmm->node, 300));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_F(vm, records_are_whole_and_none_is_lost_by_reading)
{
	struct vmm *vmm = &self->vmm;
	struct amd_viommu_event events[8];
	unsigned int i;
	void *barred;

	barred = mmap(NULL, PAGE_4K, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, barred);
	ASSERT_EQ(0, boot(vmm, &self->dev));
	for (i = 0; i < 6; i++)
		EXPECT_EQ(-EIO, stray(&self->dev, i * 16));
	sleep_ms(300);
	EXPECT_EQ(-1, read(vmm->node, barred, sizeof(events)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(EVENT_BYTES, read(vmm->node, events, 2 * EVENT_BYTES - 1));
	EXPECT_EQ(2 * EVENT_BYTES, read(vmm->node, events + 1, 2 * EVENT_BYTES));
	EXPECT_EQ(3 * EVENT_BYTES, read(vmm->node, events + 3, 5 * EVENT_BYTES));
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(i * 16, events[i].address % PAGE_4K);
		EXPECT_EQ(i + 1, events[i].sequence);
	}
	EXPECT_FALSE(readable(vmm->node, 0));
}

static void *read_one(void *argument)
{
	struct vmm *vmm = argument;
	struct amd_viommu_event event;

	return (void *)(read(vmm->node, &event, EVENT_BYTES) == EVENT_BYTES ? event.sequence : 0L);
}

TEST_F(vm, reader_sleeps_until_there_is_something)
{
	struct vmm *vmm = &self->vmm;
	pthread_t reader;
	void *sequence;

	ASSERT_EQ(0, boot(vmm, &self->dev));
	ASSERT_EQ(0, pthread_create(&reader, NULL, read_one, vmm));
	sleep_ms(200);
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(reader, &sequence));
	EXPECT_EQ(-EIO, stray(&self->dev, 0));
	ASSERT_EQ(0, pthread_join(reader, &sequence));
	EXPECT_EQ(1, (long)sequence);
}

/* Puts a command that no guest may give, and waits until the queue has stopped. */
static bool stop_queue(struct vmm *vmm)
{
	struct guest_command illegal = { };

	if (guest_put(vmm, illegal))
		return false;
	guest_ring(vmm);
	return guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0);
}

/* The guest puts something harmless in its place, and enables the queue again. */
static int restart_queue(struct vmm *vmm, __u32 head)
{
	struct guest_command harmless = { { 0, 1U << 28 } };

	memcpy(vmm_at(vmm, GUEST_COMMANDS + head), &harmless, sizeof(harmless));
	return guest_write(vmm, REG_CONTROL, CONTROL_ALL & ~CONTROL_COMMANDS) ?:
	       guest_write(vmm, REG_CONTROL, CONTROL_ALL);
}

TEST_F(vm, stopped_queue_is_told_once_and_goes_on)
{
	struct vmm *vmm = &self->vmm;
	struct amd_viommu_event event;
	unsigned int i;
	__u32 head;

	ASSERT_EQ(0, guest_boot(vmm));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, guest_sync(vmm));
		head = vmm->tail;
		ASSERT_TRUE(stop_queue(vmm));
		ASSERT_TRUE(next(vmm->node, &event));
		EXPECT_EQ(AMD_VIOMMU_EVENT_QUEUE, event.type);
		EXPECT_EQ(vmm->handle, event.handle);
		EXPECT_EQ(0, event.flags & AMD_VIOMMU_EVENT_HAS_ADDRESS);
		EXPECT_FALSE(readable(vmm->node, 200));
		ASSERT_EQ(0, restart_queue(vmm, head));
		EXPECT_EQ(0, guest_sync(vmm));
	}
	/* The VMM can start it anew as well. */
	ASSERT_TRUE(stop_queue(vmm));
	ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_EQ(0, guest_sync(vmm));
}

TEST_F(vm, failed_viommu_rests_until_it_is_reset)
{
	struct vmm *vmm = &self->vmm;
	struct amd_viommu_event event;
	unsigned int i;
	__u32 head;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, boot(vmm, &self->dev));
		ASSERT_EQ(0, guest_sync(vmm));
		head = vmm->tail;
		ASSERT_EQ(0, guest_put(vmm, guest_wait_command(GUEST_BASE + GUEST_SIZE, 1)));
		guest_ring(vmm);
		ASSERT_TRUE(next(vmm->node, &event));
		EXPECT_EQ(AMD_VIOMMU_EVENT_HARDWARE, event.type);
		EXPECT_EQ(VIOMMU_ERROR, event.code);
		EXPECT_EQ(vmm->handle, event.handle);
		ASSERT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN | STATUS_EVENTS_RUN, 0));
		/* Neither the guest nor VM_RUN gets it going. */
		ASSERT_EQ(0, restart_queue(vmm, head));
		ASSERT_EQ(0, node_run(vmm->node, vmm->handle, 0));
		ASSERT_EQ(0, node_run(vmm->node, vmm->handle, AMD_VIOMMU_RUN));
		sleep_ms(50);
		EXPECT_EQ(0, guest_status(vmm) & (STATUS_COMMANDS_RUN | STATUS_EVENTS_RUN));
		EXPECT_FALSE(readable(vmm->node, 0));
		/* The device is where the guest put it. */
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
		ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
		vmm->tail = 0;
	}
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_FALSE(readable(vmm->node, 200));
}

TEST_F(vm, device_that_leaves_is_told)
{
	struct vmm *vmm = &self->vmm;
	struct amd_viommu_event event;

	ASSERT_EQ(0, node_detach(vmm->node, vmm->handle, GUEST_ID));
	ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
	EXPECT_FALSE(readable(vmm->node, 0));
	vmm_release(&self->dev);
	ASSERT_TRUE(next(vmm->node, &event));
	EXPECT_EQ(AMD_VIOMMU_EVENT_DEVICE_LEFT, event.type);
	EXPECT_EQ(GUEST_ID, event.guest_id);
	EXPECT_EQ(0, event.code);
	EXPECT_FALSE(readable(vmm->node, 0));
	/* For the end of the fixture. */
	ASSERT_EQ(0, vmm_take(vmm, &self->dev, self->devices.name[0], GUEST_ID));
}

/* Lines about this device in the kernel's log. */
static unsigned int lines_about(int kmsg, const char *device)
{
	struct fault fault;
	unsigned int count = 0;

	while (fault_wait(kmsg, &fault, 300))
		count += !strcmp(fault.device, device);
	return count;
}

FIXTURE(neighbours) {
	struct pci_list devices;
	struct vmm vmm[2];
	struct vmm_device dev[2];
	int kmsg;
};

FIXTURE_SETUP(neighbours)
{
	const char *missing = need_guests(&self->devices, 2);
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vmm_start(&self->vmm[i], &self->dev[i], self->devices.name[i], GUEST_ID));
		ASSERT_EQ(0, boot(&self->vmm[i], &self->dev[i]));
	}
}

FIXTURE_TEARDOWN(neighbours)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vmm_close(&self->vmm[i]);
		vmm_release(&self->dev[i]);
	}
	close(self->kmsg);
}

/* What there is to read of a VM whose device has made many faults. */
struct storm {
	__u64 sequence, faults, left, hushed;
	bool overflow, is_whole;
};

/* Every event is accounted for. */
static void note(struct storm *storm, const struct amd_viommu_event *event)
{
	__u16 id = event->type == AMD_VIOMMU_EVENT_LOST ? 0 : GUEST_ID;

	storm->is_whole &= event->sequence == storm->sequence + event->lost + 1;
	storm->is_whole &= event->guest_id == id;
	storm->sequence = event->sequence;
	storm->faults += event->lost + (event->type == AMD_VIOMMU_EVENT_DEVICE);
	storm->left += event->type == AMD_VIOMMU_EVENT_DEVICE_LEFT;
	storm->hushed += event->type == AMD_VIOMMU_EVENT_HUSHED;
	storm->overflow |= event->flags & AMD_VIOMMU_EVENT_OVERFLOW;
}

/* Reads everything. */
static void read_storm(struct __test_metadata *_metadata, struct vmm *vmm, struct storm *storm)
{
	struct amd_viommu_event event;

	while (readable(vmm->node, 300)) {
		ASSERT_TRUE(next(vmm->node, &event));
		note(storm, &event);
	}
	EXPECT_TRUE(storm->is_whole);
}

/* On one processor the thread that reads the hardware's log, which has priority, comes before this program. */
static int meet_reader(void)
{
	struct irq_list irqs;
	unsigned int i, moved = 0;

	irq_find(&irqs, "PCI-MSI");
	for (i = 0; i < irqs.count; i++) {
		if (!strcmp(irqs.irq[i].name, "amd_viommu"))
			moved += !irq_move(irqs.irq[i].number, 0);
	}
	return moved ? run_on(0) : -ENODEV;
}

TEST_F_TIMEOUT(neighbours, storm_is_counted_and_harms_nobody_else, 90)
{
	struct vmm *loud = &self->vmm[0], *quiet = &self->vmm[1];
	struct storm storm = { .is_whole = true };
	unsigned int i;

	/* The log must not fill up while the reader waits for its turn. */
	ASSERT_EQ(0, meet_reader());
	kmsg_skip(self->kmsg);
	for (i = 0; i < STORM; i++) {
		ASSERT_EQ(-EIO, stray(&self->dev[0], 0));
		if (i % (STORM / 8) != STORM / 16)
			continue;
		/* Its faults are told in the midst of those of the other. */
		EXPECT_EQ(-EIO, stray(&self->dev[1], i / 16 * 16 % 4096));
		expect_fault(_metadata, quiet, i / 16 * 16 % 4096);
		EXPECT_EQ(0, guest_sync(quiet));
		EXPECT_TRUE(vmm_moves(quiet, &self->dev[1], GVA, GUEST_DATA));
	}
	/* What there is to say about one guest takes neither the log nor the place of others. */
	EXPECT_GE(MOST_LINES, lines_about(self->kmsg, self->devices.name[0]));
	EXPECT_FALSE(readable(quiet->node, 0));

	read_storm(_metadata, loud, &storm);
	EXPECT_EQ(1, storm.hushed);
	EXPECT_FALSE(storm.overflow);
	/* The limit, and what was in the log when it was reached. */
	EXPECT_LT(STORM_LIMIT, storm.faults);
	EXPECT_GT(STORM, storm.faults);
	/* Who has read that hears of the device again, when a second is over. */
	sleep_ms(1100);
	EXPECT_EQ(-EIO, stray(&self->dev[0], 0x40));
	expect_fault(_metadata, loud, 0x40);
	EXPECT_TRUE(vmm_moves(loud, &self->dev[0], GVA, GUEST_DATA));
}

/* A VMM that reads at once whatever there is. */
struct reader {
	struct vmm *vmm;
	struct storm storm;
	bool stop;
};

static void *read_at_once(void *argument)
{
	struct reader *reader = argument;
	struct amd_viommu_event event;

	while (!__atomic_load_n(&reader->stop, __ATOMIC_RELAXED)) {
		if (readable(reader->vmm->node, 20) && next(reader->vmm->node, &event))
			note(&reader->storm, &event);
	}
	return NULL;
}

/* However long the driver is at work on events, their interrupt counts as handled, and nobody can have it switched off. */
static void expect_handled(struct __test_metadata *_metadata)
{
	struct irq_list irqs;
	unsigned int i, seen = 0;

	irq_find(&irqs, "PCI-MSI");
	for (i = 0; i < irqs.count; i++) {
		if (strcmp(irqs.irq[i].name, "amd_viommu"))
			continue;
		EXPECT_EQ(0, irq_unhandled(irqs.irq[i].number));
		seen++;
	}
	EXPECT_LT(0, seen);
}

TEST_F_TIMEOUT(neighbours, storm_is_limited_though_it_is_read_at_once, 60)
{
	struct reader reader = { .vmm = &self->vmm[0], .storm.is_whole = true };
	long long overflows = stats_read("event_overflows");
	__u64 strays = 0, end = now_ms() + STORM_MS;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_at_once, &reader));
	for (; now_ms() < end; strays++)
		EXPECT_EQ(-EIO, stray(&self->dev[0], 0));
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));

	/* It is quiet for a second each time, and then heard again. */
	read_storm(_metadata, reader.vmm, &reader.storm);
	EXPECT_LE(2, reader.storm.hushed);
	EXPECT_GE(STORM_MS / 1000 + 1, reader.storm.hushed);
	EXPECT_GT(strays, reader.storm.faults);
	/* Each time it may have filled the log before anybody could look. */
	EXPECT_GE(overflows + 2 * (STORM_MS / 1000 + 1), stats_read("event_overflows"));
	expect_handled(_metadata);
	sleep_ms(1100);
	EXPECT_EQ(-EIO, stray(&self->dev[0], 0x40));
	expect_fault(_metadata, reader.vmm, 0x40);
}

/* A write that is an interrupt, which the device has not been told to raise. */
static int forge(struct vmm_device *dev)
{
	__u32 message[2] = { UNTOLD, UNTOLD };

	return vmm_write(dev, INTERRUPTS, message, sizeof(message));
}

static void expect_forged(struct __test_metadata *_metadata, struct vmm *vmm, __u16 id)
{
	struct amd_viommu_event event;

	ASSERT_TRUE(next(vmm->node, &event));
	EXPECT_EQ(AMD_VIOMMU_EVENT_DEVICE, event.type);
	EXPECT_EQ(id, event.guest_id);
	EXPECT_EQ(IO_PAGE_FAULT, event.code);
	EXPECT_TRUE(event.access & FAULT_I);
}

/* The hardware logs nothing of it, which is not read, until the device has another owner. */
static void make_quiet(struct __test_metadata *_metadata, struct vmm_device *dev)
{
	long long events;
	unsigned int i;

	for (i = 0; i < 2 * STORM_LIMIT; i++)
		ASSERT_EQ(-EIO, stray(dev, 0));
	sleep_ms(300);
	events = stats_read("events");
	ASSERT_LT(0, events);
	EXPECT_EQ(-EIO, stray(dev, 0));
	EXPECT_EQ(-EIO, forge(dev));
	sleep_ms(100);
	EXPECT_EQ(events, stats_read("events"));
}

TEST_F_TIMEOUT(neighbours, quiet_device_is_heard_again_by_its_next_owner, 60)
{
	struct vmm *first = &self->vmm[0], *second = &self->vmm[1];
	struct vmm_device *dev = &self->dev[0];
	struct fault fault = { };

	EXPECT_EQ(-EIO, forge(dev));
	expect_forged(_metadata, first, GUEST_ID);
	make_quiet(_metadata, dev);

	/* The host hears what the device does then, and so does another guest. */
	ASSERT_EQ(0, node_detach(first->node, first->handle, GUEST_ID));
	sleep_ms(FAULT_LIMIT_MS);
	kmsg_skip(self->kmsg);
	EXPECT_EQ(-EIO, forge(dev));
	ASSERT_TRUE(fault_wait(self->kmsg, &fault, 2000));
	EXPECT_STREQ(self->devices.name[0], fault.device);
	EXPECT_TRUE(fault.flags & FAULT_I);
	vmm_release(dev);
	ASSERT_EQ(0, vmm_take(second, dev, self->devices.name[0], GUEST_ID + 8));
	ASSERT_EQ(0, vmm_attach(second, dev));
	EXPECT_EQ(-EIO, forge(dev));
	expect_forged(_metadata, second, GUEST_ID + 8);
}

/* The thread that reads the hardware's log does not run while this program does. */
static int shut_out_reader(void)
{
	struct sched_param above = { .sched_priority = 90 };

	return meet_reader() ?: sched_setscheduler(0, SCHED_FIFO, &above) ? -errno : 0;
}

static int let_reader_in(void)
{
	struct sched_param none = { };

	return sched_setscheduler(0, SCHED_OTHER, &none) ?: run_anywhere();
}

/* What fills the hardware's log hides nothing: the VMM of a guest whose IOMMU fails meanwhile is told. */
TEST_F_TIMEOUT(neighbours, failure_is_found_though_the_log_is_full, 60)
{
	struct vmm *loud = &self->vmm[0], *quiet = &self->vmm[1];
	long long overflows = stats_read("event_overflows");
	struct amd_viommu_event event;
	struct storm storm = { .is_whole = true };
	__u64 end;
	unsigned int i;

	ASSERT_EQ(0, shut_out_reader());
	/* With this one its thread moves to where it cannot run. */
	EXPECT_EQ(-EIO, stray(&self->dev[0], 0));
	sleep_ms(50);
	for (i = 0; i < LOG_PLACES + 10; i++)
		EXPECT_EQ(-EIO, stray(&self->dev[0], 0));
	EXPECT_EQ(0, guest_put(quiet, guest_wait_command(GUEST_BASE + GUEST_SIZE, 1)));
	guest_ring(quiet);
	end = now_ms() + 500;
	while ((guest_status(quiet) & STATUS_COMMANDS_RUN) && now_ms() < end)
		;
	EXPECT_EQ(0, guest_status(quiet) & STATUS_COMMANDS_RUN);
	ASSERT_EQ(0, let_reader_in());

	ASSERT_TRUE(next(quiet->node, &event));
	EXPECT_EQ(overflows + 1, stats_read("event_overflows"));
	EXPECT_EQ(AMD_VIOMMU_EVENT_QUEUE, event.type);
	EXPECT_EQ(0, event.code);
	EXPECT_EQ(AMD_VIOMMU_EVENT_OVERFLOW, event.flags);
	EXPECT_FALSE(readable(quiet->node, 100));
	read_storm(_metadata, loud, &storm);
	EXPECT_EQ(1, storm.hushed);
	EXPECT_TRUE(storm.overflow);
	/* Both go on. */
	for (i = 0; i < 2; i++) {
		struct vmm *vmm = &self->vmm[i];

		vmm->tail = 0;
		ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
		ASSERT_EQ(0, boot(vmm, &self->dev[i]));
		EXPECT_EQ(0, guest_sync(vmm));
	}
}

/* The device leaves the VM and comes back. */
static int leave_and_return(struct vmm *vmm, struct vmm_device *dev, const char *name)
{
	vmm_release(dev);
	/* Without a device the container has forgotten the memory. */
	return vmm_take(vmm, dev, name, GUEST_ID) ?: vmm_map(vmm) ?: vmm_attach(vmm, dev);
}

/* What finds no room is said when there is some, and the device is quiet until then. */
TEST_F_TIMEOUT(neighbours, quiet_lasts_until_it_has_been_read, 90)
{
	struct vmm *vmm = &self->vmm[0];
	struct vmm_device *dev = &self->dev[0];
	struct storm storm = { .is_whole = true };
	unsigned int i;

	for (i = 0; i < MOST_PLACES; i++)
		ASSERT_EQ(0, leave_and_return(vmm, dev, self->devices.name[0]));
	/* Whoever changes the entry again and again is no more heard of than others. */
	for (i = 0; i < 3; i++) {
		vmm->tail = 0;
		ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
		ASSERT_EQ(0, boot(vmm, dev));
		make_quiet(_metadata, dev);
	}
	read_storm(_metadata, vmm, &storm);
	/* There was no place left. */
	EXPECT_GT(MOST_PLACES, storm.left);
	EXPECT_EQ(1, storm.hushed);
	sleep_ms(1100);
	EXPECT_EQ(-EIO, stray(dev, 0x40));
	expect_fault(_metadata, vmm, 0x40);
}

TEST_F(neighbours, only_the_guest_that_fails_stops)
{
	struct vmm *bad = &self->vmm[0], *good = &self->vmm[1];
	struct amd_viommu_event event;
	unsigned int i;
	__u32 head;

	for (i = 0; i < 3; i++) {
		head = bad->tail;
		ASSERT_TRUE(stop_queue(bad));
		ASSERT_TRUE(next(bad->node, &event));
		EXPECT_EQ(AMD_VIOMMU_EVENT_QUEUE, event.type);
		EXPECT_EQ(0, guest_sync(good));
		ASSERT_EQ(0, restart_queue(bad, head));
		ASSERT_EQ(0, guest_sync(bad));
	}
	ASSERT_EQ(0, guest_put(bad, guest_wait_command(GUEST_BASE + GUEST_SIZE, 1)));
	guest_ring(bad);
	ASSERT_TRUE(next(bad->node, &event));
	EXPECT_EQ(AMD_VIOMMU_EVENT_HARDWARE, event.type);
	EXPECT_EQ(0, guest_sync(good));
	EXPECT_TRUE(vmm_moves(good, &self->dev[1], GVA, GUEST_DATA));
	EXPECT_FALSE(readable(good->node, 300));
	ASSERT_EQ(0, node_reset(bad->node, bad->handle));
	bad->tail = 0;
	ASSERT_EQ(0, guest_boot(bad));
	EXPECT_EQ(0, guest_sync(bad));
}

TEST_F(neighbours, device_that_moves_takes_no_event_along)
{
	struct vmm *first = &self->vmm[0], *second = &self->vmm[1];
	struct vmm_device *dev = &self->dev[0];
	unsigned int i, n;

	for (i = 0; i < 10; i++) {
		for (n = 0; n < 20; n++)
			EXPECT_EQ(-EIO, stray(dev, 0));
		vmm_release(dev);
		ASSERT_EQ(0, vmm_take(second, dev, self->devices.name[0], GUEST_ID + 8));
		ASSERT_EQ(0, vmm_attach(second, dev));
		EXPECT_FALSE(readable(second->node, 20));
		ASSERT_EQ(0, node_detach(second->node, second->handle, GUEST_ID + 8));
		ASSERT_EQ(0, leave_and_return(first, dev, self->devices.name[0]));
		first->tail = 0;
		ASSERT_EQ(0, node_reset(first->node, first->handle));
		ASSERT_EQ(0, boot(first, dev));
	}
	EXPECT_TRUE(readable(first->node, 0));
}

TEST_HARNESS_MAIN
