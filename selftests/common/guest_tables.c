// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "guest.h"

#define ENTRIES		512
#define ADDRESS_MASK	0x000ffffffffff000ULL

/* Bits of an entry of an x86-64 table. */
#define PTE_P		(1ULL << 0)
#define PTE_US		(1ULL << 2)
#define PTE_A		(1ULL << 5)
#define PTE_D		(1ULL << 6)
#define PTE_PS		(1ULL << 7)
/* As Linux does: the hardware need not write to the tables. */
#define PTE_TABLE	(PTE_P | GUEST_RW | PTE_US | PTE_A)
#define PTE_LEAF	(PTE_P | PTE_US | PTE_A | PTE_D)

#define GCR3_V		(1ULL << 0)

__u64 guest_page(struct vmm *vmm)
{
	__u64 page = GUEST_TABLES + vmm->next_table;

	vmm->next_table = (vmm->next_table + PAGE_4K) % (GUEST_DATA - GUEST_TABLES);
	memset(vmm_at(vmm, page), 0, PAGE_4K);
	return page;
}

/* The entry for an address in the table of a level; 1 is the lowest. */
static __u64 *entry_of(struct vmm *vmm, __u64 root, __u64 address, unsigned int level)
{
	__u64 table = root, *entry;
	unsigned int at;

	for (at = 4;; at--) {
		entry = (__u64 *)vmm_at(vmm, table) + (address >> (12 + 9 * (at - 1)) & (ENTRIES - 1));
		if (at == level)
			return entry;
		if (!(*entry & PTE_P))
			*entry = guest_page(vmm) | PTE_TABLE;
		table = *entry & ADDRESS_MASK;
	}
}

void guest_map(struct vmm *vmm, __u64 root, __u64 address, __u64 gpa, __u64 flags)
{
	*entry_of(vmm, root, address, 1) = gpa | PTE_LEAF | flags;
}

void guest_map_large(struct vmm *vmm, __u64 root, __u64 address, __u64 gpa, __u64 flags)
{
	*entry_of(vmm, root, address, 2) = gpa | PTE_LEAF | PTE_PS | flags;
}

void guest_unmap(struct vmm *vmm, __u64 root, __u64 address)
{
	*entry_of(vmm, root, address, 1) = 0;
}

__u64 guest_pasid(struct vmm *vmm, struct guest_domain *domain, unsigned int pasid)
{
	__u64 root = guest_page(vmm), *gcr3 = vmm_at(vmm, domain->gcr3);

	gcr3[pasid % ENTRIES] = root | GCR3_V;
	return root;
}

void guest_domain_make(struct vmm *vmm, struct guest_domain *domain, __u16 id)
{
	domain->id = id;
	domain->gcr3 = guest_page(vmm);
	domain->root = guest_pasid(vmm, domain, 0);
}

void guest_entry(const struct guest_domain *domain, __u64 dte[4])
{
	__u64 gcr3 = domain->gcr3;

	dte[0] = DTE_V | DTE_TV | DTE_GV | DTE_GIOV | DTE_GLX(0) | DTE_IR | DTE_IW |
		 (gcr3 >> 12 & 7) << 58;
	dte[1] = domain->id | (gcr3 >> 15 & 0xffff) << 16 | (gcr3 >> 31 & 0x1fffff) << 43;
	dte[2] = 0;
	dte[3] = 0;
}

void guest_identity_entry(__u16 domain, __u64 flags, __u64 dte[4])
{
	dte[0] = DTE_V | DTE_TV | flags;
	dte[1] = domain;
	dte[2] = 0;
	dte[3] = 0;
}

int guest_attach(struct vmm *vmm, struct vmm_device *dev, const struct guest_domain *domain)
{
	__u64 dte[4];

	guest_entry(domain, dte);
	return node_set_entry(vmm->node, vmm->handle, dev->id, dte);
}
