// SPDX-License-Identifier: GPL-2.0
/*
 * stray DEVICE read|write ADDRESS
 *
 * Has the test device amd-viommu-dma (qemu/amd-viommu-hw) read or write eight
 * bytes at an address where nothing is mapped. No driver is needed: its
 * registers are reached through sysfs. Status 0 if the hardware refused.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci.h"
#include "util.h"

#define BAR_SIZE	(32 * KIB)
#define SIGNATURE	0x414d4456	/* "VDMA" */
#define LENGTH		8
#define WAIT_MS		2000

/* Registers are 64 bits wide; these are their numbers. */
enum { REG_ID, REG_ADDRESS, REG_LENGTH, REG_PASID, REG_CONTROL, REG_STATUS, REG_MOVED };

#define CONTROL_START		(1 << 0)
#define CONTROL_WRITE		(1 << 1)
#define STATUS_DONE		(1 << 0)
#define STATUS_ABORTED		(1 << 1)

static __u64 get(__u64 *regs, int reg)
{
	return __atomic_load_n(&regs[reg], __ATOMIC_SEQ_CST);
}

static void set(__u64 *regs, int reg, __u64 value)
{
	__atomic_store_n(&regs[reg], value, __ATOMIC_RELEASE);
}

static __u64 *map_registers(const char *name)
{
	char path[256];
	void *bar;
	int fd;

	if (pci_enable_dma(name))
		return NULL;
	pci_path(path, sizeof(path), name, "resource0");
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0)
		return NULL;
	bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return bar == MAP_FAILED ? NULL : bar;
}

static __u64 transfer(__u64 *regs, __u64 address, bool write)
{
	__u64 end = now_ms() + WAIT_MS;

	set(regs, REG_ADDRESS, address);
	set(regs, REG_LENGTH, LENGTH);
	set(regs, REG_PASID, 0);
	set(regs, REG_CONTROL, CONTROL_START | (write ? CONTROL_WRITE : 0));
	while (!(get(regs, REG_STATUS) & STATUS_DONE) && now_ms() < end)
		sleep_ms(1);
	return get(regs, REG_STATUS);
}

int main(int argc, char **argv)
{
	__u64 *regs;
	__u64 status;

	if (argc != 4) {
		fprintf(stderr, "usage: stray DEVICE read|write ADDRESS\n");
		return 2;
	}
	regs = map_registers(argv[1]);
	if (!regs || (__u32)get(regs, REG_ID) != SIGNATURE) {
		printf("%s: no registers of amd-viommu-dma\n", argv[1]);
		return 1;
	}
	status = transfer(regs, strtoull(argv[3], NULL, 0), !strcmp(argv[2], "write"));
	printf("%s: %s at %s: status 0x%llx, %llu bytes moved\n", argv[1], argv[2], argv[3],
	       status, get(regs, REG_MOVED));
	return status != (STATUS_DONE | STATUS_ABORTED) || get(regs, REG_MOVED);
}
