/* SPDX-License-Identifier: GPL-2.0 */
/* Interrupts of a guest's IOMMU: what its VMM does for them, and what its driver does about them. */
#ifndef VIOMMU_INTERRUPTS_H
#define VIOMMU_INTERRUPTS_H

#include <poll.h>
#include <sys/eventfd.h>

#include "names.h"

#define CONTROL_EVENT_INT	(1ULL << 3)
#define CONTROL_WAIT_INT	(1ULL << 4)
#define STATUS_WAIT		(1U << 2)
#define REASONS			(STATUS_OVERFLOW | STATUS_EVENT | STATUS_WAIT)
/* COMPLETION_WAIT: interrupt. */
#define WAIT_I			(1U << 1)
/* The host's vectors for them in /proc/interrupts. */
#define VECTORS			"amd_viommu guests"

static inline int set_eventfd_of(struct vmm *vmm, __u32 interrupt, int fd)
{
	struct amd_viommu_eventfd eventfd = {
		.size = sizeof(eventfd),
		.handle = vmm->handle,
		.interrupt = interrupt,
		.fd = fd,
	};

	return node_call(vmm->node, AMD_VIOMMU_SET_EVENTFD, &eventfd);
}

static inline int set_eventfd(struct vmm *vmm, int fd)
{
	return set_eventfd_of(vmm, AMD_VIOMMU_INTERRUPT_EVENT, fd);
}

/* Waits for the eventfd; how often it was signalled, 0 if it was not. */
static inline __u64 signals(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	__u64 count = 0;

	if (poll(&poll_fd, 1, timeout_ms) != 1 || read(fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

/* The guest has seen what the interrupt was for. */
static inline void acknowledge(struct vmm *vmm)
{
	vmm_set(vmm, PAGE_STATUS, REASONS);
}

/* As Linux has it. */
static inline int boot(struct vmm *vmm)
{
	return guest_boot(vmm) ?:
	       guest_write(vmm, REG_CONTROL, CONTROL_ALL | CONTROL_EVENT_INT | CONTROL_WAIT_INT);
}

/* A COMPLETION_WAIT that interrupts, and is executed. */
static inline int wait_interrupting(struct vmm *vmm)
{
	struct guest_command command = guest_wait_command(GUEST_STORE + 8, 0);

	command.word[0] |= WAIT_I;
	return guest_do(vmm, command);
}

/* Writes a CPU list to all interrupts of guests. */
static inline unsigned int move_vectors(const char *cpu)
{
	char line[512], path[64];
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned int irq, moved = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, VECTORS) || sscanf(line, "%u:", &irq) != 1)
			continue;
		snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity_list", irq);
		moved += !file_write(path, cpu);
	}
	if (file)
		fclose(file);
	return moved;
}

#endif
