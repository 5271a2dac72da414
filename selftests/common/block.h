/* SPDX-License-Identifier: GPL-2.0 */
/* NVMe namespaces: find, and put under a load that checks every byte. */
#ifndef VIOMMU_BLOCK_H
#define VIOMMU_BLOCK_H

#include <stddef.h>
#include <linux/types.h>

#include "pci.h"

/* Class, subclass and programming interface of a controller. */
#define BLOCK_PCI_CLASS	0x010802

/* The test machine's two drives, told apart by serial number. */
#define BLOCK_DATA	"data"		/* ext4 with known files and SHA256SUMS. */
#define BLOCK_SCRATCH	"scratch"	/* Free to be overwritten. */

struct block {
	char path[64];			/* /dev/nvme0n1 */
	char pci[PCI_NAME_LEN];
	__u64 size;
};

/* What a load did. */
struct block_load {
	const char *path;
	__u64 size;
	unsigned int threads;
	unsigned int operations;	/* For each thread; 0: until stop is set. */
	int stop;
	__u64 bytes;			/* Written, read back and found right. */
	int error;			/* Negative errno; -EILSEQ for wrong bytes. */
};

/* Waits for the namespace of the controller with this serial number. */
int block_find(struct block *block, const char *serial, unsigned int timeout_ms);
/* Controllers that work and have another serial number. */
unsigned int block_others(const char *serial);
/* Takes every controller from its driver. */
int block_unbind_all(void);
/* Random writes and verified reads past the page cache, by several threads. */
int block_load_run(struct block_load *load);
/* The same in a thread of its own, until block_load_finish(). */
struct block_load_handle;
struct block_load_handle *block_load_start(struct block_load *load);
int block_load_finish(struct block_load_handle *handle);

/* A command of the driver's own queue, which no load uses. */
int block_command(const char *path);

/* Hash of the whole device, read past the page cache in pieces of this size. */
int block_hash(const char *path, size_t piece, __u64 *hash);

#endif
