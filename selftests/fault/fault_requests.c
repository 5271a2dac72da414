// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of every kind that a device can make, from QEMU's amd-viommu-dma: what is
 * allowed goes where it should, and what is refused is named with all its attributes.
 *
 * A user of VFIO has a v1 table and no guest table (GV = 0 in the device's entry).
 * So a PASID selects nothing: such a request is not present wherever it goes
 * (hardware reference 4.4), and its event has GN and the PASID in place of the
 * domain. Privilege and execution are bits of the PASID's TLP prefix; without
 * one an event does not tell them (US, NX).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "kselftest_harness.h"
#include "fault.h"
#include "irq.h"
#include "kmod.h"
#include "needs.h"
#include "stats.h"
#include "util.h"
#include "vdma.h"
#include "vfio.h"

/* Three pages, by what a device may do with them; behind them there is nothing. */
#define BOTH		(1 * GIB)
#define READ_ONLY	(BOTH + PAGE_4K)
#define WRITE_ONLY	(READ_ONLY + PAGE_4K)
#define MISSING		(WRITE_ONLY + PAGE_4K)
#define SIZE		(3 * PAGE_4K)
/* A write to this address is an interrupt, a read is like any other. */
#define INTERRUPTS	0xfee00000ULL
#define EVERYBODY	0xff000ULL

#define WORD		8
#define FAULT_MS	3000
#define INTERRUPT_MS	2000
#define QUIET_MS	200

FIXTURE(requests) {
	struct vfio_device dev;
	struct vdma vdma;
	int container;
	int kmsg;
	char *mem;
};

FIXTURE_SETUP(requests)
{
	static const __u32 flags[] = { VFIO_RW, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE };
	static const char bytes[WORD] = "refused";
	struct pci_list devices;
	const char *missing = need_vdma(&devices) ?: need_iommu();
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	self->container = vfio_container();
	ASSERT_LE(0, self->container);
	ASSERT_EQ(0, vfio_open(&self->dev, self->container, devices.name[0]));
	ASSERT_EQ(0, vdma_init(&self->vdma, self->dev.bar0));
	self->mem = memory_alloc(SIZE);
	ASSERT_NE(NULL, self->mem);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		ASSERT_EQ(0, vfio_map(self->container, self->mem + i * PAGE_4K,
				      BOTH + i * PAGE_4K, PAGE_4K, flags[i]));
	pattern_fill(self->mem, SIZE, 1);
	vdma_fill(&self->vdma, bytes, WORD);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(requests)
{
	vfio_close(&self->dev);
	close(self->container);
	close(self->kmsg);
	memory_free(self->mem, SIZE);
}

/* A refused request, and its event. */
struct refusal {
	struct vdma_request request;
	unsigned int flags;
	const char *names;
	const char *words;
};

/* "" if the log has the event, or what is wrong. */
static const char *check_line(FIXTURE_DATA(requests) *self, const struct refusal *expected)
{
	const struct vdma_request *request = &expected->request;
	static char wrong[2 * KMSG_LINE_MAX];
	struct fault fault;
	char device[64], rest[128], pasid[32] = "domain=0x";

	if (!fault_wait_at(self->kmsg, &fault, self->dev.name, request->address, 1, FAULT_MS))
		return "no event of this device and address";
	snprintf(wrong, sizeof(wrong), "wrong: %s", fault.line);
	if (fault.flags != expected->flags)
		return wrong;
	if (iommu_driver() != IOMMU_DRIVER_VIOMMU)
		return "";
	if (request->has_pasid)
		snprintf(pasid, sizeof(pasid), "pasid=0x%05x ", request->pasid);
	snprintf(device, sizeof(device), ": IO_PAGE_FAULT device=%s %s", self->dev.name, pasid);
	snprintf(rest, sizeof(rest), " address=0x%016llx flags=[%s] (%s)", request->address,
		 expected->names, expected->words);
	return strstr(fault.line, device) && strstr(fault.line, rest) ? "" : wrong;
}

/* Each is refused with one event, moves nothing, and leaves memory alone. */
static void check_refusals(struct __test_metadata *_metadata, FIXTURE_DATA(requests) *self,
			   const struct refusal *refusals, unsigned int count)
{
	long long events, faults;
	unsigned int i;

	if (!faults_reported())
		SKIP(return, "this machine's IOMMU reports no faults");
	/* Start with the log's rate limit unused. */
	sleep_ms(FAULT_LIMIT_MS);
	events = stats_read("events");
	faults = stats_read("faults");
	for (i = 0; i < count; i++) {
		EXPECT_EQ(-EIO, vdma_run(&self->vdma, &refusals[i].request));
		EXPECT_EQ(0, vdma_moved(&self->vdma));
		EXPECT_STREQ("", check_line(self, &refusals[i])) {
			TH_LOG("request %u of the list", i);
		}
	}
	EXPECT_TRUE(pattern_matches(self->mem, SIZE, 1));
	sleep_ms(QUIET_MS);
	if (events >= 0) {
		EXPECT_EQ(events + count, stats_read("events"));
		EXPECT_EQ(faults + count, stats_read("faults"));
	}
}

#define WITH_PASID(op, at, id, priv) \
	{ .operation = (op), .address = (at), .length = WORD, .has_pasid = true, \
	  .pasid = (id), .privileged = (priv) }

TEST_F_TIMEOUT(requests, pasid_selects_nothing_in_a_domain_without_guest_table, 60)
{
	static const struct refusal refusals[] = {
		{ WITH_PASID(VDMA_READ, BOTH, 0x12345, false), FAULT_GN | FAULT_US,
		  "GN US", "user read, not present" },
		{ WITH_PASID(VDMA_WRITE, BOTH + 0x18, 1, false), FAULT_GN | FAULT_US | FAULT_RW,
		  "GN US RW", "user write, not present" },
		{ WITH_PASID(VDMA_ATOMIC, BOTH + 0x20, 0xfffff, false),
		  FAULT_GN | FAULT_US | FAULT_RW, "GN US RW", "user write, not present" },
		{ WITH_PASID(VDMA_EXECUTE, BOTH, 0x10000, false), FAULT_GN | FAULT_NX | FAULT_US,
		  "GN NX US", "user read, not present" },
		{ WITH_PASID(VDMA_READ, BOTH, 0, true), FAULT_GN, "GN", "read, not present" },
		{ WITH_PASID(VDMA_WRITE, BOTH, 7, true), FAULT_GN | FAULT_RW,
		  "GN RW", "write, not present" },
		{ WITH_PASID(VDMA_EXECUTE, BOTH, 7, true), FAULT_GN | FAULT_NX,
		  "GN NX", "read, not present" },
		{ WITH_PASID(VDMA_READ, 0x7fff12345000, 0x2345, false), FAULT_GN | FAULT_US,
		  "GN US", "user read, not present" },
	};

	check_refusals(_metadata, self, refusals, ARRAY_SIZE(refusals));
}

#define PLAIN(op, at, priv) \
	{ .operation = (op), .address = (at), .length = WORD, .privileged = (priv) }

TEST_F_TIMEOUT(requests, refusal_without_pasid_tells_reads_from_writes_only, 60)
{
	const unsigned int denied = FAULT_PR | FAULT_PE;
	const struct refusal refusals[] = {
		{ PLAIN(VDMA_READ, MISSING, true), 0, "", "read, not present" },
		{ PLAIN(VDMA_EXECUTE, MISSING, false), 0, "", "read, not present" },
		{ PLAIN(VDMA_WRITE, MISSING, true), FAULT_RW, "RW", "write, not present" },
		{ PLAIN(VDMA_ATOMIC, MISSING, false), FAULT_RW, "RW", "write, not present" },
		{ PLAIN(VDMA_EXECUTE, WRITE_ONLY, true), denied, "PR PE", "read, no permission" },
		{ PLAIN(VDMA_WRITE, READ_ONLY, true), denied | FAULT_RW,
		  "PR RW PE", "write, no permission" },
		{ PLAIN(VDMA_ATOMIC, READ_ONLY, false), denied | FAULT_RW,
		  "PR RW PE", "write, no permission" },
		{ PLAIN(VDMA_ATOMIC, WRITE_ONLY, false), denied | FAULT_RW,
		  "PR RW PE", "write, no permission" },
		{ PLAIN(VDMA_READ, INTERRUPTS, false), 0, "", "read, not present" },
	};

	check_refusals(_metadata, self, refusals, ARRAY_SIZE(refusals));
}

/* Whatever the bytes say. */
TEST_F_TIMEOUT(requests, write_among_interrupts_that_is_no_message_is_refused, 60)
{
	static const char words[] = "interrupt, not present";
	struct refusal refusals[] = {
		{ PLAIN(VDMA_ATOMIC, INTERRUPTS, false), FAULT_I, "I", words },
		{ PLAIN(VDMA_WRITE, INTERRUPTS + 2, false), FAULT_I, "I", words },
		{ PLAIN(VDMA_WRITE, INTERRUPTS + 8, false), FAULT_I, "I", words },
	};

	refusals[2].request.length = 6;
	check_refusals(_metadata, self, refusals, ARRAY_SIZE(refusals));
}

/* It would be an interrupt that does nothing but be counted, of one CPU or of all. */
TEST_F_TIMEOUT(requests, message_that_names_a_vector_is_refused, 60)
{
	static const char words[] = "interrupt, not present";
	static const __u64 data = IRQ_HARMLESS_VECTOR;
	struct refusal refusals[] = {
		{ PLAIN(VDMA_WRITE, INTERRUPTS, false), FAULT_I, "I", words },
		{ PLAIN(VDMA_WRITE, INTERRUPTS | EVERYBODY, false), FAULT_I, "I", words },
	};
	long long before = irq_special(IRQ_HARMLESS_ROW);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		refusals[i].request.length = 4;
	vdma_fill(&self->vdma, &data, WORD);
	check_refusals(_metadata, self, refusals, ARRAY_SIZE(refusals));
	EXPECT_EQ(before, irq_special(IRQ_HARMLESS_ROW));
	EXPECT_EQ(0, irq_stray_lines(self->kmsg));
}

TEST_F(requests, every_operation_without_pasid_reaches_the_right_bytes)
{
	static const struct vdma_request add = PLAIN(VDMA_ATOMIC, BOTH + 0x40, false);
	static const struct vdma_request execute = PLAIN(VDMA_EXECUTE, READ_ONLY + 0x80, true);
	static const struct vdma_request write = PLAIN(VDMA_WRITE, WRITE_ONLY + 0xc0, true);
	__u64 *both = (__u64 *)(self->mem + 0x40);
	char *read_only = self->mem + PAGE_4K + 0x80, *write_only = self->mem + 2 * PAGE_4K + 0xc0;
	__u64 before = *both, operand = 5;
	char bytes[WORD];

	vdma_fill(&self->vdma, &operand, WORD);
	ASSERT_EQ(0, vdma_run(&self->vdma, &add));
	vdma_fetch(&self->vdma, &operand, WORD);
	EXPECT_EQ(before, operand);
	EXPECT_EQ(before + 5, *both);

	ASSERT_EQ(0, vdma_run(&self->vdma, &execute));
	vdma_fetch(&self->vdma, bytes, WORD);
	EXPECT_EQ(0, memcmp(bytes, read_only, WORD));

	ASSERT_NE(0, memcmp(bytes, write_only, WORD));
	ASSERT_EQ(0, vdma_run(&self->vdma, &write));
	EXPECT_EQ(0, memcmp(bytes, write_only, WORD));
}

TEST_F_TIMEOUT(requests, transfer_ends_where_the_first_page_is_missing, 60)
{
	struct vdma_request request = PLAIN(VDMA_WRITE, MISSING - 2 * WORD, false);
	static const char bytes[3 * WORD] = "moved, moved and not.";
	struct fault fault;

	sleep_ms(FAULT_LIMIT_MS);
	request.length = 3 * WORD;
	vdma_fill(&self->vdma, bytes, sizeof(bytes));
	EXPECT_EQ(-EIO, vdma_run(&self->vdma, &request));
	EXPECT_EQ(2 * WORD, vdma_moved(&self->vdma));
	EXPECT_EQ(0, memcmp(bytes, self->mem + SIZE - 2 * WORD, 2 * WORD));
	if (!faults_reported())
		return;
	ASSERT_TRUE(fault_wait_at(self->kmsg, &fault, self->dev.name, MISSING - 2 * WORD, 3 * WORD,
				  FAULT_MS));
	EXPECT_EQ(MISSING, fault.address);
	EXPECT_TRUE(fault_flags_ok(&fault, true, false));
}

/* Interrupts that have come since the last call; waits for the first. */
static __u64 interrupts(int event, int timeout_ms)
{
	struct pollfd poller = { .fd = event, .events = POLLIN };
	__u64 count = 0;

	if (poll(&poller, 1, timeout_ms) != 1 || read(event, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

/* The device's message goes through its interrupt table. */
TEST_F(requests, msix_message_arrives_once_after_each_transfer)
{
	struct vdma_request good = PLAIN(VDMA_READ, BOTH, false);
	struct vdma_request bad = PLAIN(VDMA_READ, MISSING, false);
	int event = eventfd(0, EFD_NONBLOCK);
	unsigned int i;

	good.interrupt = true;
	bad.interrupt = true;
	ASSERT_LE(0, event);
	ASSERT_EQ(0, vfio_enable_msix(&self->dev, event));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, vdma_run(&self->vdma, &good));
		EXPECT_EQ(1, interrupts(event, INTERRUPT_MS));
	}
	/* A refusal of memory says nothing of interrupts. */
	ASSERT_EQ(-EIO, vdma_run(&self->vdma, &bad));
	EXPECT_EQ(1, interrupts(event, INTERRUPT_MS));
	good.interrupt = false;
	ASSERT_EQ(0, vdma_run(&self->vdma, &good));
	EXPECT_EQ(0, interrupts(event, QUIET_MS));

	ASSERT_EQ(0, vfio_disable_msix(&self->dev));
	good.interrupt = true;
	ASSERT_EQ(0, vdma_run(&self->vdma, &good));
	EXPECT_EQ(0, interrupts(event, QUIET_MS));
	close(event);
}

/*
 * A device that has ATS and PASID capabilities, behind a driver that uses neither: both stay
 * off, and I in its entry is 0. A request that it translated by itself would bypass the table.
 */
TEST_F(requests, ats_and_pasid_capabilities_stay_off)
{
	unsigned long long q1;
	int control, found;
	char entry[256];

	control = pci_ext_word(self->dev.name, PCI_EXT_CAP_ID_ATS, PCI_ATS_CTRL);
	if (control == -ENOENT)
		SKIP(return, "needs extended configuration space, and amd-viommu-dma with ats=on");
	ASSERT_LE(0, control);
	EXPECT_EQ(0, control & PCI_ATS_CTRL_ENABLE);
	EXPECT_EQ(0, pci_ext_word(self->dev.name, PCI_EXT_CAP_ID_PASID, PCI_PASID_CTRL));
	if (iommu_driver() != IOMMU_DRIVER_VIOMMU)
		return;
	ASSERT_EQ(0, debugfs_write("devid", self->dev.name));
	ASSERT_LT(0, debugfs_read("devtbl", entry, sizeof(entry)));
	found = sscanf(entry, "%*s %*s %*s 0x%llx", &q1);
	ASSERT_EQ(1, found);
	EXPECT_EQ(0, q1 >> 32 & 1);
}

TEST_HARNESS_MAIN
