// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "pci.h"
#include "util.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define QEMU_SUBSYSTEM_VENDOR	0x1af4

void pci_path(char *buf, size_t len, const char *name, const char *attr)
{
	snprintf(buf, len, PCI_DEVICES "/%s/%s", name, attr);
}

bool pci_exists(const char *name)
{
	char path[128];

	pci_path(path, sizeof(path), name, "");
	return file_exists(path);
}

int pci_attr_read(const char *name, const char *attr, char *buf, size_t len)
{
	char path[128];

	pci_path(path, sizeof(path), name, attr);
	return file_read(path, buf, len);
}

long long pci_attr_number(const char *name, const char *attr)
{
	char path[128];

	pci_path(path, sizeof(path), name, attr);
	return file_read_number(path);
}

int pci_attr_write(const char *name, const char *attr, const char *text)
{
	char path[128];

	pci_path(path, sizeof(path), name, attr);
	return file_write(path, text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct pci_match {
	long long vendor, device, class, class_mask;
};

static bool matches(const char *name, const struct pci_match *match)
{
	if (match->vendor >= 0 && pci_attr_number(name, "vendor") != match->vendor)
		return false;
	if (match->device >= 0 && pci_attr_number(name, "device") != match->device)
		return false;
	return (pci_attr_number(name, "class") & match->class_mask) == match->class;
}

static void find(struct pci_list *list, const struct pci_match *match)
{
	struct dirent *entry;
	DIR *dir;

	list->count = 0;
	dir = opendir(PCI_DEVICES);
	if (!dir)
		return;
	while (list->count < PCI_LIST_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !matches(entry->d_name, match))
			continue;
		snprintf(list->name[list->count++], PCI_NAME_LEN, "%.15s", entry->d_name);
	}
	closedir(dir);
	qsort(list->name, list->count, PCI_NAME_LEN, by_name);
}

void pci_find_id(struct pci_list *list, unsigned int vendor, unsigned int device)
{
	find(list, &(struct pci_match){ .vendor = vendor, .device = device });
}

void pci_find_class(struct pci_list *list, unsigned int class, unsigned int mask)
{
	find(list, &(struct pci_match){ .vendor = -1, .device = -1,
					.class = class, .class_mask = mask });
}

void pci_find_iommus(struct pci_list *list)
{
	find(list, &(struct pci_match){ .vendor = 0x1022, .device = -1,
					.class = 0x080600, .class_mask = 0xffff00 });
}

static int link_name(const char *path, char *buf, size_t len)
{
	char target[256], *base;
	ssize_t n;

	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(buf, len, "%s", base ? base + 1 : target);
	return 0;
}

int pci_driver(const char *name, char *buf, size_t len)
{
	char path[128];

	pci_path(path, sizeof(path), name, "driver");
	return link_name(path, buf, len);
}

int pci_unbind(const char *name)
{
	char driver[64];

	if (pci_driver(name, driver, sizeof(driver)))
		return 0;
	return pci_attr_write(name, "driver/unbind", name);
}

int pci_bind(const char *name, const char *driver)
{
	char current[64];
	int ret;

	if (!pci_driver(name, current, sizeof(current)) && !strcmp(current, driver))
		return 0;
	ret = pci_unbind(name);
	if (ret)
		return ret;
	ret = pci_attr_write(name, "driver_override", driver);
	if (ret)
		return ret;
	ret = file_write("/sys/bus/pci/drivers_probe", name);
	if (ret)
		return ret;
	/* Leave nothing behind: a later probe must be free to choose. */
	pci_attr_write(name, "driver_override", "\n");
	ret = pci_driver(name, current, sizeof(current));
	if (ret)
		return ret;
	return strcmp(current, driver) ? -ENODEV : 0;
}

int pci_remove(const char *name)
{
	return pci_attr_write(name, "remove", "1");
}

int pci_rescan(void)
{
	return file_write("/sys/bus/pci/rescan", "1");
}

int pci_wait(const char *name, bool present, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;

	while (pci_exists(name) != present) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(10);
	}
	return 0;
}

int pci_wait_driver(const char *name, const char *driver, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;
	char current[64];

	while (pci_driver(name, current, sizeof(current)) || strcmp(current, driver)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(10);
	}
	return 0;
}

int pci_group(const char *name)
{
	char path[128], group[32];
	int ret;

	pci_path(path, sizeof(path), name, "iommu_group");
	ret = link_name(path, group, sizeof(group));
	return ret ? ret : atoi(group);
}

int pci_iommu(const char *name)
{
	char path[128], iommu[32];
	int ret, index;

	pci_path(path, sizeof(path), name, "iommu");
	ret = link_name(path, iommu, sizeof(iommu));
	if (ret)
		return ret;
	return sscanf(iommu, "ivhd%d", &index) == 1 ? index : -ENOENT;
}

int pci_group_type(const char *name, char *buf, size_t len)
{
	return pci_attr_read(name, "iommu_group/type", buf, len);
}

int pci_enable_dma(const char *name)
{
	char path[128];
	__u16 command;
	int fd, ret = 0;

	pci_path(path, sizeof(path), name, "config");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command)) {
		ret = -EIO;
	} else {
		command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
		if (pwrite(fd, &command, sizeof(command), PCI_COMMAND) != sizeof(command))
			ret = -EIO;
	}
	close(fd);
	return ret;
}

/* Where an extended capability begins; 0: nowhere. Each is at least eight bytes long. */
static unsigned int find_ext_cap(int fd, unsigned int capability)
{
	unsigned int at = PCI_CFG_SPACE_SIZE, left = PCI_CFG_SPACE_EXP_SIZE / 8;
	__u32 header;

	while (at && left--) {
		if (pread(fd, &header, sizeof(header), at) != sizeof(header))
			return 0;
		if (PCI_EXT_CAP_ID(header) == capability)
			return at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

int pci_ext_word(const char *name, unsigned int capability, unsigned int offset)
{
	unsigned int at;
	char path[128];
	__u16 word;
	int fd, ret;

	pci_path(path, sizeof(path), name, "config");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	at = find_ext_cap(fd, capability);
	if (!at)
		ret = -ENOENT;
	else if (pread(fd, &word, sizeof(word), at + offset) != sizeof(word))
		ret = -EIO;
	else
		ret = word;
	close(fd);
	return ret;
}

bool iommu_is_qemu(void)
{
	struct pci_list iommus;

	pci_find_iommus(&iommus);
	return iommus.count &&
	       pci_attr_number(iommus.name[0], "subsystem_vendor") == QEMU_SUBSYSTEM_VENDOR;
}
