// SPDX-License-Identifier: GPL-2.0
/*
 * A thousand VMs whose guests' IOMMUs interrupt by few vectors of the host: each eventfd is signalled as often
 * as its own guest has asked for it, and none for another guest. A seed can be given in VIOMMU_SEED. A boot may
 * choose another number of VMs: viommu.vms=NUMBER.
 *
 * A queue runs where there is a device, and of those there are few: each goes from VM to VM, and what a guest
 * has asked for without one is done when one comes. All guests have the same memory. They read the same
 * commands, each with a head and a tail of its own.
 */
#include "kselftest_harness.h"
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "edu.h"
#include "interrupts.h"

#define PARAMETER		"viommu.vms="
#define VMS			1000
/* So many come after others have gone. */
#define LATE			100
/* Devices that queues run with. */
#define CARRIERS		4
/* One VM in so many is in a group of those that ask at once, and in no other group. */
#define SHARE			5
#define BURSTS			5
/* More than there are. */
#define VECTORS_MOST		10
/* The sanitizers take their time. */
#define TEST_LIMIT		150
#define SIGNAL_MS		3000
/* What is not to come would have come by then. */
#define SILENCE_MS		200

/* A VM; after its end only its eventfd. */
struct member {
	struct vmm vmm;
	int fd;
	bool lives;
	/* It has asked, and has had no device since. */
	bool waits;
};

FIXTURE(crowd) {
	/* Container and memory of all. It has no vIOMMU. */
	struct vmm home;
	/* The first of them are DMA engines. */
	struct vmm_device dev[CARRIERS];
	unsigned int carriers, engines;
	unsigned int vms;
	/* Room for all that there ever are; so many have been made. */
	struct member *members;
	struct pollfd *fds;
	unsigned int made;
	__u64 random;
};

/* One more VM, whose guest has an eventfd and has enabled everything, but has no device. */
static int join(FIXTURE_DATA(crowd) *self)
{
	struct member *member = &self->members[self->made];
	struct vmm *vmm = &member->vmm;

	*vmm = (struct vmm){
		.container = self->home.container,
		.mem = self->home.mem,
		.node = node_open(),
	};
	if (vmm->node < 0)
		return vmm->node;
	member->lives = true;
	member->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (member->fd < 0)
		return -errno;
	self->fds[self->made++] = (struct pollfd){ .fd = member->fd, .events = POLLIN };
	return vmm_init(vmm, &self->dev[0]) ?: set_eventfd(vmm, member->fd) ?: boot(vmm);
}

/* The VM ends. Nobody else has its eventfd, which stays. */
static void leave(struct member *member)
{
	vmm_unmap_page(&member->vmm);
	close(member->vmm.node);
	member->lives = false;
}

/* One more COMPLETION_WAIT that interrupts, and stores nothing. */
static void ask(struct member *member)
{
	static const struct guest_command wait = { { WAIT_I, 1U << 28 } };

	/* No queue is ever full: none holds more than a few commands, and they are all the same. */
	guest_put(&member->vmm, wait);
	guest_ring(&member->vmm);
}

/* What all VMs, and those that have ended, have been told and nobody has read. */
static int told(FIXTURE_DATA(crowd) *self, int timeout_ms)
{
	return poll(self->fds, self->made, timeout_ms);
}

/* The guest is told once, for this reason, and that is all that it is told. */
static void expect_one(struct __test_metadata *_metadata, struct member *member, __u32 reason)
{
	ASSERT_EQ(1, signals(member->fd, SIGNAL_MS));
	EXPECT_EQ(reason, guest_status(&member->vmm) & REASONS);
	acknowledge(&member->vmm);
}

static struct member *any(FIXTURE_DATA(crowd) *self)
{
	struct member *member;

	do
		member = &self->members[random_next(&self->random) % self->made];
	while (!member->lives);
	return member;
}

/* All members there ever were, in any order. */
static void shuffle(FIXTURE_DATA(crowd) *self, unsigned int *order)
{
	unsigned int i, n;

	for (i = 0; i < self->made; i++) {
		n = random_next(&self->random) % (i + 1);
		order[i] = order[n];
		order[n] = i;
	}
}

static int carry(struct member *member, struct vmm_device *dev)
{
	return vmm_attach(&member->vmm, dev);
}

static int put_down(struct member *member, const struct vmm_device *dev)
{
	return node_detach(member->vmm.node, member->vmm.handle, dev->id);
}

/* Interrupts of guests by the host's vectors; the number of vectors that there were any by. */
static unsigned int vectors(unsigned long long *count)
{
	char line[512], *at;
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned int used = 0;
	unsigned long long sum;

	*count = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, VECTORS))
			continue;
		at = strchr(line, ':') + 1;
		sum = strtoull(at, &at, 10);
		sum += strtoull(at, &at, 10);
		used += sum != 0;
		*count += sum;
	}
	if (file)
		fclose(file);
	return used;
}

