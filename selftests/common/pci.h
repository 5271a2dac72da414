/* SPDX-License-Identifier: GPL-2.0 */
/* PCI devices through sysfs: find, bind, unbind, remove, rescan, group. */
#ifndef VIOMMU_PCI_H
#define VIOMMU_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define PCI_NAME_LEN	16
#define PCI_LIST_MAX	128

/* The devices of a search, sorted by name ("0000:00:04.0"). */
struct pci_list {
	unsigned int count;
	char name[PCI_LIST_MAX][PCI_NAME_LEN];
};

void pci_find_id(struct pci_list *list, unsigned int vendor, unsigned int device);
/* Class with subclass and interface; bits outside the mask are not compared. */
void pci_find_class(struct pci_list *list, unsigned int class, unsigned int mask);
/* AMD IOMMU functions: class 0806h of vendor 1022h. */
void pci_find_iommus(struct pci_list *list);

void pci_path(char *buf, size_t len, const char *name, const char *attr);
bool pci_exists(const char *name);
int pci_attr_read(const char *name, const char *attr, char *buf, size_t len);
long long pci_attr_number(const char *name, const char *attr);
int pci_attr_write(const char *name, const char *attr, const char *text);

/* Name of the bound driver; -ENOENT when there is none. */
int pci_driver(const char *name, char *buf, size_t len);
/* Binds a driver by driver_override, taking the device from its present one. */
int pci_bind(const char *name, const char *driver);
int pci_unbind(const char *name);
int pci_remove(const char *name);
int pci_rescan(void);
/* Waits until the device is there (or gone). */
int pci_wait(const char *name, bool present, unsigned int timeout_ms);
/* Waits until a driver of this name is bound. */
int pci_wait_driver(const char *name, const char *driver, unsigned int timeout_ms);

/* Number of the IOMMU group; -ENOENT when the device has none. */
int pci_group(const char *name);
/* N of the IOMMU that translates for it, ivhdN; -ENOENT when none does. */
int pci_iommu(const char *name);
int pci_group_type(const char *name, char *buf, size_t len);
/* Memory decoding and bus mastering on, for a device without a driver. */
int pci_enable_dma(const char *name);
/* A 16-bit word of an extended capability; -ENOENT when the device has no such capability. */
int pci_ext_word(const char *name, unsigned int capability, unsigned int offset);
/* Is the IOMMU the one of QEMU, with its known limits? */
bool iommu_is_qemu(void);

#endif
