// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "node.h"

int node_open(void)
{
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int node_call(int node, unsigned long request, void *argument)
{
	return ioctl(node, request, argument) ? -errno : 0;
}

__u32 node_function(const char *name)
{
	unsigned int segment, bus, device, function;

	if (sscanf(name, "%x:%x:%x.%x", &segment, &bus, &device, &function) != 4)
		return ~0U;
	return segment << 16 | bus << 8 | device << 3 | function;
}

int node_info(int node, __u32 index, struct amd_viommu_info *info)
{
	*info = (struct amd_viommu_info){ .size = sizeof(*info), .index = index };
	return node_call(node, AMD_VIOMMU_GET_INFO, info);
}

int node_init(int node, __u32 host, const char *device, int group,
	      struct amd_viommu_vm_init *init)
{
	*init = (struct amd_viommu_vm_init){
		.size = sizeof(*init),
		.host = host,
		.device = node_function(device),
		.group_fd = group,
	};
	return node_call(node, AMD_VIOMMU_VM_INIT, init);
}

static int call_vm(int node, unsigned long request, __u32 handle, __u32 flags)
{
	struct amd_viommu_vm vm = { .size = sizeof(vm), .flags = flags, .handle = handle };

	return node_call(node, request, &vm);
}

int node_destroy(int node, __u32 handle)
{
	return call_vm(node, AMD_VIOMMU_VM_DESTROY, handle, 0);
}

int node_reset(int node, __u32 handle)
{
	return call_vm(node, AMD_VIOMMU_VM_RESET, handle, 0);
}

int node_run(int node, __u32 handle, __u32 flags)
{
	return call_vm(node, AMD_VIOMMU_VM_RUN, handle, flags);
}

int node_attach(int node, __u32 handle, __u32 guest_id, const char *device, int group)
{
	struct amd_viommu_device attach = {
		.size = sizeof(attach),
		.handle = handle,
		.guest_id = guest_id,
		.device = node_function(device),
		.group_fd = group,
	};

	return node_call(node, AMD_VIOMMU_DEVICE_ATTACH, &attach);
}

int node_detach(int node, __u32 handle, __u32 guest_id)
{
	struct amd_viommu_device detach = {
		.size = sizeof(detach),
		.handle = handle,
		.guest_id = guest_id,
	};

	return node_call(node, AMD_VIOMMU_DEVICE_DETACH, &detach);
}

int node_set_entry(int node, __u32 handle, __u32 guest_id, const __u64 dte[4])
{
	struct amd_viommu_domain domain = {
		.size = sizeof(domain),
		.handle = handle,
		.guest_id = guest_id,
	};

	memcpy(domain.dte, dte, sizeof(domain.dte));
	return node_call(node, AMD_VIOMMU_DOMAIN_ATTACH, &domain);
}

int node_clear_entry(int node, __u32 handle, __u32 guest_id)
{
	struct amd_viommu_domain domain = {
		.size = sizeof(domain),
		.handle = handle,
		.guest_id = guest_id,
	};

	return node_call(node, AMD_VIOMMU_DOMAIN_DETACH, &domain);
}

int node_read(int node, __u32 handle, __u32 offset, __u32 length, __u64 *value)
{
	struct amd_viommu_mmio mmio = {
		.size = sizeof(mmio),
		.handle = handle,
		.offset = offset,
		.length = length,
	};
	int ret;

	ret = node_call(node, AMD_VIOMMU_MMIO_ACCESS, &mmio);
	*value = mmio.value;
	return ret;
}

int node_write(int node, __u32 handle, __u32 offset, __u32 length, __u64 value)
{
	struct amd_viommu_mmio mmio = {
		.size = sizeof(mmio),
		.flags = AMD_VIOMMU_MMIO_WRITE,
		.handle = handle,
		.offset = offset,
		.length = length,
		.value = value,
	};

	return node_call(node, AMD_VIOMMU_MMIO_ACCESS, &mmio);
}

int node_queue(int node, __u32 handle, __u32 queue, __u64 address, __u64 length)
{
	struct amd_viommu_queue update = {
		.size = sizeof(update),
		.handle = handle,
		.queue = queue,
		.address = address,
		.length = length,
	};

	return node_call(node, AMD_VIOMMU_CMDBUF_MAP_UPDATE, &update);
}
