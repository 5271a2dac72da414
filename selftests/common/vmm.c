// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod.h"
#include "needs.h"
#include "vmm.h"

/* Enough to tell right from wrong; a page boundary is not crossed. */
#define MOVED		256
/* vIommuSup in the extended feature register. */
#define EFR_VIOMMU	(1ULL << 55)

int vmm_open(struct vmm *vmm)
{
	memset(vmm, 0, sizeof(*vmm));
	vmm->container = -1;
	vmm->node = node_open();
	if (vmm->node < 0)
		return vmm->node;
	vmm->container = vfio_container();
	vmm->mem = memory_alloc(GUEST_SIZE);
	if (vmm->container >= 0 && vmm->mem) {
		memset(vmm->mem, 0, GUEST_SIZE);
		return 0;
	}
	vmm_close(vmm);
	return -ENOMEM;
}

int vmm_take(struct vmm *vmm, struct vmm_device *dev, const char *name, __u16 id)
{
	int ret;

	dev->id = id;
	dev->pasid = VMM_NO_PASID;
	ret = vfio_open(&dev->vfio, vmm->container, name);
	if (ret)
		return ret;
	ret = vdma_init(&dev->dma, dev->vfio.bar0);
	if (ret)
		vfio_close(&dev->vfio);
	return ret;
}

int vmm_map(struct vmm *vmm)
{
	return vfio_map(vmm->container, vmm->mem, GUEST_BASE, GUEST_SIZE, VFIO_RW);
}

static int init_on(struct vmm *vmm, struct vmm_device *dev, __u32 index)
{
	struct amd_viommu_vm_init init;
	struct amd_viommu_info info;
	void *page;
	int ret;

	ret = node_info(vmm->node, index, &info);
	if (ret)
		return ret;
	ret = node_init(vmm->node, info.host, dev->vfio.name, dev->vfio.group, &init);
	if (ret)
		return ret;
	vmm->host = info.host;
	vmm->handle = init.handle;
	vmm->page_offset = init.mmap_offset;
	page = mmap(NULL, init.mmap_len, PROT_READ | PROT_WRITE, MAP_SHARED, vmm->node,
		    init.mmap_offset);
	if (page == MAP_FAILED)
		return -errno;
	vmm->page = page;
	return 0;
}

int vmm_init(struct vmm *vmm, struct vmm_device *dev)
{
	struct amd_viommu_info info;
	__u32 index;
	int ret = -ENODEV;

	for (index = 0; ret == -ENODEV && !node_info(vmm->node, index, &info); index++)
		ret = init_on(vmm, dev, index);
	return ret;
}

int vmm_attach(struct vmm *vmm, struct vmm_device *dev)
{
	return node_attach(vmm->node, vmm->handle, dev->id, dev->vfio.name, dev->vfio.group);
}

/* Less than a 512 KiB queue, more than an ordinary one; and half of the room for tables. */
#define SECOND_QUEUES	(128 * KIB)
#define SECOND_TABLES	(512 * KIB)

void vmm_beside(struct vmm *second, const struct vmm *first)
{
	*second = (struct vmm){
		.node = first->node,
		.container = first->container,
		.mem = first->mem,
		.shift = SECOND_QUEUES,
		.next_table = SECOND_TABLES,
	};
}

void vmm_unmap_page(struct vmm *vmm)
{
	if (vmm->page)
		munmap(vmm->page, PAGE_4K);
	vmm->page = NULL;
}

int vmm_start(struct vmm *vmm, struct vmm_device *dev, const char *name, __u16 id)
{
	int ret;

	ret = vmm_open(vmm);
	if (ret)
		return ret;
	ret = vmm_take(vmm, dev, name, id);
	if (ret) {
		vmm_close(vmm);
		return ret;
	}
	ret = vmm_map(vmm) ?: vmm_init(vmm, dev) ?: vmm_attach(vmm, dev);
	if (ret) {
		vmm_release(dev);
		vmm_close(vmm);
	}
	return ret;
}

