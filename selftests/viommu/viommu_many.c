// SPDX-License-Identifier: GPL-2.0
/* Many VMs come and go, and all of their memory comes back. */
#include "kselftest_harness.h"
#include "claim.h"
#include "kmod.h"
#include "names.h"

#define VMS		100

static struct vmm_device *device;
static __u32 host;

/* One more VM, which is a node. */
static int make(void)
{
	struct amd_viommu_vm_init init;
	int node = node_open(), ret;

	if (node < 0)
		return node;
	ret = node_init(node, host, device->vfio.name, device->vfio.group, &init);
	if (ret)
		close(node);
	return ret ?: node;
}

/*
 * A VM comes and goes. Addresses of the kernel that were given back stay reserved until a module's
 * memory is given back, and then all go at once.
 */
static int come_and_go(const void *unused)
{
	static unsigned int count;
	int node = make();

	if (node < 0)
		return node;
	close(node);
	if (++count % (VMS / 2) == 0 && !module_probe("ext4"))
		module_remove("ext4");
	return 0;
}

FIXTURE(many) {
	struct pci_list devices;
	struct vmm vmm;
	struct vmm_device dev;
};

FIXTURE_SETUP(many)
{
	const char *missing = need_guests(&self->devices, 1);

	if (missing)
		SKIP(return, "%s", missing);
	/* There is one VM already, so that what all of them share is there. */
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
	device = &self->dev;
	host = self->vmm.host;
}

FIXTURE_TEARDOWN(many)
{
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
}

TEST_F_TIMEOUT(many, nothing_of_them_stays, 150)
{
	const char *leak = cycles_leak(come_and_go, NULL, VMS);

	EXPECT_EQ(NULL, leak) TH_LOG("%s", leak);
}

TEST_HARNESS_MAIN
