// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod.h"
#include "util.h"
#include "vfio.h"

#define PCI_COMMAND	4
#define PCI_COMMAND_MEM_MASTER	0x6
#define MESSAGES_MAX	8

int vfio_prepare(void)
{
	int ret;

	ret = module_probe("vfio-pci");
	if (ret && !file_exists("/sys/bus/pci/drivers/vfio-pci"))
		return ret;
	ret = module_probe("vfio_iommu_type1");
	return file_exists("/sys/module/vfio_iommu_type1") ? 0 : ret;
}

int vfio_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int vfio_join_blocked(int container, const char *name)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32];
	int group, ret;

	ret = pci_bind(name, "vfio-pci");
	if (ret)
		return ret;
	ret = pci_group(name);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "/dev/vfio/%d", ret);
	group = open(path, O_RDWR | O_CLOEXEC);
	if (group < 0)
		return -errno;
	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status))
		goto fail;
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		close(group);
		return -EPERM;
	}
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		goto fail;
	return group;
fail:
	ret = -errno;
	close(group);
	return ret;
}

static bool has_type(int container)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	return !ioctl(container, VFIO_IOMMU_GET_INFO, &info);
}

int vfio_join(int container, const char *name)
{
	int group, ret;

	group = vfio_join_blocked(container, name);
	if (group < 0)
		return group;
	/* An earlier group may have chosen the type already: then there is nothing to set. */
	if (has_type(container))
		return group;
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)) {
		ret = -errno;
		close(group);
		return ret;
	}
	return group;
}

static int enable_dma(int device)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__u16 command;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	if (pread(device, &command, sizeof(command), info.offset + PCI_COMMAND) !=
	    sizeof(command))
		return -EIO;
	command |= PCI_COMMAND_MEM_MASTER;
	if (pwrite(device, &command, sizeof(command), info.offset + PCI_COMMAND) !=
	    sizeof(command))
		return -EIO;
	return 0;
}

static int map_bar0(struct vfio_device *dev)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};

	if (ioctl(dev->device, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	dev->bar0 = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 dev->device, info.offset);
	if (dev->bar0 == MAP_FAILED)
		return -errno;
	dev->bar0_size = info.size;
	return 0;
}

int vfio_open_in_group(struct vfio_device *dev, int group, const char *name)
{
	int ret;

	memset(dev, 0, sizeof(*dev));
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	dev->group = -1;
	dev->device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (dev->device < 0)
		return -errno;
	ret = enable_dma(dev->device);
	if (!ret)
		ret = map_bar0(dev);
	if (ret)
		close(dev->device);
	return ret;
}

int vfio_open(struct vfio_device *dev, int container, const char *name)
{
	int group, ret;

	group = vfio_join(container, name);
	if (group < 0)
		return group;
	ret = vfio_open_in_group(dev, group, name);
	if (ret) {
		close(group);
		return ret;
	}
	dev->group = group;
	return 0;
}

void vfio_close(struct vfio_device *dev)
{
	munmap(dev->bar0, dev->bar0_size);
	close(dev->device);
	if (dev->group >= 0)
		close(dev->group);
}

static int enable_messages(struct vfio_device *dev, __u32 index, const int *events,
			   unsigned int count)
{
	char buf[sizeof(struct vfio_irq_set) + MESSAGES_MAX * sizeof(*events)];
	struct vfio_irq_set *set = (void *)buf;

	if (count > MESSAGES_MAX)
		return -EINVAL;
	*set = (struct vfio_irq_set) {
		.argsz = sizeof(*set) + count * sizeof(*events),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = count,
	};
	memcpy(set->data, events, count * sizeof(*events));
	return ioctl(dev->device, VFIO_DEVICE_SET_IRQS, set) ? -errno : 0;
}

static int disable_message(struct vfio_device *dev, __u32 index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	return ioctl(dev->device, VFIO_DEVICE_SET_IRQS, &set) ? -errno : 0;
}

int vfio_enable_msi(struct vfio_device *dev, int event)
{
	return enable_messages(dev, VFIO_PCI_MSI_IRQ_INDEX, &event, 1);
}

int vfio_enable_several_msi(struct vfio_device *dev, const int *events, unsigned int count)
{
	return enable_messages(dev, VFIO_PCI_MSI_IRQ_INDEX, events, count);
}

int vfio_disable_msi(struct vfio_device *dev)
{
	return disable_message(dev, VFIO_PCI_MSI_IRQ_INDEX);
}

int vfio_enable_msix(struct vfio_device *dev, int event)
{
	return enable_messages(dev, VFIO_PCI_MSIX_IRQ_INDEX, &event, 1);
}

int vfio_disable_msix(struct vfio_device *dev)
{
	return disable_message(dev, VFIO_PCI_MSIX_IRQ_INDEX);
}

int vfio_map(int container, void *memory, __u64 iova, __u64 size, __u32 flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (unsigned long)memory,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

long long vfio_unmap(int container, __u64 iova, __u64 size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) ? -errno : (long long)unmap.size;
}

static int copy_ranges(const struct vfio_iommu_type1_info_cap_iova_range *cap,
		       struct vfio_range *ranges, int max)
{
	int i;

	for (i = 0; i < (int)cap->nr_iovas && i < max; i++) {
		ranges[i].start = cap->iova_ranges[i].start;
		ranges[i].end = cap->iova_ranges[i].end;
	}
	return i;
}

int vfio_ranges(int container, struct vfio_range *ranges, int max)
{
	char buf[4096] __attribute__((aligned(8)));
	struct vfio_iommu_type1_info *info = (void *)buf;
	struct vfio_info_cap_header *cap;
	__u32 offset;

	memset(buf, 0, sizeof(buf));
	info->argsz = sizeof(buf);
	if (ioctl(container, VFIO_IOMMU_GET_INFO, info))
		return -errno;
	if (!(info->flags & VFIO_IOMMU_INFO_CAPS))
		return -ENODATA;
	for (offset = info->cap_offset; offset; offset = cap->next) {
		cap = (void *)(buf + offset);
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			return copy_ranges((void *)cap, ranges, max);
	}
	return -ENODATA;
}
