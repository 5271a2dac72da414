/* SPDX-License-Identifier: GPL-2.0 */
/*
 * IO_PAGE_FAULT lines of the kernel log.
 *
 * Two formats are read: that of amd_viommu, and that of the kernel's built-in
 * AMD driver, so that the tests themselves can be tried against a known driver.
 */
#ifndef VIOMMU_FAULT_H
#define VIOMMU_FAULT_H

#include <stdbool.h>
#include <linux/types.h>

#include "kmsg.h"
#include "pci.h"

/* Longer than the interval of the kernel's usual log rate limit. */
#define FAULT_LIMIT_MS	5500

/* Flags of the event, dw1[27:16]. */
#define FAULT_GN	(1U << 0)
#define FAULT_NX	(1U << 1)
#define FAULT_US	(1U << 2)
#define FAULT_I		(1U << 3)
#define FAULT_PR	(1U << 4)
#define FAULT_RW	(1U << 5)
#define FAULT_PE	(1U << 6)
#define FAULT_RZ	(1U << 7)
#define FAULT_TR	(1U << 8)

struct fault {
	char device[PCI_NAME_LEN];
	__u64 address;
	unsigned int flags;
	char line[KMSG_LINE_MAX];
};

bool fault_parse(const char *line, struct fault *fault);
/* Next fault in the log; waits up to timeout_ms for it. */
bool fault_wait(int kmsg, struct fault *fault, unsigned int timeout_ms);
/* Next fault of this device inside the given bytes. */
bool fault_wait_at(int kmsg, struct fault *fault, const char *device,
		   __u64 address, __u64 size, unsigned int timeout_ms);
/*
 * Do the flags tell a write (or a read), and whether it was a missing mapping or
 * a missing permission?
 */
bool fault_flags_ok(const struct fault *fault, bool write, bool present);

/*
 * Is the next fault of this device inside these bytes reported, and right?
 * "" if so, or what is wrong. A machine that is known to report no faults
 * says so on its kernel command line (viommu.faults=0); then nothing can be
 * expected of the log, and "" is returned at once.
 */
const char *fault_check(int kmsg, const char *device, __u64 address, __u64 size,
			bool write, bool present);
bool faults_reported(void);

#endif
