// SPDX-License-Identifier: GPL-2.0
/*
 * viommu_hold N: makes N VMs, says what memory all but the first one took, and leaves them, so that a
 * machine that is switched off now has counted what making them costs, and nothing of what ending them
 * would.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "claim.h"
#include "vmm.h"

static int fail(const char *what, int ret)
{
	printf("FAILED: %s: %s\n", what, strerror(-ret));
	return 1;
}

int main(int argc, char **argv)
{
	unsigned int i, count = argc > 1 ? atoi(argv[1]) : 1;
	struct amd_viommu_vm_init init;
	struct pci_list devices;
	struct vmm_device dev;
	struct vmm vmm;
	const char *missing;
	long long before;
	int ret, node;

	missing = need_guests(&devices, 1);
	if (missing) {
		printf("FAILED: %s\n", missing);
		return 1;
	}
	ret = vmm_open(&vmm) ?: vmm_take(&vmm, &dev, devices.name[0], 1) ?: vmm_init(&vmm, &dev);
	if (ret)
		return fail("the first VM", ret);
	before = pages_free();
	for (i = 1; i < count; i++) {
		node = node_open();
		ret = node < 0 ? node : node_init(node, vmm.host, dev.vfio.name, dev.vfio.group, &init);
		if (ret)
			return fail("one more VM", ret);
	}
	printf("pages for %u VMs: %lld\n", count - 1, before - pages_free());
	fflush(stdout);
	if (fork())
		_exit(0);
	/* The child keeps them. */
	for (;;)
		pause();
}
