// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM owns the devices that it proves to own, and nothing else: what is no proof, and what cannot be
 * in one VM together.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "block.h"
#include "edu.h"
#include "names.h"
#include "kmod.h"

FIXTURE(owner) {
	struct pci_list devices;
	struct vmm vmm;
	struct vmm_device dev;
};

FIXTURE_SETUP(owner)
{
	const char *missing = need_guests(&self->devices, 2);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
}

FIXTURE_TEARDOWN(owner)
{
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
}

/* What both calls that take a proof say about this one. Nothing of it is given. */
static int try_both(struct __test_metadata *_metadata, struct vmm *vmm, const char *device, int group)
{
	struct amd_viommu_vm_init init;
	int node = node_open(), attached;

	attached = node_attach(vmm->node, vmm->handle, 1, device, group);
	EXPECT_EQ(attached, node_init(node, vmm->host, device, group, &init));
	close(node);
	return attached;
}

static int open_group(const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%d", pci_group(name));
	return open(path, O_RDWR | O_CLOEXEC);
}

TEST_F(owner, files_that_prove_nothing_are_refused)
{
	const char *name = self->devices.name[0];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct vmm *vmm = &self->vmm;

	ASSERT_LE(0, null);
	EXPECT_EQ(-EBADF, try_both(_metadata, vmm, name, -1));
	EXPECT_EQ(-EBADF, try_both(_metadata, vmm, name, 1000));
	EXPECT_EQ(-EINVAL, try_both(_metadata, vmm, name, null));
	EXPECT_EQ(-EINVAL, try_both(_metadata, vmm, name, vmm->container));
	EXPECT_EQ(-EINVAL, try_both(_metadata, vmm, name, vmm->node));
	EXPECT_EQ(-EOPNOTSUPP, try_both(_metadata, vmm, name, self->dev.vfio.device));
	close(null);
}

TEST_F(owner, group_of_another_device_is_refused_both_ways)
{
	struct vmm_device other;

	ASSERT_EQ(0, vmm_take(&self->vmm, &other, self->devices.name[1], 1));
	EXPECT_EQ(-EACCES, try_both(_metadata, &self->vmm, other.vfio.name, self->dev.vfio.group));
	EXPECT_EQ(-EACCES, try_both(_metadata, &self->vmm, self->dev.vfio.name, other.vfio.group));
	/* The proof itself is good. */
	EXPECT_EQ(0, vmm_attach(&self->vmm, &other));
	EXPECT_TRUE(vmm_moves(&self->vmm, &other, GUEST_DATA, GUEST_DATA));
	vmm_release(&other);
}

TEST_F(owner, device_that_vfio_does_not_drive_is_refused)
{
	const char *name = self->devices.name[1];
	struct pci_list drives, iommus;
	char driver[64];

	pci_unbind(name);
	EXPECT_EQ(-ENODEV, try_both(_metadata, &self->vmm, name, self->dev.vfio.group));
	pci_find_iommus(&iommus);
	EXPECT_EQ(-ENODEV, try_both(_metadata, &self->vmm, iommus.name[0], self->dev.vfio.group));
	EXPECT_EQ(-ENODEV, try_both(_metadata, &self->vmm, "0000:ff:1f.7", self->dev.vfio.group));
	EXPECT_EQ(-ENODEV, try_both(_metadata, &self->vmm, "0001:00:00.0", self->dev.vfio.group));

	/* Another driver's data is not taken for a device of VFIO. */
	pci_find_class(&drives, BLOCK_PCI_CLASS, 0xffffff);
	if (!drives.count || module_probe("nvme") || pci_bind(drives.name[0], "nvme"))
		return;
	EXPECT_EQ(0, pci_driver(drives.name[0], driver, sizeof(driver)));
	EXPECT_STREQ("nvme", driver);
	EXPECT_EQ(-ENODEV, try_both(_metadata, &self->vmm, drives.name[0], self->dev.vfio.group));
}

TEST_F(owner, host_iommu_is_one_that_the_device_is_behind)
{
	struct amd_viommu_vm_init init;
	int node = node_open();

	EXPECT_EQ(-ENODEV, node_init(node, 0, self->dev.vfio.name, self->dev.vfio.group, &init));
	EXPECT_EQ(-ENODEV, node_init(node, node_function(self->dev.vfio.name), self->dev.vfio.name,
				     self->dev.vfio.group, &init));
	EXPECT_EQ(0, node_init(node, self->vmm.host, self->dev.vfio.name, self->dev.vfio.group, &init));
	close(node);
}

