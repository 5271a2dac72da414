/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The calls of /dev/amd-viommu as functions that return 0 or a negative errno.
 * Documentation/userspace-api/amd-viommu.rst says what each call does.
 */
#ifndef VIOMMU_NODE_H
#define VIOMMU_NODE_H

#include "../../include/uapi/linux/amd-viommu.h"

#define NODE		"/dev/amd-viommu"

/* A file descriptor. */
int node_open(void);
/* Any call with any argument. */
int node_call(int node, unsigned long request, void *argument);
/* The number by which calls name the PCI function "0000:00:04.0". */
__u32 node_function(const char *name);

int node_info(int node, __u32 index, struct amd_viommu_info *info);
/* Sets size, host, device and group_fd of init, and makes the call. */
int node_init(int node, __u32 host, const char *device, int group,
	      struct amd_viommu_vm_init *init);
int node_destroy(int node, __u32 handle);
int node_reset(int node, __u32 handle);
/* flags: AMD_VIOMMU_RUN or 0. */
int node_run(int node, __u32 handle, __u32 flags);
int node_attach(int node, __u32 handle, __u32 guest_id, const char *device, int group);
int node_detach(int node, __u32 handle, __u32 guest_id);
int node_set_entry(int node, __u32 handle, __u32 guest_id, const __u64 dte[4]);
int node_clear_entry(int node, __u32 handle, __u32 guest_id);
int node_read(int node, __u32 handle, __u32 offset, __u32 length, __u64 *value);
int node_write(int node, __u32 handle, __u32 offset, __u32 length, __u64 value);
int node_queue(int node, __u32 handle, __u32 queue, __u64 address, __u64 length);

#endif
