// SPDX-License-Identifier: GPL-2.0
/* RAM, as the IOMMU and its test device access it: anything else refuses. */
#include "qemu/osdep.h"
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "amd-viommu-space.h"

/* RAM at an address, or NULL. Within an RCU critical section. */
static void *viommu_ram(uint64_t addr, size_t len, bool is_write,
			MemoryRegion **mr, hwaddr *offset)
{
	hwaddr left = len;

	*mr = address_space_translate(&address_space_memory, addr, offset, &left,
				      is_write, MEMTXATTRS_UNSPECIFIED);
	if (left < len || !memory_access_is_direct(*mr, is_write, MEMTXATTRS_UNSPECIFIED))
		return NULL;
	return (uint8_t *)memory_region_get_ram_ptr(*mr) + *offset;
}

/*
 * Hardware reads a table entry as one access, copying does not: so copy until the
 * same comes out twice. A processor that never stops writing gets what it deserves.
 */
static void viommu_copy(void *buf, const void *ram, size_t len)
{
	uint8_t again[64];
	unsigned int tries;

	memcpy(buf, ram, len);
	if (len > sizeof(again))
		return;
	for (tries = 0; tries < 16; tries++) {
		/* The second look is a new one. */
		smp_rmb();
		memcpy(again, ram, len);
		if (!memcmp(buf, again, len))
			return;
		memcpy(buf, again, len);
	}
}

bool viommu_memory_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	MemoryRegion *mr;
	hwaddr offset;
	void *ram;

	RCU_READ_LOCK_GUARD();
	ram = viommu_ram(addr, len, false, &mr, &offset);
	if (!ram)
		return false;
	if (len == 8 && !(addr & 7))
		*(uint64_t *)buf = qatomic_read((uint64_t *)ram);
	else
		viommu_copy(buf, ram, len);
	return true;
}

bool viommu_memory_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
	MemoryRegion *mr;
	hwaddr offset;

	RCU_READ_LOCK_GUARD();
	if (!viommu_ram(addr, len, true, &mr, &offset))
		return false;
	return address_space_write(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED,
				   buf, len) == MEMTX_OK;
}

bool viommu_memory_exchange(void *opaque, uint64_t addr, uint64_t old,
			    uint64_t new, uint64_t *found)
{
	MemoryRegion *mr;
	hwaddr offset;
	uint64_t *ram;

	RCU_READ_LOCK_GUARD();
	ram = viommu_ram(addr, sizeof(*ram), true, &mr, &offset);
	if (!ram || (addr & 7))
		return false;
	*found = le64_to_cpu(qatomic_cmpxchg(ram, cpu_to_le64(old), cpu_to_le64(new)));
	memory_region_set_dirty(mr, offset, sizeof(*ram));
	return true;
}