TEST_F(owner, device_without_a_page_table_of_vfio_is_not_attached)
{
	const char *name = self->devices.name[1];
	struct vmm *vmm = &self->vmm;
	int group, container;

	ASSERT_EQ(0, pci_bind(name, "vfio-pci"));
	group = open_group(name);
	ASSERT_LE(0, group);
	EXPECT_EQ(-ENODEV, node_attach(vmm->node, vmm->handle, 1, name, group));
	close(group);

	/* In a container that has no type yet. */
	container = vfio_container();
	group = vfio_join_blocked(container, name);
	ASSERT_LE(0, group);
	EXPECT_EQ(-ENODEV, node_attach(vmm->node, vmm->handle, 1, name, group));
	/* Nothing was left behind: it works once it has. */
	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &vmm->container));
	EXPECT_EQ(0, node_attach(vmm->node, vmm->handle, 1, name, group));
	close(group);
	close(container);
}

TEST_F(owner, device_is_in_one_vm_under_one_id)
{
	struct vmm *vmm = &self->vmm;
	struct amd_viommu_vm_init init;
	struct vmm_device second;
	int node = node_open();

	EXPECT_EQ(-EEXIST, vmm_attach(vmm, &self->dev));
	EXPECT_EQ(-EBUSY, node_attach(vmm->node, vmm->handle, GUEST_ID + 1, self->dev.vfio.name,
				      self->dev.vfio.group));
	ASSERT_EQ(0, node_init(node, vmm->host, self->dev.vfio.name, self->dev.vfio.group, &init));
	EXPECT_EQ(-EBUSY, node_attach(node, init.handle, GUEST_ID, self->dev.vfio.name,
				      self->dev.vfio.group));
	ASSERT_EQ(0, vmm_take(vmm, &second, self->devices.name[1], GUEST_ID));
	EXPECT_EQ(-EEXIST, vmm_attach(vmm, &second));
	/* It is free when the first VM has given it back. */
	EXPECT_EQ(0, node_detach(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_EQ(0, node_attach(node, init.handle, GUEST_ID, self->dev.vfio.name,
				 self->dev.vfio.group));
	EXPECT_EQ(0, vmm_attach(vmm, &second));
	EXPECT_TRUE(vmm_moves(vmm, &second, GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	close(node);
	vmm_release(&second);
}

TEST_F(owner, devices_of_one_guest_have_one_memory)
{
	struct vmm *vmm = &self->vmm, other;
	struct vmm_device second;

	ASSERT_EQ(0, vmm_open(&other));
	ASSERT_EQ(0, vmm_take(&other, &second, self->devices.name[1], 1));
	ASSERT_EQ(0, vmm_map(&other));
	EXPECT_EQ(-EXDEV, vmm_attach(vmm, &second));
	/* It was left as it is, and the guest as well. */
	EXPECT_TRUE(vmm_moves(&other, &second, GUEST_DATA, GUEST_DATA));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));

	/* A guest without devices may have another memory than before. */
	ASSERT_EQ(0, node_detach(vmm->node, vmm->handle, GUEST_ID));
	EXPECT_EQ(0, vmm_attach(vmm, &second));
	EXPECT_EQ(-EXDEV, vmm_attach(vmm, &self->dev));
	vmm_close(&other);
	vmm_release(&second);
}

TEST_F(owner, device_that_shares_its_requester_id_is_refused)
{
	const char *shared = NULL;
	struct pci_list edus;
	struct vfio_device edu;
	unsigned int i;

	/* The group is viable when all of it is VFIO's. */
	pci_find_id(&edus, EDU_VENDOR, EDU_DEVICE);
	for (i = 0; i < edus.count; i++) {
		if (!strncmp(edus.name[i], "0000:00:", 8))
			continue;
		shared = edus.name[i];
		ASSERT_EQ(0, pci_bind(shared, "vfio-pci"));
	}
	if (!shared)
		SKIP(return, "needs a device behind a conventional bridge");
	ASSERT_EQ(0, vfio_open(&edu, self->vmm.container, shared));
	EXPECT_EQ(-EOPNOTSUPP, node_attach(self->vmm.node, self->vmm.handle, 1, edu.name, edu.group));
	vfio_close(&edu);
}

TEST_F(owner, vm_outlives_the_file_of_a_group_but_not_the_device)
{
	struct vmm *vmm = &self->vmm;
	__u64 dte[4] = { };

	/* The group itself is kept by the device's file. */
	close(self->dev.vfio.group);
	self->dev.vfio.group = -1;
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
	EXPECT_EQ(0, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	EXPECT_TRUE(vmm_blocked(&self->dev, GUEST_DATA));
	vmm_release(&self->dev);
	EXPECT_EQ(-ENOENT, node_set_entry(vmm->node, vmm->handle, GUEST_ID, dte));
	/* The ID is free. The container had lost its last group, and all that was mapped. */
	ASSERT_EQ(0, vmm_take(vmm, &self->dev, self->devices.name[0], GUEST_ID));
	ASSERT_EQ(0, vmm_map(vmm));
	EXPECT_EQ(0, vmm_attach(vmm, &self->dev));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
}

TEST_HARNESS_MAIN