void vmm_release(struct vmm_device *dev)
{
	vfio_close(&dev->vfio);
}

void vmm_close(struct vmm *vmm)
{
	vmm_unmap_page(vmm);
	close(vmm->node);
	if (vmm->container >= 0)
		close(vmm->container);
	if (vmm->mem)
		memory_free(vmm->mem, GUEST_SIZE);
}

__u64 vmm_get(struct vmm *vmm, unsigned int reg)
{
	return __atomic_load_n(&vmm->page[reg], __ATOMIC_SEQ_CST);
}

/* What is in memory before is there before the hardware hears of it. */
void vmm_set(struct vmm *vmm, unsigned int reg, __u64 value)
{
	__atomic_store_n(&vmm->page[reg], value, __ATOMIC_SEQ_CST);
}

void *vmm_at(struct vmm *vmm, __u64 gpa)
{
	return vmm->mem + (gpa - GUEST_BASE);
}

static int transfer(struct vmm_device *dev, enum vdma_operation operation, __u64 iova, size_t len)
{
	struct vdma_request request = {
		.operation = operation,
		.address = iova,
		.length = len,
		.has_pasid = dev->pasid != VMM_NO_PASID,
		.pasid = dev->pasid,
	};

	return vdma_run(&dev->dma, &request);
}

int vmm_read(struct vmm_device *dev, __u64 iova, void *buf, size_t len)
{
	int ret = transfer(dev, VDMA_READ, iova, len);

	vdma_fetch(&dev->dma, buf, len);
	return ret;
}

int vmm_write(struct vmm_device *dev, __u64 iova, const void *buf, size_t len)
{
	vdma_fill(&dev->dma, buf, len);
	return transfer(dev, VDMA_WRITE, iova, len);
}

bool vmm_moves(struct vmm *vmm, struct vmm_device *dev, __u64 iova, __u64 gpa)
{
	/* Bytes of an earlier transfer must not pass for those of this one. */
	static __u64 seed = 2ULL << 32;
	char *mem = vmm_at(vmm, gpa), buf[MOVED];

	pattern_fill(mem, MOVED, ++seed);
	if (vmm_read(dev, iova, buf, MOVED) || !pattern_matches(buf, MOVED, seed))
		return false;
	pattern_fill(buf, MOVED, ++seed);
	return !vmm_write(dev, iova, buf, MOVED) && pattern_matches(mem, MOVED, seed);
}

bool vmm_blocked(struct vmm_device *dev, __u64 iova)
{
	char buf[16] = { };

	return vmm_read(dev, iova, buf, sizeof(buf)) == -EIO &&
	       vmm_write(dev, iova, buf, sizeof(buf)) == -EIO;
}

bool vmm_device_works(const char *name)
{
	struct vmm_device dev;
	struct vmm vmm;
	bool works;

	if (vmm_start(&vmm, &dev, name, 8))
		return false;
	works = vmm_moves(&vmm, &dev, GUEST_BASE, GUEST_BASE);
	vmm_close(&vmm);
	vmm_release(&dev);
	return works;
}

/* What the driver says of the hardware, not of itself. */
static bool hardware_has_guests(void)
{
	char path[64], text[64];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/sys/class/iommu/ivhd%u/amd-iommu/features", i);
		if (file_read(path, text, sizeof(text)) > 0 && strtoull(text, NULL, 16) & EFR_VIOMMU)
			return true;
	}
	return false;
}

const char *need_guests(struct pci_list *devices, unsigned int count)
{
	const char *missing = need_iommu();

	if (missing)
		return missing;
	if (iommu_driver() != IOMMU_DRIVER_VIOMMU)
		return "the built-in driver runs this machine";
	if (!hardware_has_guests())
		return "needs an IOMMU that can have guests";
	missing = need_vdma(devices);
	if (missing)
		return missing;
	return devices->count < count ? "needs more amd-viommu-dma devices" : NULL;
}
