// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "msi.h"
#include "pci.h"

#define PCI_CAPABILITIES	0x34
#define MSI_ID			0x05
#define MSI_FLAGS		2
#define MSI_ADDRESS_LOW		4
#define MSI_ADDRESS_HIGH	8
#define MSI_DATA		12
#define MSI_ENABLE		1
#define CHAIN_MAX		48

static int config_open(const char *pci)
{
	char path[128];
	int fd;

	pci_path(path, sizeof(path), pci, "config");
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static __u32 get(int fd, unsigned int at, size_t len)
{
	__u32 value = 0;

	return pread(fd, &value, len, at) == (ssize_t)len ? value : 0;
}

static bool set(int fd, unsigned int at, __u32 value, size_t len)
{
	return pwrite(fd, &value, len, at) == (ssize_t)len;
}

/* Offset of the capability, or 0. */
static unsigned int find(int fd)
{
	unsigned int at = get(fd, PCI_CAPABILITIES, 1), i;

	for (i = 0; at && i < CHAIN_MAX; i++) {
		if (get(fd, at, 1) == MSI_ID)
			return at;
		at = get(fd, at + 1, 1);
	}
	return 0;
}

int msi_read(const char *pci, struct msi_message *message)
{
	int fd = config_open(pci);
	unsigned int at;

	if (fd < 0)
		return fd;
	at = find(fd);
	if (at) {
		message->enabled = get(fd, at + MSI_FLAGS, 2) & MSI_ENABLE;
		message->address = get(fd, at + MSI_ADDRESS_LOW, 4) |
				   (__u64)get(fd, at + MSI_ADDRESS_HIGH, 4) << 32;
		message->data = get(fd, at + MSI_DATA, 2);
	}
	close(fd);
	return at ? 0 : -ENOENT;
}

int msi_write(const char *pci, const struct msi_message *message)
{
	int fd = config_open(pci);
	unsigned int at;
	__u32 flags;
	bool done;

	if (fd < 0)
		return fd;
	at = find(fd);
	if (!at) {
		close(fd);
		return -ENOENT;
	}
	flags = get(fd, at + MSI_FLAGS, 2) & ~MSI_ENABLE;
	done = set(fd, at + MSI_ADDRESS_LOW, message->address, 4) &&
	       set(fd, at + MSI_ADDRESS_HIGH, message->address >> 32, 4) &&
	       set(fd, at + MSI_DATA, message->data, 2) &&
	       set(fd, at + MSI_FLAGS, flags | (message->enabled ? MSI_ENABLE : 0), 2);
	close(fd);
	return done ? 0 : -EIO;
}
