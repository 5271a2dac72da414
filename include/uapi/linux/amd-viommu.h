/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/amd-viommu: hardware IOMMUs for guests of AMD hosts.
 *
 * UNSTABLE: numbers and structures may change with every version of the module.
 * Documentation/userspace-api/amd-viommu.rst says what each call does.
 *
 * Rules that hold for every call, as for iommufd: the first word is the size of
 * the caller's structure; a shorter structure than the kernel's is extended
 * with zeroes, a longer one must have nothing but zeroes behind the kernel's
 * (E2BIG); unknown flags and reserved words that are not zero are refused
 * (EOPNOTSUPP).
 */
#ifndef _UAPI_LINUX_AMD_VIOMMU_H
#define _UAPI_LINUX_AMD_VIOMMU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define AMD_VIOMMU_TYPE	0xb9

/* A PCI function: segment 31:16, bus 15:8, device 7:3, function 2:0. */

/* Bits of amd_viommu_info.modes */
#define AMD_VIOMMU_MODE_GPA		(1 << 1)	/* guest buffers are GPAs */

/**
 * struct amd_viommu_info - AMD_VIOMMU_GET_INFO
 * @size: sizeof(struct amd_viommu_info)
 * @flags: 0
 * @index: number of the host IOMMU, from 0; ENODEV behind the last one
 * @host: out, PCI function of the host IOMMU
 * @modes: out, AMD_VIOMMU_MODE_*; 0 where the hardware has no vIOMMU
 * @guests: out, how many guests it can serve at the same time
 * @efr: out, extended features of the hardware
 * @efr2: out, extended features 2 of the hardware
 * @guest_efr: out, extended features that a VMM may show to its guest at most
 * @guest_efr2: out, as @guest_efr
 * @mmap_len: out, length of the mapping that VM_INIT offers
 * @queue_max: out, largest size of a guest queue in bytes
 */
struct amd_viommu_info {
	__u32 size;
	__u32 flags;
	__u32 index;
	__u32 host;
	__u32 modes;
	__u32 guests;
	__aligned_u64 efr;
	__aligned_u64 efr2;
	__aligned_u64 guest_efr;
	__aligned_u64 guest_efr2;
	__aligned_u64 mmap_len;
	__aligned_u64 queue_max;
};
#define AMD_VIOMMU_GET_INFO	_IOWR(AMD_VIOMMU_TYPE, 0, struct amd_viommu_info)

/**
 * struct amd_viommu_vm_init - AMD_VIOMMU_VM_INIT
 * @size: sizeof(struct amd_viommu_vm_init)
 * @flags: 0
 * @host: PCI function of the host IOMMU
 * @device: PCI function of a device behind it
 * @group_fd: the VFIO group file that holds @device
 * @handle: out, names the vIOMMU in all other calls on this file
 * @mmap_offset: out, where to mmap() the VF page
 * @mmap_len: out, its length
 */
struct amd_viommu_vm_init {
	__u32 size;
	__u32 flags;
	__u32 host;
	__u32 device;
	__s32 group_fd;
	__u32 handle;
	__aligned_u64 mmap_offset;
	__aligned_u64 mmap_len;
};
#define AMD_VIOMMU_VM_INIT	_IOWR(AMD_VIOMMU_TYPE, 1, struct amd_viommu_vm_init)

/**
 * struct amd_viommu_vm - AMD_VIOMMU_VM_DESTROY, AMD_VIOMMU_VM_RESET, AMD_VIOMMU_VM_RUN
 * @size: sizeof(struct amd_viommu_vm)
 * @flags: AMD_VIOMMU_RUN or 0 for VM_RUN, 0 for the others
 * @handle: the vIOMMU
 * @reserved: 0
 */
struct amd_viommu_vm {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 reserved;
};
#define AMD_VIOMMU_VM_DESTROY	_IOW(AMD_VIOMMU_TYPE, 2, struct amd_viommu_vm)
#define AMD_VIOMMU_VM_RESET	_IOW(AMD_VIOMMU_TYPE, 3, struct amd_viommu_vm)

/* Flag of AMD_VIOMMU_VM_RUN: without it the guest's queues are stopped. */
#define AMD_VIOMMU_RUN			(1 << 0)

/*
 * Stops the guest's queues, or lets them run as far as the guest has enabled
 * them. They have stopped when the call returns. The guest's own enables stay
 * what they are.
 */
#define AMD_VIOMMU_VM_RUN	_IOW(AMD_VIOMMU_TYPE, 4, struct amd_viommu_vm)

/**
 * struct amd_viommu_device - AMD_VIOMMU_DEVICE_ATTACH, AMD_VIOMMU_DEVICE_DETACH
 * @size: sizeof(struct amd_viommu_device)
 * @flags: 0
 * @handle: the vIOMMU
 * @guest_id: requester ID that the guest knows, bus 15:8, device 7:3, function 2:0
 * @device: attach: PCI function of the device; detach: 0
 * @group_fd: attach: the VFIO group file that holds @device; detach: 0
 */
struct amd_viommu_device {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 guest_id;
	__u32 device;
	__s32 group_fd;
};
#define AMD_VIOMMU_DEVICE_ATTACH	_IOW(AMD_VIOMMU_TYPE, 5, struct amd_viommu_device)
#define AMD_VIOMMU_DEVICE_DETACH	_IOW(AMD_VIOMMU_TYPE, 6, struct amd_viommu_device)

/**
 * struct amd_viommu_domain - AMD_VIOMMU_DOMAIN_ATTACH, AMD_VIOMMU_DOMAIN_DETACH
 * @size: sizeof(struct amd_viommu_domain)
 * @flags: 0
 * @handle: the vIOMMU
 * @guest_id: the device, as in DEVICE_ATTACH
 * @dte: attach: the guest's device table entry; detach: zeroes
 */
