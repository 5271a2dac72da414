// SPDX-License-Identifier: GPL-2.0
/*
 * Shims about interrupts: locks that may be taken under those of the interrupt
 * core, and what an MSI parent domain needs to know of x86.
 */
#include <linux/cpumask.h>
#include <linux/irq.h>
#include <linux/irqchip/irq-msi-lib.h>
#include <linux/irqdomain.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <asm/apic.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/msi.h>
#include <asm/smp.h>

#include "irq_helpers.h"

void kernel_ext_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				   struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	__raw_spin_lock_init(lock, name, key, LD_WAIT_SPIN);
#else
	raw_spin_lock_init(lock);
#endif
}

void kernel_ext_raw_spin_lock(raw_spinlock_t *lock)
{
	raw_spin_lock_irq_disable(lock);
}

bool kernel_ext_raw_spin_trylock(raw_spinlock_t *lock)
{
	return raw_spin_trylock_irq_disable(lock);
}

void kernel_ext_raw_spin_unlock(raw_spinlock_t *lock)
{
	raw_spin_unlock_irq_enable(lock);
}

void kernel_ext_raw_spin_assert_is_held(raw_spinlock_t *lock)
{
	lockdep_assert_held(lock);
}

bool kernel_ext_has_x2apic(void)
{
	return x2apic_mode;
}

/* Of the CPUs that have been found. One that is plugged in has none before. */
u32 kernel_ext_highest_apic_id(void)
{
	u32 highest = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		u32 id = cpu_physical_id(cpu);

		if (id != BAD_APICID)
			highest = max(highest, id);
	}
	return highest;
}

/*
 * What x86_vector_domain supports, and several interrupts of plain MSI, which
 * only need entries in a row and not vectors. The rules for the domains of
 * devices are those of the vector domain.
 */
static bool init_dev_msi_info(struct device *dev, struct irq_domain *domain,
			      struct irq_domain *real_parent,
			      struct msi_domain_info *info)
{
	struct irq_domain *parent = domain->parent;

	return parent->msi_parent_ops->init_dev_msi_info(dev, parent,
							 real_parent, info);
}

struct irq_domain *
kernel_ext_msi_parent_create(const struct irq_domain_ops *ops, void *data,
			     const char *name, u32 id, const char *prefix,
			     u32 token)
{
	struct irq_domain_info info = {
		.ops = ops,
		.host_data = data,
		.domain_flags = IRQ_DOMAIN_FLAG_ISOLATED_MSI,
		.parent = x86_vector_domain,
	};
	struct msi_parent_ops *parent;
	struct irq_domain *domain;

	parent = kzalloc_obj(*parent);
	if (!parent)
		return NULL;
	parent->supported_flags = X86_VECTOR_MSI_FLAGS_SUPPORTED |
				  MSI_FLAG_MULTI_PCI_MSI;
	parent->bus_select_token = token;
	parent->bus_select_mask = MATCH_PCI_MSI;
	parent->prefix = prefix;
	parent->init_dev_msi_info = init_dev_msi_info;
	info.fwnode = irq_domain_alloc_named_id_fwnode(name, id);
	if (!info.fwnode)
		goto free_ops;
	domain = msi_create_parent_irq_domain(&info, parent);
	if (domain)
		return domain;
	irq_domain_free_fwnode(info.fwnode);
free_ops:
	kfree(parent);
	return NULL;
}

void kernel_ext_msi_parent_remove(struct irq_domain *domain)
{
	struct fwnode_handle *fwnode = domain->fwnode;
	const struct msi_parent_ops *parent = domain->msi_parent_ops;

	irq_domain_remove(domain);
	irq_domain_free_fwnode(fwnode);
	kfree(parent);
}

/* The domain that the device's interrupts come from now, or NULL. */
struct irq_domain *kernel_ext_msi_domain(struct pci_dev *pdev)
{
	return dev_get_msi_domain(&pdev->dev);
}

void kernel_ext_set_msi_domain(struct pci_dev *pdev, struct irq_domain *domain)
{
	dev_set_msi_domain(&pdev->dev, domain);
}

/* Whether nothing stands between the device and the vectors of the CPUs. */
bool kernel_ext_msi_is_plain(struct pci_dev *pdev)
{
	struct irq_domain *domain = dev_get_msi_domain(&pdev->dev);

	if (!domain)
		domain = dev_get_msi_domain(&pdev->bus->dev);
	return domain && domain == x86_vector_domain;
}

/* Whether the device has interrupts at this moment. */
bool kernel_ext_msi_in_use(struct pci_dev *pdev)
{
	return pdev->msi_enabled || pdev->msix_enabled;
}

/* The callbacks are this module's, which somebody has to hold at this moment. */
void kernel_ext_msi_parent_keep_code(void)
{
	__module_get(THIS_MODULE);
}

/*
 * The device that an allocation is for. NULL for one that this kind of domain
 * is not asked for: several interrupts in a row exist for plain MSI only.
 */
struct pci_dev *kernel_ext_msi_alloc_device(const struct irq_alloc_info *info,
					    unsigned int nr_irqs)
{
	if (!info)
		return NULL;
	switch (info->type) {
	case X86_IRQ_ALLOC_TYPE_PCI_MSIX:
		if (nr_irqs > 1)
			return NULL;
		fallthrough;
	case X86_IRQ_ALLOC_TYPE_PCI_MSI:
		return msi_desc_to_pci_dev(info->desc);
	default:
		return NULL;
	}
}

/*
 * An interrupt that no device asks for: the allocation has no type, and carries
 * something of the domain's own.
 */
int kernel_ext_own_irq_alloc(struct irq_domain *domain, int node, void *data)
{
	struct irq_alloc_info info = { .data = data };
	int virq;

	virq = irq_domain_alloc_irqs(domain, 1, node, &info);
	if (virq > 0)
		irq_set_handler(virq, handle_edge_irq);
	return virq;
}

void *kernel_ext_own_irq_data(const struct irq_alloc_info *info,
			      unsigned int nr_irqs)
{
	return info && !info->type && nr_irqs == 1 ? info->data : NULL;
}

/* Where the CPU side wants an interrupt, as the vector domain has it now. */
void kernel_ext_irq_route(struct irq_data *data,
			  struct kernel_ext_irq_route *route)
{
	const struct irq_cfg *cfg = irqd_cfg(data);

	route->vector = cfg->vector;
	route->destination = cfg->dest_apicid;
	route->logical = apic->dest_mode_logical;
}

int kernel_ext_irq_set_affinity_parent(struct irq_data *data,
				       const struct cpumask *mask, bool force)
{
	struct irq_data *parent = data->parent_data;

	return parent->chip->irq_set_affinity(parent, mask, force);
}

void kernel_ext_msi_message(struct msi_msg *msg, u64 address, u32 data)
{
	msg->address_lo = lower_32_bits(address);
	msg->address_hi = upper_32_bits(address);
	msg->data = data;
}
