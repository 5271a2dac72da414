// SPDX-License-Identifier: GPL-2.0
/*
 * An interrupt is a write to a fixed address, so a device can forge one: by a message that it was not
 * told, or by a plain write. The vector forged here is one that does nothing but be counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "fault.h"
#include "irq.h"
#include "kmod.h"
#include "msi.h"
#include "needs.h"
#include "requester.h"

#define MESSAGE_ADDRESS	0xfee00000ULL
#define DESTINATION(id)	((__u64)(id) << 12)
#define EVERYBODY	0xff
#define VECTOR		IRQ_HARMLESS_VECTOR
#define ROW		IRQ_HARMLESS_ROW
#define IOVA		(1 * GIB)
#define SETTLE_MS	200
#define FAULT_MS	3000
/* A bus that the machine has not got, and the ID of what is behind a conventional bridge to it. */
#define NO_BUS		0xee
#define NOBODY		"0000:ee:00.0"

static int raise_as(struct edu *edu, const char *name, __u64 address, __u16 data)
{
	struct msi_message message = { .address = address, .data = data, .enabled = true };
	int ret = msi_write(name, &message);

	if (ret)
		return ret;
	edu_raise(edu, 1);
	sleep_ms(SETTLE_MS);
	return 0;
}

/* Without remapping the forged interrupt arrives: what the other tests must not see can be seen. */
TEST(forged_interrupt_arrives_without_the_module)
{
	static const struct msi_message off;
	struct pci_list edus;
	const char *missing = need_module() ?: need_edus(&edus, 1);
	long long before = irq_special(ROW);
	struct edu edu;

	if (missing)
		SKIP(return, "%s", missing);
	if (before < 0)
		SKIP(return, "needs a kernel with KVM, which has the vector");
	if (module_loaded(MODULE_NAME)) {
		ASSERT_EQ(0, clients_unbind());
		ASSERT_EQ(0, viommu_unload());
	}
	pci_unbind(edus.name[0]);
	ASSERT_EQ(0, edu_open_sysfs(&edu, edus.name[0]));
	EXPECT_EQ(0, raise_as(&edu, edus.name[0], MESSAGE_ADDRESS, VECTOR));
	EXPECT_EQ(before + 1, irq_special(ROW));
	EXPECT_EQ(0, msi_write(edus.name[0], &off));
	edu_close_sysfs(&edu);
}

FIXTURE(forged) {
	struct requester dev;
	struct msi_message told;
	int event;
	int kmsg;
};

FIXTURE_SETUP(forged)
{
	struct pci_list edus;
	const char *missing = need_edus(&edus, 1) ?: need_iommu();

	if (missing)
		SKIP(return, "%s", missing);
	if (irq_special(ROW) < 0)
		SKIP(return, "needs a kernel with KVM, which has the vector");
	ASSERT_EQ(0, requester_open(&self->dev, edus.name[0], PAGE_4K));
	ASSERT_EQ(0, vfio_map(self->dev.container, self->dev.mem, IOVA, PAGE_4K, VFIO_RW));
	self->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, vfio_enable_msi(&self->dev.vfio, self->event));
	ASSERT_EQ(0, msi_read(self->dev.name, &self->told));
	/* Start with the log's rate limit unused. */
	sleep_ms(FAULT_LIMIT_MS);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(forged)
{
	msi_write(self->dev.name, &self->told);
	vfio_disable_msi(&self->dev.vfio);
	close(self->event);
	close(self->kmsg);
	requester_close(&self->dev);
}

