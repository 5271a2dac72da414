/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's IOMMU driver, in small: its registers, its queues and its tables. The trapped registers
 * are reached as a VMM does for its guest, heads, tails and status through the mapped page.
 */
#ifndef VIOMMU_GUEST_H
#define VIOMMU_GUEST_H

#include "vmm.h"

/* What lies where in the guest's memory, for its first vIOMMU. The rest is free for data. */
#define GUEST_COMMANDS	(GUEST_BASE)
#define GUEST_EVENTS	(GUEST_BASE + 512 * KIB)
#define GUEST_STORE	(GUEST_BASE + 768 * KIB)
#define GUEST_TABLES	(GUEST_BASE + 1 * MIB)
#define GUEST_DATA	(GUEST_BASE + 2 * MIB)

#define EVENTS_SIZE	4096

/* Trapped registers. */
#define REG_DEVICE_TABLE	0x00
#define REG_COMMANDS		0x08
#define REG_EVENTS		0x10
#define REG_CONTROL		0x18
#define REG_EFR			0x30
#define REG_EFR2		0x1a0

#define CONTROL_IOMMU		(1ULL << 0)
#define CONTROL_EVENTS		(1ULL << 2)
#define CONTROL_COMMANDS	(1ULL << 12)
#define CONTROL_GT		(1ULL << 16)
#define CONTROL_ALL		(CONTROL_IOMMU | CONTROL_EVENTS | CONTROL_COMMANDS | CONTROL_GT)

/* Registers of the mapped page, for vmm_get() and vmm_set(). */
#define PAGE_COMMAND_HEAD	0
#define PAGE_COMMAND_TAIL	1
#define PAGE_EVENT_HEAD		2
#define PAGE_EVENT_TAIL		3
#define PAGE_STATUS		4

#define STATUS_OVERFLOW		(1U << 0)
#define STATUS_EVENT		(1U << 1)
#define STATUS_EVENTS_RUN	(1U << 3)
#define STATUS_COMMANDS_RUN	(1U << 4)

int guest_read(struct vmm *vmm, __u32 reg, __u64 *value);
int guest_write(struct vmm *vmm, __u32 reg, __u64 value);
/* The base register of a queue of this size. */
__u64 guest_base(__u64 address, __u64 size);

/* Sets up command buffer and event log as Linux does, and enables everything. */
int guest_boot(struct vmm *vmm);
/* The same with a command buffer of this size. */
int guest_boot_with(struct vmm *vmm, __u32 queue_size);
__u32 guest_status(struct vmm *vmm);
/* Waits until these bits of the status are as wanted. */
bool guest_status_becomes(struct vmm *vmm, __u32 mask, __u32 wanted);

/*
 * Commands. They are put into the buffer, which must have room (-ENOSPC), and executed from
 * guest_ring() on.
 */
struct guest_command {
	__u32 word[4];
};

int guest_put(struct vmm *vmm, struct guest_command command);
void guest_ring(struct vmm *vmm);
struct guest_command guest_wait_command(__u64 store, __u64 value);
struct guest_command guest_entry_command(__u16 device);
/* All of a domain: its pages, and the tables that lead to them. */
struct guest_command guest_domain_command(__u16 domain);
/* One page of a domain, for a PASID. */
struct guest_command guest_page_command(__u16 domain, __u32 pasid, __u64 address);
/* COMPLETION_WAIT: has all that was put been done? -ETIMEDOUT if not after some seconds. */
int guest_sync(struct vmm *vmm);
/* One command, and COMPLETION_WAIT. */
int guest_do(struct vmm *vmm, struct guest_command command);

/* The next event of the guest's log; false if there is none. */
struct guest_event {
	unsigned int code, flags;
	__u16 device, low;		/* low: DomainID, or PASID 15:0. */
	__u64 address;
};

bool guest_event(struct vmm *vmm, struct guest_event *event);
/* Waits for it some time. */
bool guest_event_wait(struct vmm *vmm, struct guest_event *event);

/* Tables. A page that is handed out is not given back before the VM ends. */
__u64 guest_page(struct vmm *vmm);

#define GUEST_RW	(1ULL << 1)
#define GUEST_RO	0

/* Maps 4 KiB in the table with this root. */
void guest_map(struct vmm *vmm, __u64 root, __u64 address, __u64 gpa, __u64 flags);
/* Maps 2 MiB. */
void guest_map_large(struct vmm *vmm, __u64 root, __u64 address, __u64 gpa, __u64 flags);
/* Takes the page out of the table, and invalidates nothing. */
void guest_unmap(struct vmm *vmm, __u64 root, __u64 address);

/* A domain of the guest: a GCR3 table of one level, with tables of four levels for each PASID. */
struct guest_domain {
	__u16 id;
	__u64 gcr3, root;		/* root: that of PASID 0. */
};

void guest_domain_make(struct vmm *vmm, struct guest_domain *domain, __u16 id);
/* Root of a new table for this PASID. */
__u64 guest_pasid(struct vmm *vmm, struct guest_domain *domain, unsigned int pasid);

/* Bits of a device table entry's first word. */
#define DTE_V		(1ULL << 0)
#define DTE_TV		(1ULL << 1)
#define DTE_MODE(n)	((__u64)(n) << 9)
#define DTE_GIOV	(1ULL << 54)
#define DTE_GV		(1ULL << 55)
#define DTE_GLX(n)	((__u64)(n) << 56)
#define DTE_IR		(1ULL << 61)
#define DTE_IW		(1ULL << 62)

/* The entry of a device in this domain. Without one: guest physical addresses. */
void guest_entry(const struct guest_domain *domain, __u64 dte[4]);
void guest_identity_entry(__u16 domain, __u64 flags, __u64 dte[4]);
/* The guest puts the device into the domain, and the VMM follows. */
int guest_attach(struct vmm *vmm, struct vmm_device *dev, const struct guest_domain *domain);

#endif
