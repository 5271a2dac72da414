/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_EXT_HELPERS_H
#define _KERNEL_EXT_HELPERS_H

#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>

/* Contiguous memory that a device walks on its own. */
void *kernel_ext_alloc_pages(int nid, unsigned int order);
void kernel_ext_free_pages(void *mem, unsigned int order);
u64 kernel_ext_virt_to_phys(const void *mem);
u64 kernel_ext_sme_mask(void);
bool kernel_ext_has_store128(void);
void kernel_ext_store128(void *slot, u64 low, u64 high);

/* Memory that the CPU does not cache. */
int kernel_ext_set_uncached(void *mem, unsigned int pages);
int kernel_ext_set_cached(void *mem, unsigned int pages);

/* Register pages in the address space of a process. */
void kernel_ext_vma_uncached(struct vm_area_struct *vma);

/* What a file and a device are to VFIO, which may not be there. */
int kernel_ext_vfio_group_file(struct file *file);
bool kernel_ext_vfio_drives(struct pci_dev *pdev);
bool kernel_ext_vfio_covers(struct file *file, struct pci_dev *pdev);

/* Generic page tables and the lock of their top pointer. */
void kernel_ext_pt_iommu_deinit(struct pt_iommu *table);
void kernel_ext_top_lock_init(spinlock_t *lock);
unsigned long kernel_ext_top_lock(spinlock_t *lock);
void kernel_ext_top_unlock(spinlock_t *lock, unsigned long flags);

/* What an IOTLB gather collected. */
bool kernel_ext_gather_has_tables(struct iommu_iotlb_gather *gather);
void kernel_ext_gather_free(struct iommu_iotlb_gather *gather);

/* Devices. */
int kernel_ext_dev_to_node(struct device *dev);
int kernel_ext_device_trylock(struct device *dev);
void kernel_ext_device_unlock(struct device *dev);
void kernel_ext_ratelimit_init(struct ratelimit_state *state,
			       unsigned int seconds, unsigned int burst);
void kernel_ext_list_add_tail(struct list_head *entry, struct list_head *head);

/* Position of a PCI function in its hierarchy. */
int kernel_ext_pci_domain_nr(struct pci_dev *pdev);
bool kernel_ext_pci_multifunction(struct pci_dev *pdev);
bool kernel_ext_pci_is_virtfn(struct pci_dev *pdev);
bool kernel_ext_pci_is_pcie(struct pci_dev *pdev);
int kernel_ext_pci_pcie_type(struct pci_dev *pdev);
struct pci_dev *kernel_ext_pci_upstream_bridge(struct pci_dev *pdev);
u8 kernel_ext_pci_subordinate(struct pci_dev *pdev);
bool kernel_ext_pci_has_devfn_aliases(struct pci_dev *pdev);
bool kernel_ext_pci_devfn_alias(struct pci_dev *pdev, u8 devfn);

#endif