/* Interrupts since the last time this was asked. */
static __u64 arrived(int event)
{
	__u64 count = 0;

	return read(event, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The fault of an interrupt of this device, in what the log says from now on. */
static bool interrupt_fault(FIXTURE_DATA(forged) *self, struct fault *fault)
{
	while (fault_wait(self->kmsg, fault, FAULT_MS)) {
		if (fault->flags & FAULT_I)
			return !strcmp(fault->device, self->dev.name);
	}
	return false;
}

TEST_F_TIMEOUT(forged, message_with_a_vector_is_blocked_and_reported, 300)
{
	long long before = irq_special(ROW);
	struct edu *edu = &self->dev.edu;
	struct fault fault;

	ASSERT_EQ(0, raise_as(edu, self->dev.name, MESSAGE_ADDRESS, VECTOR));
	/* QEMU's own IOMMU says nothing about interrupts. */
	if (!iommu_is_qemu()) {
		ASSERT_TRUE(interrupt_fault(self, &fault));
		TH_LOG("%s", fault.line);
	}
	ASSERT_EQ(0, raise_as(edu, self->dev.name, MESSAGE_ADDRESS | DESTINATION(1), VECTOR));
	ASSERT_EQ(0, raise_as(edu, self->dev.name, MESSAGE_ADDRESS | DESTINATION(EVERYBODY), VECTOR));
	EXPECT_EQ(before, irq_special(ROW));
	EXPECT_EQ(0, arrived(self->event));
	EXPECT_EQ(0, irq_stray_lines(self->kmsg));
	/* The device is none the worse for it. */
	ASSERT_EQ(0, raise_as(edu, self->dev.name, self->told.address, self->told.data));
	EXPECT_EQ(1, arrived(self->event));
}

/* A message is a number in a table of the device's own, which has one entry. */
TEST_F_TIMEOUT(forged, device_reaches_its_own_interrupt_only, 300)
{
	struct edu *edu = &self->dev.edu;

	EXPECT_EQ(0, self->told.data);
	ASSERT_EQ(0, raise_as(edu, self->dev.name, self->told.address, 1));
	EXPECT_EQ(0, arrived(self->event));
	ASSERT_EQ(0, raise_as(edu, self->dev.name, self->told.address, 0));
	EXPECT_EQ(1, arrived(self->event));
	/* One that has been given back is reached no more. */
	ASSERT_EQ(0, vfio_disable_msi(&self->dev.vfio));
	ASSERT_EQ(0, raise_as(edu, self->dev.name, self->told.address, 0));
	EXPECT_EQ(0, arrived(self->event));
	EXPECT_EQ(0, irq_stray_lines(self->kmsg));
	self->told.enabled = false;
}

static int forge_bytes(FIXTURE_DATA(forged) *self, __u64 address, __u32 data, size_t length)
{
	int ret;

	memcpy(self->dev.mem, &data, sizeof(data));
	ret = edu_dma(&self->dev.edu, EDU_READ, IOVA, 0, sizeof(data));
	if (!ret)
		ret = edu_dma(&self->dev.edu, EDU_WRITE, address, 0, length);
	sleep_ms(SETTLE_MS);
	return ret;
}

static int forge_by_write(FIXTURE_DATA(forged) *self, __u32 data)
{
	return forge_bytes(self, MESSAGE_ADDRESS, data, sizeof(data));
}

TEST_F_TIMEOUT(forged, plain_write_is_an_interrupt_like_any_other, 300)
{
	long long before = irq_special(ROW);
	struct fault fault;

	if (iommu_is_qemu())
		SKIP(return, "QEMU's own IOMMU takes plain writes for the I/O APIC's");
	ASSERT_EQ(0, forge_by_write(self, VECTOR));
	EXPECT_EQ(before, irq_special(ROW));
	ASSERT_TRUE(interrupt_fault(self, &fault));
	TH_LOG("%s", fault.line);
	ASSERT_EQ(0, forge_by_write(self, self->told.data));
	EXPECT_EQ(1, arrived(self->event));
}

/* Not even the device's own interrupt comes of a write that is not one of 32 aligned bits. */
TEST_F_TIMEOUT(forged, write_of_another_size_is_blocked_and_reported, 300)
{
	static const struct {
		__u64 offset;
		size_t length;
	} writes[] = { { 0, 1 }, { 0, 2 }, { 2, 2 } };
	struct fault fault;
	size_t n;

	if (iommu_is_qemu())
		SKIP(return, "QEMU's own IOMMU takes plain writes for the I/O APIC's");
	for (n = 0; n < ARRAY_SIZE(writes); n++) {
		ASSERT_EQ(0, forge_bytes(self, MESSAGE_ADDRESS + writes[n].offset, self->told.data,
					 writes[n].length));
		ASSERT_TRUE(interrupt_fault(self, &fault));
		TH_LOG("%s", fault.line);
	}
	EXPECT_EQ(0, arrived(self->event));
}

/* An edu device behind a conventional bridge, and the bridge's file of its configuration. */
static int behind_bridge(struct pci_list *edus, const char **name)
{
	char path[128], real[PATH_MAX];
	unsigned int i;

	pci_find_id(edus, EDU_VENDOR, EDU_DEVICE);
	for (i = 0; i < edus->count && !strncmp(edus->name[i], "0000:00:", 8); i++)
		;
	if (i == edus->count)
		return -1;
	*name = edus->name[i];
	pci_path(path, sizeof(path), *name, "");
	if (!realpath(path, real))
		return -1;
	pci_path(path, sizeof(path), basename(dirname(real)), "config");
	return open(path, O_RDWR | O_CLOEXEC);
}

/* The requests of what is behind a bridge carry the number that the bridge's secondary bus has at the time. */
static int raise_from_bus(int bridge, struct edu *edu, __u8 number)
{
	__u8 before;

	if (pread(bridge, &before, 1, PCI_SECONDARY_BUS) != 1 || pwrite(bridge, &number, 1, PCI_SECONDARY_BUS) != 1)
		return -EIO;
	edu_raise(edu, 1);
	sleep_ms(SETTLE_MS);
	return pwrite(bridge, &before, 1, PCI_SECONDARY_BUS) == 1 ? 0 : -EIO;
}

TEST(id_of_no_device_reaches_nobody)
{
	static const struct msi_message off, message = { .address = MESSAGE_ADDRESS, .data = VECTOR, .enabled = true };
	long long before = irq_special(ROW);
	const char *missing = need_iommu(), *name;
	struct pci_list edus;
	struct fault fault;
	struct edu edu;
	int bridge, kmsg;

	if (missing)
		SKIP(return, "%s", missing);
	if (before < 0 || iommu_is_qemu())
		SKIP(return, "needs a kernel with KVM, and an IOMMU that knows devices by their bus' number of the time");
	bridge = behind_bridge(&edus, &name);
	if (bridge < 0)
		SKIP(return, "needs a device behind a conventional bridge");
	pci_unbind(name);
	ASSERT_EQ(0, edu_open_sysfs(&edu, name));
	ASSERT_EQ(0, msi_write(name, &message));
	sleep_ms(FAULT_LIMIT_MS);
	kmsg = kmsg_open();
	ASSERT_LE(0, kmsg);
	EXPECT_EQ(0, raise_from_bus(bridge, &edu, NO_BUS));
	EXPECT_EQ(before, irq_special(ROW));
	ASSERT_TRUE(fault_wait(kmsg, &fault, FAULT_MS));
	TH_LOG("%s", fault.line);
	EXPECT_STREQ(NOBODY, fault.device);
	EXPECT_TRUE(fault.flags & FAULT_I);
	EXPECT_EQ(0, irq_stray_lines(kmsg));
	EXPECT_EQ(0, msi_write(name, &off));
	edu_close_sysfs(&edu);
	close(bridge);
	close(kmsg);
}

TEST_HARNESS_MAIN
