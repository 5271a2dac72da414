// SPDX-License-Identifier: GPL-2.0
/* What happens to a guest's devices and queues when something else of the machine changes under them. */
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "fixture.h"
#include "kmod.h"

/* The device that can be reset alone: it has a root port to itself. */
static const char *resettable(const struct pci_list *devices)
{
	unsigned int i;

	for (i = 0; i < devices->count; i++) {
		if (pci_attr_number(devices->name[i], "vendor") > 0 &&
		    strncmp(devices->name[i], "0000:00:", 8))
			return devices->name[i];
	}
	return NULL;
}

static int enable_dma_again(struct vmm_device *dev)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	__u16 command = 6;

	if (ioctl(dev->vfio.device, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -errno;
	return pwrite(dev->vfio.device, &command, 2, info.offset + 4) == 2 ? 0 : -EIO;
}

TEST_F(vm, reset_device_comes_back_nested)
{
	const char *name = resettable(&self->devices);
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	struct vmm_device dev;
	int i;

	if (!name)
		SKIP(return, "needs a device behind a root port of its own");
	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vmm_take(vmm, &dev, name, GUEST_ID + 8));
	ASSERT_EQ(0, vmm_attach(vmm, &dev));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vm_nest(vmm, &dev, &domain, DOMAIN_ID));
		EXPECT_TRUE(vmm_moves(vmm, &dev, GVA, GUEST_DATA));
		ASSERT_EQ(0, ioctl(dev.vfio.device, VFIO_DEVICE_RESET));
		ASSERT_EQ(0, enable_dma_again(&dev));
		EXPECT_TRUE(vmm_moves(vmm, &dev, GVA, GUEST_DATA));
		EXPECT_TRUE(vmm_blocked(&dev, GUEST_DATA));
		/* Its entry can be changed as before, and its IDs resolve. */
		EXPECT_EQ(0, guest_do(vmm, guest_entry_command(dev.id)));
		EXPECT_EQ(0, node_clear_entry(vmm->node, vmm->handle, dev.id));
		EXPECT_TRUE(vmm_moves(vmm, &dev, GUEST_DATA, GUEST_DATA));
	}
	vmm_release(&dev);
}

TEST_F(vm, memory_taken_by_vfio_is_gone_for_nested_devices_and_queues)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	void *mem = memory_alloc(PAGE_4K);
	__u64 gpa = 1 * GIB;
	unsigned int i;
	char buf[8];

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	guest_map(vmm, domain.root, GVA + PAGE_4K, gpa, GUEST_RW);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, vfio_map(vmm->container, mem, gpa, PAGE_4K, VFIO_RW));
		EXPECT_EQ(0, vmm_write(&self->dev, GVA + PAGE_4K, buf, sizeof(buf)));
		EXPECT_EQ(0, guest_do(vmm, guest_wait_command(gpa, i)));
		EXPECT_EQ(i, *(__u64 *)mem);
		ASSERT_EQ(PAGE_4K, vfio_unmap(vmm->container, gpa, PAGE_4K));
		/* Nobody has invalidated anything but the host. */
		EXPECT_TRUE(vmm_blocked(&self->dev, GVA + PAGE_4K));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	}
	/* A store there stops the queue and goes nowhere. */
	*(__u64 *)mem = 1234;
	ASSERT_EQ(0, guest_put(vmm, guest_wait_command(gpa, 99)));
	guest_ring(vmm);
	EXPECT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0));
	EXPECT_EQ(1234, *(__u64 *)mem);
	memory_free(mem, PAGE_4K);
}

TEST_F(vm, container_may_be_closed_first)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	__u64 dte[4] = { };

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	vmm_release(&self->dev);
	close(vmm->container);
	/* The guest has no device and no memory any more, and is there nevertheless. */
	EXPECT_EQ(-ENOENT, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0));
	ASSERT_EQ(0, guest_put(vmm, guest_wait_command(GUEST_STORE, ++vmm->waits)));
	guest_ring(vmm);
	sleep_ms(50);
	EXPECT_NE(vmm->waits, *(__u64 *)vmm_at(vmm, GUEST_STORE));

	vmm->container = vfio_container();
	ASSERT_LE(0, vmm->container);
	ASSERT_EQ(0, vmm_take(vmm, &self->dev, self->devices.name[0], GUEST_ID));
	ASSERT_EQ(0, vmm_map(vmm));
	ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
}

TEST_F(vm, group_taken_out_of_its_container_leaves_the_guest)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	int group;

	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	group = dup(self->dev.vfio.group);
	vmm_release(&self->dev);
	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
	EXPECT_EQ(-ENOENT, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
	close(group);
	ASSERT_EQ(0, vmm_take(vmm, &self->dev, self->devices.name[0], GUEST_ID));
	ASSERT_EQ(0, vmm_map(vmm));
	ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
}

TEST_F(vm, node_may_be_closed_first_and_device_is_vfios_again)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	munmap(vmm->page, PAGE_4K);
	vmm->page = NULL;
	close(vmm->node);
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	vmm->node = node_open();
	ASSERT_LE(0, vmm->node);
	ASSERT_EQ(0, vmm_init(vmm, &self->dev));
	ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_EQ(0, guest_sync(vmm));
}

TEST_F(vm, device_that_is_unplugged_leaves_the_guest)
{
	const char *name = self->devices.name[0];
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	/* VFIO lets go only of what nobody has open. */
	vmm_release(&self->dev);
	ASSERT_EQ(0, pci_remove(name));
	EXPECT_EQ(-ENOENT, node_clear_entry(vmm->node, vmm->handle, GUEST_ID));
	ASSERT_EQ(0, pci_rescan());
	ASSERT_EQ(0, pci_wait(name, true, 5000));
	ASSERT_EQ(0, vmm_take(vmm, &self->dev, name, GUEST_ID));
	ASSERT_EQ(0, vmm_map(vmm));
	ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
	EXPECT_EQ(0, guest_sync(vmm));
}

TEST_F(vm, iommu_with_guests_does_not_go_offline)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	EXPECT_EQ(-EBUSY, viommu_offline());
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_HARNESS_MAIN
