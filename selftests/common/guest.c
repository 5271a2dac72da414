// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "guest.h"

#define SYNC_MS			20000
#define EVENT_MS		3000
#define QUEUE_SIZE		8192

#define COMMAND_WAIT		1U
#define COMMAND_ENTRY		2U
#define COMMAND_PAGES		3U
#define WAIT_STORE		(1U << 0)
#define PAGES_S			(1U << 0)
#define PAGES_PDE		(1U << 1)
#define PAGES_GN		(1U << 2)
#define ALL_PAGES		0x7ffffffffffff000ULL

int guest_read(struct vmm *vmm, __u32 reg, __u64 *value)
{
	return node_read(vmm->node, vmm->handle, reg, 8, value);
}

int guest_write(struct vmm *vmm, __u32 reg, __u64 value)
{
	return node_write(vmm->node, vmm->handle, reg, 8, value);
}

__u64 guest_base(__u64 address, __u64 size)
{
	__u64 code = 8;

	while (16ULL << code < size)
		code++;
	return address | code << 56;
}

/* Where this vIOMMU has what usually lies at the address. */
static __u64 place(const struct vmm *vmm, __u64 address)
{
	return address + vmm->shift;
}

static int set_queue(struct vmm *vmm, __u32 queue, __u32 reg, __u64 address, __u64 size)
{
	return node_queue(vmm->node, vmm->handle, queue, address, size) ?:
	       guest_write(vmm, reg, guest_base(address, size));
}

int guest_boot_with(struct vmm *vmm, __u32 queue_size)
{
	int ret;

	ret = guest_write(vmm, REG_CONTROL, 0) ?:
	      set_queue(vmm, AMD_VIOMMU_QUEUE_CMD, REG_COMMANDS,
			place(vmm, GUEST_COMMANDS), queue_size);
	if (ret)
		return ret;
	vmm->queue_size = queue_size;
	vmm->tail = 0;
	vmm_set(vmm, PAGE_COMMAND_HEAD, 0);
	vmm_set(vmm, PAGE_COMMAND_TAIL, 0);
	ret = guest_write(vmm, REG_CONTROL, CONTROL_COMMANDS | CONTROL_GT) ?:
	      guest_write(vmm, REG_CONTROL, CONTROL_COMMANDS | CONTROL_GT | CONTROL_IOMMU) ?:
	      set_queue(vmm, AMD_VIOMMU_QUEUE_EVENT, REG_EVENTS,
			place(vmm, GUEST_EVENTS), EVENTS_SIZE);
	if (ret)
		return ret;
	vmm_set(vmm, PAGE_EVENT_HEAD, 0);
	vmm_set(vmm, PAGE_EVENT_TAIL, 0);
	memset(vmm_at(vmm, place(vmm, GUEST_EVENTS)), 0, EVENTS_SIZE);
	return guest_write(vmm, REG_CONTROL, CONTROL_ALL);
}

int guest_boot(struct vmm *vmm)
{
	return guest_boot_with(vmm, QUEUE_SIZE);
}

__u32 guest_status(struct vmm *vmm)
{
	return vmm_get(vmm, PAGE_STATUS);
}

bool guest_status_becomes(struct vmm *vmm, __u32 mask, __u32 wanted)
{
	__u64 end = now_ms() + EVENT_MS;

	while ((guest_status(vmm) & mask) != wanted) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

int guest_put(struct vmm *vmm, struct guest_command command)
{
	__u32 next = (vmm->tail + sizeof(command)) % vmm->queue_size;

	if (next == vmm_get(vmm, PAGE_COMMAND_HEAD))
		return -ENOSPC;
	memcpy(vmm_at(vmm, place(vmm, GUEST_COMMANDS) + vmm->tail), &command, sizeof(command));
	vmm->tail = next;
	return 0;
}

void guest_ring(struct vmm *vmm)
{
	vmm_set(vmm, PAGE_COMMAND_TAIL, vmm->tail);
}

struct guest_command guest_wait_command(__u64 store, __u64 value)
{
	return (struct guest_command){ {
		(__u32)store | WAIT_STORE, COMMAND_WAIT << 28 | (__u32)(store >> 32),
		(__u32)value, (__u32)(value >> 32)
	} };
}

struct guest_command guest_entry_command(__u16 device)
{
	return (struct guest_command){ { device, COMMAND_ENTRY << 28 } };
}

static struct guest_command pages_command(__u16 domain, __u32 pasid, __u64 address, __u32 flags)
{
	return (struct guest_command){ {
		pasid, COMMAND_PAGES << 28 | domain, (__u32)address | flags, (__u32)(address >> 32)
	} };
}

struct guest_command guest_domain_command(__u16 domain)
{
	return pages_command(domain, 0, ALL_PAGES, PAGES_S | PAGES_PDE);
}

struct guest_command guest_page_command(__u16 domain, __u32 pasid, __u64 address)
{
	return pages_command(domain, pasid, address, PAGES_GN);
}

int guest_sync(struct vmm *vmm)
{
	__u64 store = place(vmm, GUEST_STORE), *stored = vmm_at(vmm, store);
	__u64 value = ++vmm->waits, end = now_ms() + SYNC_MS;
	int ret;

	ret = guest_put(vmm, guest_wait_command(store, value));
	if (ret)
		return ret;
	guest_ring(vmm);
	while (__atomic_load_n(stored, __ATOMIC_ACQUIRE) != value) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

int guest_do(struct vmm *vmm, struct guest_command command)
{
	return guest_put(vmm, command) ?: guest_sync(vmm);
}

bool guest_event(struct vmm *vmm, struct guest_event *event)
{
	__u32 head = vmm_get(vmm, PAGE_EVENT_HEAD), word[4];
	void *entry = vmm_at(vmm, place(vmm, GUEST_EVENTS) + head);

	if (head == vmm_get(vmm, PAGE_EVENT_TAIL))
		return false;
	memcpy(word, entry, sizeof(word));
	/* The tail may have moved before the entry is there. */
	if (!(word[1] >> 28))
		return false;
	memset(entry, 0, sizeof(word));
	event->code = word[1] >> 28;
	event->flags = word[1] >> 16 & 0xfff;
	event->device = word[0];
	event->low = word[1];
	event->address = (__u64)word[3] << 32 | word[2];
	vmm_set(vmm, PAGE_EVENT_HEAD, (head + sizeof(word)) % EVENTS_SIZE);
	return true;
}

bool guest_event_wait(struct vmm *vmm, struct guest_event *event)
{
	__u64 end = now_ms() + EVENT_MS;

	while (!guest_event(vmm, event)) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}