/* The devices that queues can run with: DMA engines, and what else is in reach. */
static int gather_carriers(FIXTURE_DATA(crowd) *self, const struct pci_list *engines)
{
	struct pci_list edus;
	unsigned int i;
	int ret = 0;

	self->engines = engines->count < CARRIERS ? engines->count : CARRIERS;
	for (i = 0; !ret && i < self->engines; i++, self->carriers += !ret)
		ret = vmm_take(&self->home, &self->dev[i], engines->name[i], GUEST_ID);
	edu_find(&edus);
	for (i = 0; !ret && i < edus.count && self->carriers < CARRIERS; i++) {
		struct vmm_device *dev = &self->dev[self->carriers];

		/* One that shares its group with a device at work is none. */
		dev->id = GUEST_ID;
		self->carriers += !vfio_open(&dev->vfio, self->home.container, edus.name[i]);
	}
	return ret;
}

/* How many VMs there are to be. */
static unsigned int wanted(void)
{
	char cmdline[4096], *word;
	unsigned int vms = VMS;

	if (file_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
		return vms;
	word = strstr(cmdline, PARAMETER);
	if (word)
		sscanf(word, PARAMETER "%u", &vms);
	return vms;
}

FIXTURE_SETUP(crowd)
{
	struct rlimit files = { };
	struct amd_viommu_info info;
	struct pci_list devices;
	const char *missing = need_guests(&devices, 1);
	__u64 begun = now_ms();

	if (missing)
		SKIP(return, "%s", missing);
	self->random = getenv("VIOMMU_SEED") ? strtoull(getenv("VIOMMU_SEED"), NULL, 0) : now_ms();
	TH_LOG("VIOMMU_SEED=%llu", self->random);
	self->vms = wanted();
	ASSERT_LE(SHARE * CARRIERS, self->vms);
	files.rlim_cur = 3 * (self->vms + LATE);
	files.rlim_max = files.rlim_cur;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	self->members = calloc(self->vms + LATE, sizeof(*self->members));
	self->fds = calloc(self->vms + LATE, sizeof(*self->fds));
	ASSERT_TRUE(self->members && self->fds);
	ASSERT_EQ(0, vmm_open(&self->home));
	ASSERT_EQ(0, gather_carriers(self, &devices));
	ASSERT_EQ(0, vmm_map(&self->home));
	ASSERT_EQ(0, node_info(self->home.node, 0, &info));
	ASSERT_LE(self->vms + LATE, info.guests);
	while (self->made < self->vms)
		ASSERT_EQ(0, join(self)) TH_LOG("after %u VMs", self->made);
	TH_LOG("%u VMs in %llu ms, %u devices", self->vms, now_ms() - begun, self->carriers);
}

FIXTURE_TEARDOWN(crowd)
{
	unsigned int i;

	for (i = 0; i < self->made; i++) {
		if (self->members[i].lives)
			leave(&self->members[i]);
		close(self->members[i].fd);
	}
	for (i = 0; i < self->carriers; i++)
		vmm_release(&self->dev[i]);
	vmm_close(&self->home);
	free(self->fds);
	free(self->members);
}

/*
 * A handler looks at all guests of its vector, and tells one again whose bit it finds set, though that is for
 * its next interrupt. Where it has come to its end before this program goes on, no interrupt is told twice.
 */
static void meet_handlers(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, run_on(0));
	ASSERT_NE(0, move_vectors("0"));
}

/* From here on handlers run beside the program. */
static void part_from_handlers(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, run_anywhere());
}

/* Each guest gets a device, and asks as often as it likes, in the midst of others that have one. */
static void all_ask(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	unsigned int order[self->vms + LATE], first, i, n;
	struct member *member;

	shuffle(self, order);
	for (first = 0; first + self->carriers <= self->made; first += self->carriers) {
		for (i = 0; i < self->carriers; i++)
			ASSERT_EQ(0, carry(&self->members[order[first + i]], &self->dev[i]));
		for (i = 0; i < self->carriers; i++) {
			member = &self->members[order[first + i]];
			for (n = random_next(&self->random) % 3; n; n--) {
				ask(member);
				expect_one(_metadata, member, STATUS_WAIT);
			}
		}
		EXPECT_EQ(0, told(self, 0));
		for (i = 0; i < self->carriers; i++)
			ASSERT_EQ(0, put_down(&self->members[order[first + i]], &self->dev[i]));
	}
}

