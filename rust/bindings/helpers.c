// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that exist only as macros or static inlines in C, one shim each.
 */
#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

#include "helpers.h"

/* Exported by the IOMMU core; its header is private to drivers/iommu. */
void iommu_put_pages_list(struct iommu_pages_list *list);

void *kernel_ext_alloc_pages(int nid, unsigned int order)
{
	struct page *page;

	page = alloc_pages_node(nid, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN,
				order);
	return page ? page_address(page) : NULL;
}

void kernel_ext_free_pages(void *mem, unsigned int order)
{
	free_pages((unsigned long)mem, order);
}

u64 kernel_ext_virt_to_phys(const void *mem)
{
	return virt_to_phys((void *)mem);
}

u64 kernel_ext_sme_mask(void)
{
	return sme_me_mask;
}

bool kernel_ext_has_store128(void)
{
	return system_has_cmpxchg128();
}

void kernel_ext_store128(void *slot, u64 low, u64 high)
{
	u128 new = ((u128)high << 64) | low;
	u128 *ptr = slot;
	u128 old = *ptr;

	while (!try_cmpxchg128(ptr, &old, new))
		;
}

int kernel_ext_set_uncached(void *mem, unsigned int pages)
{
	return set_memory_uc((unsigned long)mem, pages);
}

int kernel_ext_set_cached(void *mem, unsigned int pages)
{
	return set_memory_wb((unsigned long)mem, pages);
}

/* Registers are not memory, so the host's key does not apply to them. */
void kernel_ext_vma_uncached(struct vm_area_struct *vma)
{
	pgprot_t prot = pgprot_noncached(vma->vm_page_prot);

	vma->vm_page_prot = pgprot_decrypted(prot);
}

/*
 * VFIO is asked for by name at run time, so that this module neither needs nor
 * loads it. A file or a driver of VFIO exists only while it is loaded.
 */
int kernel_ext_vfio_group_file(struct file *file)
{
	bool (*is_valid)(struct file *file) = symbol_get(vfio_file_is_valid);
	bool (*is_group)(struct file *file) = symbol_get(vfio_file_is_group);
	int ret = -EINVAL;

	if (is_group && is_group(file))
		ret = 0;
	else if (is_valid && is_valid(file))
		ret = -EOPNOTSUPP;
	if (is_group)
		symbol_put(vfio_file_is_group);
	if (is_valid)
		symbol_put(vfio_file_is_valid);
	return ret;
}

/*
 * Whether the driver of the device is one of those that keep a struct
 * vfio_pci_core_device as their data. Called with the device lock held.
 */
bool kernel_ext_vfio_drives(struct pci_dev *pdev)
{
	const struct pci_error_handlers *handlers;
	const struct device_driver *driver = pdev->dev.driver;
	bool drives;

	handlers = symbol_get(vfio_pci_core_err_handlers);
	if (!handlers)
		return false;
	drives = driver && to_pci_driver(driver)->err_handler == handlers;
	symbol_put(vfio_pci_core_err_handlers);
	return drives && pci_get_drvdata(pdev);
}

/*
 * Whether the group file is the one of the device. Called with the device lock
 * held and kernel_ext_vfio_drives() true.
 */
bool kernel_ext_vfio_covers(struct file *file, struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = pci_get_drvdata(pdev);
	bool (*has_dev)(struct file *file, struct vfio_device *device);
	bool covers;

	has_dev = symbol_get(vfio_file_has_dev);
	if (!has_dev)
		return false;
	covers = has_dev(file, &core->vdev);
	symbol_put(vfio_file_has_dev);
	return covers;
}

void kernel_ext_pt_iommu_deinit(struct pt_iommu *table)
{
	pt_iommu_deinit(table);
}

void kernel_ext_top_lock_init(spinlock_t *lock)
{
	spin_lock_init(lock);
}

unsigned long kernel_ext_top_lock(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

void kernel_ext_top_unlock(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}

bool kernel_ext_gather_has_tables(struct iommu_iotlb_gather *gather)
{
	return !list_empty(&gather->freelist.pages);
}

void kernel_ext_gather_free(struct iommu_iotlb_gather *gather)
{
	iommu_put_pages_list(&gather->freelist);
}

int kernel_ext_dev_to_node(struct device *dev)
{
	return dev_to_node(dev);
}

int kernel_ext_device_trylock(struct device *dev)
{
	return device_trylock(dev);
}

void kernel_ext_device_unlock(struct device *dev)
{
	device_unlock(dev);
}

void kernel_ext_ratelimit_init(struct ratelimit_state *state,
			       unsigned int seconds, unsigned int burst)
{
	ratelimit_state_init(state, seconds * HZ, burst);
}

void kernel_ext_list_add_tail(struct list_head *entry, struct list_head *head)
{
	list_add_tail(entry, head);
}

int kernel_ext_pci_domain_nr(struct pci_dev *pdev)
{
	return pci_domain_nr(pdev->bus);
}

bool kernel_ext_pci_multifunction(struct pci_dev *pdev)
{
	return pdev->multifunction;
}

bool kernel_ext_pci_is_virtfn(struct pci_dev *pdev)
{
	return pdev->is_virtfn;
}

bool kernel_ext_pci_is_pcie(struct pci_dev *pdev)
{
	return pci_is_pcie(pdev);
}

int kernel_ext_pci_pcie_type(struct pci_dev *pdev)
{
	return pci_pcie_type(pdev);
}

/*
 * The buses of SR-IOV virtual functions have no bridge of their own; skip to
 * the next one up that has.
 */
struct pci_dev *kernel_ext_pci_upstream_bridge(struct pci_dev *pdev)
{
	struct pci_bus *bus = pdev->bus;

	while (!pci_is_root_bus(bus)) {
		if (bus->self)
			return bus->self;
		bus = bus->parent;
	}
	return NULL;
}

u8 kernel_ext_pci_subordinate(struct pci_dev *pdev)
{
	return pdev->subordinate ? pdev->subordinate->number : 0;
}

bool kernel_ext_pci_has_devfn_aliases(struct pci_dev *pdev)
{
	return pdev->dma_alias_mask;
}

bool kernel_ext_pci_devfn_alias(struct pci_dev *pdev, u8 devfn)
{
	return test_bit(devfn, pdev->dma_alias_mask);
}