struct amd_viommu_domain {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 guest_id;
	__aligned_u64 dte[4];
};
#define AMD_VIOMMU_DOMAIN_ATTACH	_IOW(AMD_VIOMMU_TYPE, 7, struct amd_viommu_domain)
#define AMD_VIOMMU_DOMAIN_DETACH	_IOW(AMD_VIOMMU_TYPE, 8, struct amd_viommu_domain)

/* Flag of AMD_VIOMMU_MMIO_ACCESS */
#define AMD_VIOMMU_MMIO_WRITE		(1 << 0)

/**
 * struct amd_viommu_mmio - AMD_VIOMMU_MMIO_ACCESS
 * @size: sizeof(struct amd_viommu_mmio)
 * @flags: AMD_VIOMMU_MMIO_WRITE or 0 for a read
 * @handle: the vIOMMU
 * @offset: in the guest's register window, a multiple of @length
 * @length: 4 or 8
 * @reserved: 0
 * @value: what is written, or out: what was read
 */
struct amd_viommu_mmio {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 offset;
	__u32 length;
	__u32 reserved;
	__aligned_u64 value;
};
#define AMD_VIOMMU_MMIO_ACCESS	_IOWR(AMD_VIOMMU_TYPE, 9, struct amd_viommu_mmio)

/* amd_viommu_queue.queue */
#define AMD_VIOMMU_QUEUE_CMD		0
#define AMD_VIOMMU_QUEUE_EVENT		1

/**
 * struct amd_viommu_queue - AMD_VIOMMU_CMDBUF_MAP_UPDATE
 * @size: sizeof(struct amd_viommu_queue)
 * @flags: 0
 * @handle: the vIOMMU
 * @queue: AMD_VIOMMU_QUEUE_*
 * @address: guest physical address, a multiple of 4096
 * @length: size in bytes, 4096 to 512 KiB, a power of two; 0: there is none
 */
struct amd_viommu_queue {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 queue;
	__aligned_u64 address;
	__aligned_u64 length;
};
#define AMD_VIOMMU_CMDBUF_MAP_UPDATE	_IOW(AMD_VIOMMU_TYPE, 10, struct amd_viommu_queue)

/* amd_viommu_eventfd.interrupt */
#define AMD_VIOMMU_INTERRUPT_EVENT	0	/* event log and COMPLETION_WAIT */
#define AMD_VIOMMU_INTERRUPT_PPR	1	/* page request log */

/**
 * struct amd_viommu_eventfd - AMD_VIOMMU_SET_EVENTFD
 * @size: sizeof(struct amd_viommu_eventfd)
 * @flags: 0
 * @handle: the vIOMMU
 * @interrupt: AMD_VIOMMU_INTERRUPT_*
 * @fd: eventfd that is signalled for each interrupt of the guest's IOMMU; -1: none
 * @reserved: 0
 */
struct amd_viommu_eventfd {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 interrupt;
	__s32 fd;
	__u32 reserved;
};
#define AMD_VIOMMU_SET_EVENTFD	_IOW(AMD_VIOMMU_TYPE, 11, struct amd_viommu_eventfd)

/* amd_viommu_event.version */
#define AMD_VIOMMU_EVENT_VERSION	1

/* amd_viommu_event.type */
#define AMD_VIOMMU_EVENT_LOST		0	/* nothing but that events were lost */
#define AMD_VIOMMU_EVENT_DEVICE		1	/* something was refused to a device */
#define AMD_VIOMMU_EVENT_QUEUE		2	/* an error in a queue, which may have stopped */
#define AMD_VIOMMU_EVENT_HARDWARE	3	/* all queues rest until VM_RESET */
#define AMD_VIOMMU_EVENT_DEVICE_LEFT	4	/* a device was taken away */
#define AMD_VIOMMU_EVENT_IOMMU_GONE	5	/* the host's IOMMU was taken away */
#define AMD_VIOMMU_EVENT_HUSHED		6	/* a device causes too many events */

/* Bits of amd_viommu_event.flags */
#define AMD_VIOMMU_EVENT_OVERFLOW	(1 << 0)	/* others may have been lost, uncounted */
#define AMD_VIOMMU_EVENT_HAS_PASID	(1 << 1)
#define AMD_VIOMMU_EVENT_HAS_ADDRESS	(1 << 2)

/**
 * struct amd_viommu_event - what read() gives, one after the other
 * @version: AMD_VIOMMU_EVENT_VERSION
 * @size: bytes of this record
 * @type: AMD_VIOMMU_EVENT_*
 * @handle: the vIOMMU
 * @flags: AMD_VIOMMU_EVENT_OVERFLOW, AMD_VIOMMU_EVENT_HAS_*
 * @sequence: grows by 1 + @lost from record to record
 * @lost: how many were lost directly before this one
 * @guest_id: DEVICE, DEVICE_LEFT, HUSHED: the device, as in DEVICE_ATTACH
 * @code: DEVICE, QUEUE, HARDWARE: code of the hardware's event, or 0
 * @access: its flags, bit 0 is bit 16 of its second word
 * @pasid: with AMD_VIOMMU_EVENT_HAS_PASID
 * @address: with AMD_VIOMMU_EVENT_HAS_ADDRESS: what the request was for
 * @reserved: 0
 */
struct amd_viommu_event {
	__u16 version;
	__u16 size;
	__u32 type;
	__u32 handle;
	__u32 flags;
	__aligned_u64 sequence;
	__aligned_u64 lost;
	__u32 guest_id;
	__u32 code;
	__u32 access;
	__u32 pasid;
	__aligned_u64 address;
	__aligned_u64 reserved;
};

#endif /* _UAPI_LINUX_AMD_VIOMMU_H */