/* Devices fault in the domain of a guest that all have, in the same memory. */
static void some_fault(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	struct guest_domain domain;
	struct guest_event event;
	struct vmm_device *dev;
	struct member *member;
	unsigned int i;
	__u64 dte[4];
	char buf[8];

	guest_domain_make(&self->home, &domain, DOMAIN_ID);
	guest_map(&self->home, domain.root, GVA, GUEST_DATA, GUEST_RW);
	guest_entry(&domain, dte);
	for (i = 0; i < self->vms / 10; i++) {
		member = any(self);
		dev = &self->dev[i % self->engines];
		ASSERT_EQ(0, carry(member, dev));
		ASSERT_EQ(0, node_set_entry(member->vmm.node, member->vmm.handle, dev->id, dte));
		EXPECT_EQ(0, vmm_read(dev, GVA, buf, sizeof(buf)));
		EXPECT_EQ(-EIO, vmm_read(dev, 0x3000 + i * 8, buf, sizeof(buf)));
		expect_one(_metadata, member, STATUS_EVENT);
		ASSERT_TRUE(guest_event_wait(&member->vmm, &event));
		EXPECT_EQ(0x3000 + i * 8, event.address);
		EXPECT_EQ(0, told(self, 0));
		ASSERT_EQ(0, put_down(member, dev));
	}
}

/* Some end, whether they have asked or not, and others get what they had. */
static void some_end(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	unsigned int i;

	for (i = 0; i < LATE; i++) {
		leave(any(self));
		ASSERT_EQ(0, join(self));
	}
}

/* Many ask without a device. When one comes, those that are left are told, and nobody else. */
static void some_wait(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	unsigned int order[self->vms + LATE], i, missed = 0;
	struct member *member;
	struct vmm_device *dev;

	for (i = 0; i < self->vms / 2; i++) {
		member = any(self);
		if (!member->waits)
			ask(member);
		member->waits = true;
	}
	some_end(_metadata, self);
	EXPECT_EQ(0, told(self, SILENCE_MS));
	shuffle(self, order);
	for (i = 0; i < self->made; i++) {
		member = &self->members[order[i]];
		dev = &self->dev[i % self->carriers];
		if (!member->lives) {
			missed += member->waits;
			continue;
		}
		ASSERT_EQ(0, carry(member, dev));
		if (member->waits)
			expect_one(_metadata, member, STATUS_WAIT);
		/* Some end with the device. */
		if (i % 8 == 0)
			leave(member);
		else
			ASSERT_EQ(0, put_down(member, dev));
		EXPECT_EQ(0, told(self, 0));
	}
	EXPECT_LT(0, missed);
}

/* Those with a device all ask at once. None of them misses it, though others ask as well. */
static void burst(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self,
		  struct member *member[CARRIERS])
{
	unsigned int i, n;

	for (n = 0; n < BURSTS; n++) {
		for (i = 0; i < self->carriers; i++)
			ask(member[i]);
		for (i = 0; i < self->carriers; i++) {
			ASSERT_LE(1, signals(member[i]->fd, SIGNAL_MS));
			EXPECT_EQ(STATUS_WAIT, guest_status(&member[i]->vmm) & REASONS);
			acknowledge(&member[i]->vmm);
		}
		/* A handler on its way may have seen a bit that has been acknowledged since. */
		sleep_ms(2);
		for (i = 0; i < self->carriers; i++)
			signals(member[i]->fd, 0);
	}
}

static void several_ask_at_once(struct __test_metadata *_metadata, FIXTURE_DATA(crowd) *self)
{
	struct member *member[CARRIERS];
	unsigned int n, i;

	for (n = 0; n < self->vms / (SHARE * CARRIERS); n++) {
		for (i = 0; i < self->carriers; i++) {
			do
				member[i] = any(self);
			while (self->fds[member[i] - self->members].fd < 0);
			/* These may be told more than once, and late. */
			self->fds[member[i] - self->members].fd = -1;
			ASSERT_EQ(0, carry(member[i], &self->dev[i]));
		}
		burst(_metadata, self, member);
		EXPECT_EQ(0, told(self, 0));
		for (i = 0; i < self->carriers; i++)
			ASSERT_EQ(0, put_down(member[i], &self->dev[i]));
	}
}

/* One test, since making so many VMs is most of the work. */
TEST_F_TIMEOUT(crowd, each_is_told_what_it_asked_for_and_nothing_else, TEST_LIMIT)
{
	unsigned long long before, after;
	unsigned int used;
	__u64 begun = now_ms();

	vectors(&before);
	meet_handlers(_metadata);
	EXPECT_EQ(0, told(self, SILENCE_MS));
	all_ask(_metadata, self);
	EXPECT_EQ(0, told(self, SILENCE_MS));
	some_fault(_metadata, self);
	EXPECT_EQ(0, told(self, SILENCE_MS));
	some_wait(_metadata, self);
	EXPECT_EQ(0, told(self, SILENCE_MS));
	part_from_handlers(_metadata);
	several_ask_at_once(_metadata, self);
	EXPECT_EQ(0, told(self, SILENCE_MS));

	used = vectors(&after);
	EXPECT_LT(1, used);
	EXPECT_GE(VECTORS_MOST, used);
	TH_LOG("%llu interrupts by %u vectors in %llu ms", after - before, used, now_ms() - begun);
}

TEST_HARNESS_MAIN
