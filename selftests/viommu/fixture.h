/* SPDX-License-Identifier: GPL-2.0 */
/* What most tests begin with: a VM with one device, whose guest has not done anything yet. */
#ifndef VIOMMU_VM_FIXTURE_H
#define VIOMMU_VM_FIXTURE_H

#include "names.h"

FIXTURE(vm) {
	struct pci_list devices;
	struct vmm vmm;
	struct vmm_device dev;
	int kmsg;
};

FIXTURE_SETUP(vm)
{
	const char *missing = need_guests(&self->devices, 1);

	if (missing)
		SKIP(return, "%s", missing);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
	ASSERT_EQ(0, vmm_start(&self->vmm, &self->dev, self->devices.name[0], GUEST_ID));
}

FIXTURE_TEARDOWN(vm)
{
	vmm_close(&self->vmm);
	vmm_release(&self->dev);
	close(self->kmsg);
}

#endif
