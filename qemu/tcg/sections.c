// SPDX-License-Identifier: GPL-2.0
/*
 * Which region an access goes to while another processor changes the memory map.
 *
 * TCG's TLB names the region behind an I/O page by a number: a place in the list of the
 * address space's regions. In QEMU 10.0 a change of the map, as by a device's reset,
 * makes a new list at once, and a processor drops its TLB only when it comes to it.
 * What it writes in between goes to a region that has got the old number: an EOI for the
 * local APIC is lost, and the timer with it, or QEMU ends by the assertion in
 * iotlb_to_section().
 *
 * Here a number means the same region for as long as a TLB may know it: it is a place in a
 * table that only grows, and when that is full, the place that has not been asked for
 * longest. Thousands of others have been asked for since then, by accesses after changes
 * of the map, each of which has made every processor drop its TLB.
 *
 * A place holds no reference to its region. A region that leaves the map is freed after an
 * RCU grace period, and a processor is inside one read section until it drops its TLB.
 * (Except for the single instruction that it executes with all others stopped, which QEMU
 * itself does not protect.)
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/thread.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "exec/memory.h"
#include "patch.h"

/* As many as there are numbers in the TLB's word. */
#define PLACES		(1 << TARGET_PAGE_BITS)

/* Of a section TCG looks at the region only. */
static MemoryRegionSection place[PLACES];
static uint64_t asked[PLACES];
static unsigned int places;
static uint64_t questions;
static QemuMutex lock;

static unsigned int oldest(void)
{
	unsigned int n, found = 0;

	for (n = 1; n < PLACES; n++) {
		if (asked[n] < asked[found])
			found = n;
	}
	return found;
}

static unsigned int new_place(MemoryRegion *mr)
{
	unsigned int n = places < PLACES ? places++ : oldest();

	qatomic_set(&place[n].mr, mr);
	return n;
}

static unsigned int place_of(MemoryRegion *mr)
{
	unsigned int n;

	for (n = 0; n < places; n++) {
		if (place[n].mr == mr)
			return n;
	}
	return new_place(mr);
}

static hwaddr number_of_section(CPUState *cpu, MemoryRegionSection *section)
{
	unsigned int n;

	qemu_mutex_lock(&lock);
	n = place_of(section->mr);
	asked[n] = ++questions;
	qemu_mutex_unlock(&lock);
	return n;
}

static MemoryRegionSection *section_of_number(CPUState *cpu, hwaddr index, MemTxAttrs attrs)
{
	return &place[index & ~TARGET_PAGE_MASK];
}

static void repair(void)
{
	qemu_mutex_init(&lock);
	PATCH_FUNCTION(memory_region_section_get_iotlb, number_of_section);
	PATCH_FUNCTION(iotlb_to_section, section_of_number);
}

type_init(repair)
