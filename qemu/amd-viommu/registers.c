// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's register window of 16 KiB. Its third page is the hardware's own, and the
 * guest uses it without leaving; the others are the kernel's to answer. Writes that
 * say where tables and queues are, and whether they are used, are acted on here first.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/i386/e820_memory_layout.h"
#include <linux/amd-viommu.h>

#define VF_PAGE		0x2000
#define IOMMU_EN	(1 << 0)
#define EVENT_LOG_EN	(1 << 2)
#define CMD_BUF_EN	(1 << 12)

static uint64_t viommu_trap_read(void *opaque, hwaddr address, unsigned int size)
{
	AmdViommu *s = opaque;

	viommu_count_trap(s, address, false);
	return viommu_read_register(s, address, size);
}

/* The kernel starts a queue only where it has been told of it. */
static void viommu_move_queue(AmdViommu *s, uint32_t queue, uint64_t base)
{
	unsigned int code = extract64(base, 56, 4);
	uint64_t length = code < 8 ? 0 : 16ULL << code;

	/* Half of the register has yet to be written. */
	if (!length)
		return;
	viommu_map_queue(s, queue, base & MAKE_64BIT_MASK(12, 40), length);
}

/* The base of a queue that runs cannot change, so the kernel must not hear of another. */
static bool viommu_is_in_use(AmdViommu *s, uint32_t offset)
{
	uint64_t control = s->table.registers[VIOMMU_CONTROL / 8];

	if (!(control & IOMMU_EN))
		return false;
	return (offset == VIOMMU_COMMANDS && (control & CMD_BUF_EN)) ||
	       (offset == VIOMMU_EVENTS && (control & EVENT_LOG_EN));
}

/* What has to be done before a base register is written. */
static void viommu_before(AmdViommu *s, uint32_t offset, uint64_t old, uint64_t value)
{
	bool on = s->table.registers[VIOMMU_CONTROL / 8] & IOMMU_EN;

	switch (offset) {
	case VIOMMU_TABLE:
		if (on && old != value)
			viommu_table_enable(s);
		break;
	case VIOMMU_COMMANDS:
		viommu_move_queue(s, AMD_VIOMMU_QUEUE_CMD, value);
		break;
	case VIOMMU_EVENTS:
		viommu_move_queue(s, AMD_VIOMMU_QUEUE_EVENT, value);
		break;
	}
}

/*
 * When the host's IOMMU has failed for the guest nothing but VM_RESET lets its queues run again, and
 * it is done too when nobody knows why a queue has stopped.
 * A driver that starts over turns its IOMMU off first. It finds its registers as it wrote them:
 * what the kernel forgets it is told again. Devices reach all memory after VM_RESET, as they do
 * while the guest's IOMMU is off.
 */
static void viommu_repair(AmdViommu *s)
{
	const uint64_t *known = s->table.registers;
	uint32_t offset;

	if (!s->failed || viommu_reset_vm(s))
		return;
	viommu_count(s, &s->stats.repaired);
	viommu_move_queue(s, AMD_VIOMMU_QUEUE_CMD, known[VIOMMU_COMMANDS / 8]);
	viommu_move_queue(s, AMD_VIOMMU_QUEUE_EVENT, known[VIOMMU_EVENTS / 8]);
	for (offset = 0; offset < VIOMMU_REGISTERS; offset += 8)
		viommu_write_register(s, offset, 8, known[offset / 8]);
}

/*
 * The devices have what the table says when the write that enables the IOMMU reaches the queues.
 * A repair comes after the write that turns the IOMMU off; or, when the failure has not been known
 * by then, before the next.
 */
static void viommu_write_control(AmdViommu *s, uint64_t address, uint64_t value, unsigned int size)
{
	uint64_t *known = &s->table.registers[VIOMMU_CONTROL / 8];
	uint64_t old = *known;

	if (!(old & IOMMU_EN))
		viommu_repair(s);
	*known = deposit64(old, address % 8 * 8, size * 8, value);
	if ((*known & IOMMU_EN) && !(old & IOMMU_EN))
		viommu_table_enable(s);
	viommu_write_register(s, address, size, value);
	if (*known & IOMMU_EN)
		return;
	if (old & IOMMU_EN)
		viommu_table_disable(s);
	viommu_repair(s);
}

static void viommu_write_known(AmdViommu *s, uint64_t address, uint64_t value, unsigned int size)
{
	uint32_t offset = address & ~7;
	uint64_t *known = &s->table.registers[offset / 8];
	uint64_t old = *known;

	if (viommu_is_in_use(s, offset))
		return;
	*known = deposit64(old, address % 8 * 8, size * 8, value);
	viommu_before(s, offset, old, *known);
	viommu_write_register(s, address, size, value);
}

static void viommu_trap_write(void *opaque, hwaddr address, uint64_t value, unsigned int size)
{
	AmdViommu *s = opaque;

	viommu_count_trap(s, address, true);
	if (address >= VIOMMU_REGISTERS) {
		viommu_write_register(s, address, size, value);
		return;
	}
	if (address >= VIOMMU_CONTROL)
		viommu_read_waiting_events(s);
	QEMU_LOCK_GUARD(&s->table.lock);
	if (address >= VIOMMU_CONTROL)
		viommu_write_control(s, address, value, size);
	else
		viommu_write_known(s, address, value, size);
}

static const MemoryRegionOps viommu_register_ops = {
	.read = viommu_trap_read,
	.write = viommu_trap_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 4, .max_access_size = 8 },
	.impl = { .min_access_size = 4, .max_access_size = 8 },
};

bool viommu_place_window(AmdViommu *s, Error **errp)
{
	MemoryRegionSection there;

	if (s->mmio % VIOMMU_WINDOW) {
		error_setg(errp, "mmio=0x%" PRIx64 ": not a multiple of 0x%x", s->mmio,
			   VIOMMU_WINDOW);
		return false;
	}
	there = memory_region_find(get_system_memory(), s->mmio, VIOMMU_WINDOW);
	if (there.mr) {
		error_setg(errp, "mmio=0x%" PRIx64 ": '%s' is there already", s->mmio,
			   memory_region_name(there.mr));
		memory_region_unref(there.mr);
		return false;
	}
	memory_region_init(&s->window, OBJECT(s), "amd-viommu-window", VIOMMU_WINDOW);
	memory_region_init_io(&s->registers, OBJECT(s), &viommu_register_ops, s,
			      "amd-viommu-registers", VIOMMU_WINDOW);
	memory_region_add_subregion(&s->window, 0, &s->registers);
	memory_region_add_subregion(get_system_memory(), s->mmio, &s->window);
	e820_add_entry(s->mmio, VIOMMU_WINDOW, E820_RESERVED);
	return true;
}

void viommu_place_vf_page(AmdViommu *s)
{
	memory_region_init_ram_device_ptr(&s->vf_region, OBJECT(s), "amd-viommu-vf-page",
					  VIOMMU_PAGE, s->vf_page);
	memory_region_add_subregion_overlap(&s->window, VF_PAGE, &s->vf_region, 1);
}
