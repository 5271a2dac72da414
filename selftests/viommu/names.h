/* SPDX-License-Identifier: GPL-2.0 */
/* What guests call their device, their domain, and an address that they have mapped. */
#ifndef VIOMMU_NAMES_H
#define VIOMMU_NAMES_H

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "guest.h"
#include "kmsg.h"
#include "stats.h"

#define GUEST_ID	0x28
#define DOMAIN_ID	7
#define GVA		0x7f1234567000ULL

/*
 * The first program of a boot loads modules, and the first VM fills the tables that all start from. On a
 * busy machine with sanitizers that takes longer than a test may: it is done before the time of any runs.
 */
static void __attribute__((constructor)) warm_up(void)
{
	struct pci_list devices;

	if (!need_guests(&devices, 1))
		vmm_device_works(devices.name[0]);
}

/* A domain with one page: GVA is the first page of the guest's data. */
static inline int vm_nest(struct vmm *vmm, struct vmm_device *dev, struct guest_domain *domain,
			  __u16 id)
{
	guest_domain_make(vmm, domain, id);
	guest_map(vmm, domain->root, GVA, GUEST_DATA, GUEST_RW);
	return guest_attach(vmm, dev, domain);
}

#endif
