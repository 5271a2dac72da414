// SPDX-License-Identifier: GPL-2.0
/* After loading: the hardware runs, every free device is claimed, user space can see it. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "edu.h"
#include "kmod.h"
#include "kmsg.h"
#include "needs.h"
#include "pci.h"
#include "stats.h"
#include "util.h"

#define CLASS_PATH	"/sys/class/iommu/ivhd0"

/* Control register, MMIO 18h. */
#define CONTROL_IOMMU_EN	(1ULL << 0)
#define CONTROL_EVENT_LOG_EN	(1ULL << 2)
#define CONTROL_EVENT_INT_EN	(1ULL << 3)
#define CONTROL_CMD_BUF_EN	(1ULL << 12)
/* Status register, MMIO 2020h. */
#define STATUS_EVENT_LOG_RUN	(1ULL << 3)
#define STATUS_CMD_BUF_RUN	(1ULL << 4)

FIXTURE(machine) {
	struct pci_list iommus;
	struct pci_list edus;
};

static const char *machine_missing(struct pci_list *iommus, struct pci_list *edus)
{
	pci_find_iommus(iommus);
	pci_find_id(edus, EDU_VENDOR, EDU_DEVICE);
	return edus->count ? need_iommu() : "needs an edu device";
}

FIXTURE_SETUP(machine)
{
	const char *missing = machine_missing(&self->iommus, &self->edus);

	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(machine)
{
}

/* What only amd_viommu shows. */
FIXTURE(module) {
	struct pci_list iommus;
	struct pci_list edus;
};

FIXTURE_SETUP(module)
{
	const char *missing = need_module() ?: machine_missing(&self->iommus, &self->edus);

	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(module)
{
}

/* Value of the register at this offset in the debugfs view. */
static bool register_value(unsigned int offset, __u64 *value)
{
	char buf[16384], *line;
	unsigned int at;

	if (debugfs_read("registers", buf, sizeof(buf)) < 0)
		return false;
	for (line = buf; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%*s offset 0x%x value 0x%llx", &at, value) == 2 && at == offset)
			return true;
	}
	return false;
}

TEST_F(module, driver_is_bound_and_cannot_be_unbound)
{
	char driver[64], path[128];
	unsigned int i;

	for (i = 0; i < self->iommus.count; i++) {
		ASSERT_EQ(0, pci_driver(self->iommus.name[i], driver, sizeof(driver)));
		EXPECT_STREQ(MODULE_NAME, driver);
		pci_path(path, sizeof(path), self->iommus.name[i], "offline");
		EXPECT_TRUE(file_exists(path));
	}
	EXPECT_FALSE(file_exists("/sys/bus/pci/drivers/" MODULE_NAME "/unbind"));
}

TEST_F(machine, sysfs_class_has_one_entry_for_each_iommu)
{
	EXPECT_EQ(self->iommus.count, dir_count("/sys/class/iommu"));
	EXPECT_TRUE(file_exists(CLASS_PATH "/devices"));
	EXPECT_LT(0, dir_count(CLASS_PATH "/devices"));
}

/* Lower-case hexadecimal without a prefix, as the built-in driver prints it. */
static bool is_hex(const char *text)
{
	if (!*text || (text[0] == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (!isxdigit(*text) || isupper(*text))
			return false;
	}
	return true;
}

TEST_F(machine, sysfs_attributes_have_the_built_in_drivers_format)
{
	char text[64], *second;
	__u64 efr, efr2;

	ASSERT_LT(0, file_read(CLASS_PATH "/amd-iommu/cap", text, sizeof(text)));
	EXPECT_TRUE(is_hex(text)) TH_LOG("cap: %s", text);
	/* Capability ID 0Fh is the low byte. */
	EXPECT_EQ(0x0f, strtoul(text, NULL, 16) & 0xff);

	ASSERT_LT(0, file_read(CLASS_PATH "/amd-iommu/features", text, sizeof(text)));
	second = strchr(text, ':');
	ASSERT_NE(NULL, second);
	*second++ = '\0';
	EXPECT_TRUE(is_hex(text)) TH_LOG("EFR: %s", text);
	EXPECT_TRUE(is_hex(second)) TH_LOG("EFR2: %s", second);
	efr = strtoull(text, NULL, 16);
	efr2 = strtoull(second, NULL, 16);
	EXPECT_NE(0, efr);
	EXPECT_EQ(0, efr2 & efr & 1ULL << 63);
}

TEST_F(module, registers_show_a_running_iommu)
{
	const __u64 enabled = CONTROL_IOMMU_EN | CONTROL_EVENT_LOG_EN | CONTROL_EVENT_INT_EN |
			      CONTROL_CMD_BUF_EN;
	const __u64 running = STATUS_EVENT_LOG_RUN | STATUS_CMD_BUF_RUN;
	__u64 value;

	ASSERT_TRUE(register_value(0x0018, &value));
	EXPECT_EQ(enabled, value & enabled) TH_LOG("control %llx", value);
	ASSERT_TRUE(register_value(0x2020, &value));
	EXPECT_EQ(running, value & running) TH_LOG("status %llx", value);
	/* Device table, command ring and log have a place in memory. */
	ASSERT_TRUE(register_value(0x0000, &value));
	EXPECT_NE(0, value & 0xffffffffff000);
	ASSERT_TRUE(register_value(0x0008, &value));
	EXPECT_NE(0, value & 0xffffffffff000);
	ASSERT_TRUE(register_value(0x0010, &value));
	EXPECT_NE(0, value & 0xffffffffff000);
}

TEST_F(module, command_ring_is_drained)
{
	unsigned int head, tail, size;
	char buf[65536];
	__u64 value;
	int found;

	ASSERT_LT(0, debugfs_read("cmdbuf", buf, sizeof(buf)));
	found = sscanf(buf, "head 0x%x tail 0x%x size 0x%x", &head, &tail, &size);
	ASSERT_EQ(3, found);
	EXPECT_EQ(head, tail);
	EXPECT_LT(tail, size);
	EXPECT_EQ(0, size & (size - 1));
	ASSERT_TRUE(register_value(0x2008, &value));
	EXPECT_EQ(tail, value);
}

TEST_F(module, counters_are_there_and_sane)
{
	static const char * const names[] = {
		"commands", "completion_waits", "completion_timeouts", "invalidate_pages",
		"invalidate_devtab", "invalidate_all", "events", "faults", "event_overflows",
		"command_errors", "devices", "domains",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_LE(0, stats_read(names[i])) TH_LOG("counter %u", i);
	EXPECT_LT(0, stats_read("commands"));
	EXPECT_LT(0, stats_read("completion_waits"));
	EXPECT_LE(stats_read("completion_waits"), stats_read("commands"));
	EXPECT_EQ(0, stats_read("completion_timeouts"));
	EXPECT_EQ(0, stats_read("command_errors"));
	EXPECT_LT(0, stats_read("devices"));
}

/* Late load leaves out what cannot be kept apart from a function with a driver. */
static bool shares_slot_with_unclaimed(const struct pci_list *all, unsigned int device)
{
	char driver[64];
	unsigned int i;

	for (i = 0; i < all->count; i++) {
		if (i != device && !strncmp(all->name[i], all->name[device], 10) &&
		    !pci_driver(all->name[i], driver, sizeof(driver)) &&
		    pci_group(all->name[i]) < 0)
			return true;
	}
	return false;
}

/* A conventional or PCIe function: bridges belong to their port driver. */
static bool is_endpoint(const char *name)
{
	return pci_attr_number(name, "class") >> 16 != 0x06;
}

TEST_F(machine, every_device_without_a_driver_is_claimed)
{
	struct pci_list all;
	char driver[64];
	unsigned int i;

	pci_find_class(&all, 0, 0);
	for (i = 0; i < all.count; i++) {
		if (!is_endpoint(all.name[i]) || pci_attr_number(all.name[i], "class") >> 8 == 0x0806)
			continue;
		if (!pci_driver(all.name[i], driver, sizeof(driver)) ||
		    shares_slot_with_unclaimed(&all, i))
			continue;
		EXPECT_LE(0, pci_group(all.name[i])) TH_LOG("%s has no group", all.name[i]);
	}
}

TEST_F(machine, iommu_function_itself_is_in_no_group)
{
	EXPECT_GT(0, pci_group(self->iommus.name[0]));
}

TEST_F(machine, separate_devices_have_separate_groups)
{
	unsigned int i;

	for (i = 1; i < self->edus.count && !strncmp(self->edus.name[i], "0000:00:", 8); i++)
		EXPECT_NE(pci_group(self->edus.name[0]), pci_group(self->edus.name[i]));
}

TEST_F(machine, devices_that_share_a_requester_id_share_a_group)
{
	if (self->edus.count < 2 || !strncmp(self->edus.name[self->edus.count - 2], "0000:00:", 8))
		SKIP(return, "needs two devices behind a conventional bridge");
	EXPECT_LE(0, pci_group(self->edus.name[self->edus.count - 1]));
	EXPECT_EQ(pci_group(self->edus.name[self->edus.count - 2]), pci_group(self->edus.name[self->edus.count - 1]));
}

TEST_F(machine, interrupt_and_hypertransport_ranges_are_reserved)
{
	char text[1024];

	ASSERT_LT(0, pci_attr_read(self->edus.name[0], "iommu_group/reserved_regions", text,
				   sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "0x00000000fee00000 0x00000000feefffff msi")) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, "0x000000fd00000000 0x000000ffffffffff reserved"))
		TH_LOG("%s", text);
}

/* Numbers of a device's entry in the debugfs view, q0 first. */
static bool device_entry(const char *name, __u64 *q)
{
	char buf[256], at[PCI_NAME_LEN];

	return !debugfs_write("devid", name) &&
	       debugfs_read("devtbl", buf, sizeof(buf)) > 0 &&
	       sscanf(buf, "%15s 0x%llx 0x%llx 0x%llx 0x%llx", at, &q[3], &q[2], &q[1], &q[0]) == 5 &&
	       !strcmp(at, name);
}

TEST_F(module, device_entry_of_a_claimed_device_translates_or_passes)
{
	char type[32];
	__u64 q[4];

	ASSERT_TRUE(device_entry(self->edus.name[0], q));
	ASSERT_LT(0, pci_group_type(self->edus.name[0], type, sizeof(type)));
	/* V, TV, and permission to read and write. */
	EXPECT_EQ(3, q[0] & 3);
	EXPECT_EQ(3, q[0] >> 61 & 3);
	if (strcmp(type, "identity")) {
		/* A mode of paging, a root, a domain of its own. */
		EXPECT_NE(0, q[0] >> 9 & 7);
		EXPECT_NE(0, q[0] & 0xffffffffff000);
		EXPECT_NE(0, q[1] & 0xffff);
	} else {
		EXPECT_EQ(0, q[0] >> 9 & 7);
	}
}

TEST_F(module, devid_refuses_what_is_no_device_name)
{
	char before[64], after[64];

	ASSERT_EQ(0, debugfs_write("devid", self->edus.name[0]));
	ASSERT_LT(0, debugfs_read("devid", before, sizeof(before)));
	EXPECT_STREQ(self->edus.name[0], before);
	EXPECT_GT(0, debugfs_write("devid", "0000:00:20.0"));
	EXPECT_GT(0, debugfs_write("devid", "0000:00:04.8"));
	EXPECT_GT(0, debugfs_write("devid", "nonsense"));
	EXPECT_GT(0, debugfs_write("devid", "0000:00:04.0 and a very long tail that no name has"));
	ASSERT_LT(0, debugfs_read("devid", after, sizeof(after)));
	EXPECT_STREQ(before, after);
}

TEST_HARNESS_MAIN
