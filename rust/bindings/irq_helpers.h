/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_EXT_IRQ_HELPERS_H
#define _KERNEL_EXT_IRQ_HELPERS_H

#include <linux/spinlock_types.h>
#include <linux/types.h>

struct cpumask;
struct irq_alloc_info;
struct irq_data;
struct irq_domain;
struct irq_domain_ops;
struct lock_class_key;
struct msi_msg;
struct pci_dev;

/* Locks that may be taken under raw ones. */
void kernel_ext_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				   struct lock_class_key *key);
void kernel_ext_raw_spin_lock(raw_spinlock_t *lock);
bool kernel_ext_raw_spin_trylock(raw_spinlock_t *lock);
void kernel_ext_raw_spin_unlock(raw_spinlock_t *lock);
void kernel_ext_raw_spin_assert_is_held(raw_spinlock_t *lock);

/* Whether APIC IDs have 32 bits. */
bool kernel_ext_has_x2apic(void);
u32 kernel_ext_highest_apic_id(void);

/* A domain between the MSI of devices and the vectors of CPUs. */
struct irq_domain *
kernel_ext_msi_parent_create(const struct irq_domain_ops *ops, void *data,
			     const char *name, u32 id, const char *prefix,
			     u32 token);
void kernel_ext_msi_parent_remove(struct irq_domain *domain);

/* Where the interrupts of a device come from. */
struct irq_domain *kernel_ext_msi_domain(struct pci_dev *pdev);
void kernel_ext_set_msi_domain(struct pci_dev *pdev, struct irq_domain *domain);
bool kernel_ext_msi_is_plain(struct pci_dev *pdev);
bool kernel_ext_msi_in_use(struct pci_dev *pdev);
/* The callbacks of a parent domain may be called for as long as the machine runs. */
void kernel_ext_msi_parent_keep_code(void);

/* One interrupt. */
struct kernel_ext_irq_route {
	u32 vector;
	u32 destination;
	bool logical;
};

struct pci_dev *kernel_ext_msi_alloc_device(const struct irq_alloc_info *info,
					    unsigned int nr_irqs);
int kernel_ext_own_irq_alloc(struct irq_domain *domain, int node, void *data);
void *kernel_ext_own_irq_data(const struct irq_alloc_info *info,
			      unsigned int nr_irqs);
void kernel_ext_irq_route(struct irq_data *data,
			  struct kernel_ext_irq_route *route);
int kernel_ext_irq_set_affinity_parent(struct irq_data *data,
				       const struct cpumask *mask, bool force);
void kernel_ext_msi_message(struct msi_msg *msg, u64 address, u32 data);

#endif
