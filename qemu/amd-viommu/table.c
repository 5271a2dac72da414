// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest's device table says, brought into effect. A guest announces a changed
 * entry by INVALIDATE_DEVTAB_ENTRY, and has written all of it by then. Whatever an entry
 * is, it harms nobody but the guest: what cannot be used blocks its device.
 */
#include "amd-viommu.h"
#include "exec/address-spaces.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"

#define ENTRY_SIZE		32
#define VALID			1
#define COMMAND_SIZE		16
#define INVALIDATE_DEVTAB_ENTRY	2

static const uint64_t viommu_blocked_entry[4];

static struct viommu_device *viommu_device(AmdViommu *s, unsigned int n)
{
	return &g_array_index(s->devices, struct viommu_device, n);
}

void *viommu_ram(uint64_t address, uint64_t size, MemoryRegion **mr)
{
	hwaddr left = size, offset;

	RCU_READ_LOCK_GUARD();
	*mr = address_space_translate(&address_space_memory, address, &offset, &left, true,
				      MEMTXATTRS_UNSPECIFIED);
	if (left < size || !memory_access_is_direct(*mr, true, MEMTXATTRS_UNSPECIFIED))
		return NULL;
	memory_region_ref(*mr);
	return (uint8_t *)memory_region_get_ram_ptr(*mr) + offset;
}

/* The entry of a device; one outside the table, or of a table outside RAM, is not valid. */
static void viommu_read_entry(AmdViommu *s, uint16_t guest_id, uint64_t entry[4])
{
	uint64_t offset = (uint64_t)guest_id * ENTRY_SIZE;
	const uint64_t *words = (const uint64_t *)(s->table.entries + offset);
	unsigned int n;

	memset(entry, 0, ENTRY_SIZE);
	if (!s->table.entries || offset + ENTRY_SIZE > s->table.size)
		return;
	for (n = 0; n < 4; n++)
		entry[n] = le64_to_cpu(qatomic_read(&words[n]));
}

static void viommu_block(AmdViommu *s, struct viommu_device *device, int ret)
{
	viommu_count(s, &s->stats.blocked);
	if (ret == -EOPNOTSUPP && !device->told) {
		device->told = true;
		error_report(TYPE_AMD_VIOMMU
			     ": %02x:%02x.%x is blocked: page table of version 1 (guest without amd_iommu=pgtbl_v2)",
			     device->guest_id >> 8, PCI_SLOT(device->guest_id),
			     PCI_FUNC(device->guest_id));
	}
	viommu_attach_entry(s, device->guest_id, viommu_blocked_entry);
}

/* Whether an entry is no longer what the device has. */
static bool viommu_changed(AmdViommu *s, const struct viommu_device *device, uint64_t entry[4])
{
	viommu_read_entry(s, device->guest_id, entry);
	return !device->known || device->pending || memcmp(entry, device->entry, ENTRY_SIZE);
}

/* The devices have no entry, until the guest turns its IOMMU on again or moves the table. */
void viommu_table_block(AmdViommu *s)
{
	struct viommu_device *device;
	unsigned int n;

	for (n = 0; n < s->devices->len; n++) {
		device = viommu_device(s, n);
		memset(device->entry, 0, ENTRY_SIZE);
		device->known = true;
		device->pending = false;
		viommu_block(s, device, 0);
	}
}

static void viommu_apply(AmdViommu *s, struct viommu_device *device, const uint64_t entry[4])
{
	int ret = viommu_attach_entry(s, device->guest_id, entry);

	if (ret)
		viommu_block(s, device, ret);
	else
		viommu_count(s, &s->stats.attached);
}

/*
 * Has changed entries take effect. If they may not be coherent, those that are present
 * block their devices, and the result is true.
 */
bool viommu_table_compare(AmdViommu *s, bool coherent)
{
	struct viommu_device *device;
	uint64_t entry[4];
	bool pending = false;
	unsigned int n;

	for (n = 0; n < s->devices->len; n++) {
		device = viommu_device(s, n);
		if (!viommu_changed(s, device, entry))
			continue;
		memcpy(device->entry, entry, ENTRY_SIZE);
		device->known = true;
		device->pending = !coherent && (entry[0] & VALID);
		pending |= device->pending;
		if (device->pending)
			viommu_block(s, device, 0);
		else
			viommu_apply(s, device, entry);
	}
	return pending;
}

/* Whether an entry's change is announced by the commands between two tails. */
static bool viommu_announced(const uint8_t *queue, uint32_t size, uint32_t from, uint32_t to,
			     uint16_t guest_id)
{
	uint32_t at;

	for (at = from; at != to; at = (at + COMMAND_SIZE) % size) {
		if (ldl_le_p(queue + at + 4) >> 28 == INVALIDATE_DEVTAB_ENTRY &&
		    lduw_le_p(queue + at) == guest_id)
			return true;
	}
	return false;
}

/* Whether all changed entries have been announced by the commands between two tails. */
bool viommu_table_settled(AmdViommu *s, uint32_t from, uint32_t to)
{
	uint64_t base = s->table.registers[VIOMMU_COMMANDS / 8];
	uint32_t size = 16 << extract64(base, 56, 4);
	struct viommu_device *device;
	const uint8_t *queue;
	MemoryRegion *mr;
	uint64_t entry[4];
	unsigned int n;
	bool settled;

	queue = viommu_ram(base & MAKE_64BIT_MASK(12, 40), size, &mr);
	if (!queue)
		return false;
	/* Tails beyond the buffer are the guest's mistake. */
	settled = from < size && to < size;
	for (n = 0; n < s->devices->len && settled; n++) {
		device = viommu_device(s, n);
		settled = !viommu_changed(s, device, entry) ||
			  viommu_announced(queue, size, from, to, device->guest_id);
	}
	memory_region_unref(mr);
	return settled;
}

/* The guest's IOMMU is on, or its table elsewhere. */
void viommu_table_enable(AmdViommu *s)
{
	uint64_t base = s->table.registers[VIOMMU_TABLE / 8];
	struct viommu_table *table = &s->table;
	unsigned int n;

	viommu_unwatch(s);
	table->size = (extract64(base, 0, 9) + 1) * VIOMMU_PAGE;
	table->entries = viommu_ram(base & MAKE_64BIT_MASK(12, 40), table->size, &table->mr);
	if (table->entries)
		viommu_watch(s);
	else
		warn_report_once(TYPE_AMD_VIOMMU ": the guest's device table is not in its memory");
	for (n = 0; n < s->devices->len; n++)
		viommu_device(s, n)->known = false;
	viommu_table_compare(s, true);
	/* Not before: a command that announces an entry completes only when it is in force. */
	viommu_let_run(s);
}

/* The guest's IOMMU is off: it translates nothing. */
void viommu_table_disable(AmdViommu *s)
{
	unsigned int n;

	viommu_unwatch(s);
	for (n = 0; n < s->devices->len; n++) {
		viommu_detach_entry(s, viommu_device(s, n)->guest_id);
		viommu_count(s, &s->stats.detached);
	}
	viommu_let_run(s);
}
