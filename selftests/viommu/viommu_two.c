// SPDX-License-Identifier: GPL-2.0
/*
 * A machine with two IOMMUs, and guests with devices behind both: one guest that has a vIOMMU on each,
 * or two guests. All call devices, domains and addresses by the same names. What happens behind one
 * IOMMU is nothing to the other, but for the memory of a VM, which is taken from both at once.
 */
#include <signal.h>
#include <stdio.h>

#include "kselftest_harness.h"
#include "claim.h"
#include "names.h"
#include "pull.h"

#define TRIES		20
/* The devices of an IOMMU lose their drivers and are found anew: the sanitizers take their time. */
#define PULL_LIMIT	80

FIXTURE(two) {
	char name[2][PCI_NAME_LEN];
	struct vmm vmm[2];
	struct vmm_device dev[2];
	struct guest_domain domain[2];
};

FIXTURE_VARIANT(two) {
	bool one_vm;
};

FIXTURE_VARIANT_ADD(two, one_vm) {
	.one_vm = true,
};

FIXTURE_VARIANT_ADD(two, two_vms) {
	.one_vm = false,
};

static const char *need_two(char name[2][PCI_NAME_LEN])
{
	struct pci_list devices;
	const char *missing = need_guests(&devices, 2);
	unsigned int i;

	if (missing)
		return missing;
	for (i = 1; i < devices.count; i++) {
		if (pci_iommu(devices.name[i]) == pci_iommu(devices.name[0]))
			continue;
		strcpy(name[0], devices.name[0]);
		strcpy(name[1], devices.name[i]);
		return NULL;
	}
	return "needs amd-viommu-dma devices behind two IOMMUs";
}

/* A device and an IOMMU more for a guest that has one already. */
static int start_beside(struct vmm *vmm, const struct vmm *first, struct vmm_device *dev,
			const char *name)
{
	vmm_beside(vmm, first);
	return vmm_take(vmm, dev, name, GUEST_ID) ?: vmm_init(vmm, dev) ?: vmm_attach(vmm, dev);
}

/* Each domain maps GVA to a page of its own, so that in one memory they can be told apart. */
static __u64 data_of(int i)
{
	return GUEST_DATA + i * PAGE_4K;
}

static int nest(FIXTURE_DATA(two) *self, int i)
{
	struct vmm *vmm = &self->vmm[i];

	guest_domain_make(vmm, &self->domain[i], DOMAIN_ID);
	guest_map(vmm, self->domain[i].root, GVA, data_of(i), GUEST_RW);
	return guest_attach(vmm, &self->dev[i], &self->domain[i]);
}

static bool works(FIXTURE_DATA(two) *self, int i)
{
	return !guest_sync(&self->vmm[i]) &&
	       vmm_moves(&self->vmm[i], &self->dev[i], GVA, data_of(i));
}

FIXTURE_SETUP(two)
{
	const char *missing = need_two(self->name);
	int i;

	if (missing)
		SKIP(return, "%s", missing);
	/* A drive behind the IOMMU that is pulled would take minutes to give up. */
	ASSERT_EQ(0, clients_unbind());
	ASSERT_EQ(0, vmm_start(&self->vmm[0], &self->dev[0], self->name[0], GUEST_ID));
	ASSERT_EQ(0, variant->one_vm ?
		     start_beside(&self->vmm[1], &self->vmm[0], &self->dev[1], self->name[1]) :
		     vmm_start(&self->vmm[1], &self->dev[1], self->name[1], GUEST_ID));
	ASSERT_NE(self->vmm[0].host, self->vmm[1].host);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_boot(&self->vmm[i]));
		ASSERT_EQ(0, nest(self, i));
	}
}

FIXTURE_TEARDOWN(two)
{
	if (variant->one_vm)
		vmm_unmap_page(&self->vmm[1]);
	else
		vmm_close(&self->vmm[1]);
	vmm_close(&self->vmm[0]);
	vmm_release(&self->dev[0]);
	vmm_release(&self->dev[1]);
}

/* All guests of the IOMMU that the device is behind, as debugfs shows them. */
static void list_guests(const char *device, char *text, size_t len)
{
	char path[64];

	snprintf(path, sizeof(path), VIOMMU_DEBUGFS "/ivhd%d/guests", pci_iommu(device));
	if (file_read(path, text, len) < 0)
		*text = '\0';
}

TEST_F(two, iommu_that_a_device_is_not_behind_is_refused)
{
	struct amd_viommu_vm_init init;
	char before[2][512], after[512];
	int i, node = node_open();

	ASSERT_LE(0, node);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, node_detach(self->vmm[i].node, self->vmm[i].handle, GUEST_ID));
		list_guests(self->name[i], before[i], sizeof(before[i]));
		ASSERT_EQ(0, strncmp("gid ", before[i], 4));
	}
	for (i = 0; i < 2; i++) {
		struct vfio_device *vfio = &self->dev[i].vfio;
		struct vmm *other = &self->vmm[!i];

		EXPECT_EQ(-ENODEV, node_init(node, other->host, vfio->name, vfio->group, &init));
		EXPECT_EQ(-EXDEV, node_attach(other->node, other->handle, GUEST_ID, vfio->name,
					      vfio->group));
	}
	/* Nothing was given to anybody, and what was refused is as free as before. */
	for (i = 0; i < 2; i++) {
		list_guests(self->name[i], after, sizeof(after));
		EXPECT_STREQ(before[i], after);
		EXPECT_TRUE(vmm_moves(&self->vmm[i], &self->dev[i], GUEST_DATA, GUEST_DATA));
		EXPECT_EQ(0, vmm_attach(&self->vmm[i], &self->dev[i]));
		EXPECT_EQ(0, nest(self, i));
		EXPECT_TRUE(works(self, i));
	}
	close(node);
}

TEST_F(two, same_names_are_different_things)
{
	struct guest_event event;
	int i;

	for (i = 0; i < 10; i++) {
		int one = i % 2, other = !one;
		char *mem = vmm_at(&self->vmm[other], data_of(other));

		pattern_fill(mem, 256, i);
		EXPECT_TRUE(works(self, one));
		EXPECT_TRUE(pattern_matches(mem, 256, i));
	}
	/* What only one of them has mapped is an event of the other, and in no other log. */
	guest_map(&self->vmm[0], self->domain[0].root, GVA + PAGE_4K, data_of(0), GUEST_RW);
	EXPECT_TRUE(vmm_moves(&self->vmm[0], &self->dev[0], GVA + PAGE_4K, data_of(0)));
	EXPECT_TRUE(vmm_blocked(&self->dev[1], GVA + PAGE_4K));
	ASSERT_TRUE(guest_event_wait(&self->vmm[1], &event));
	EXPECT_EQ(GUEST_ID, event.device);
	EXPECT_EQ(GVA + PAGE_4K, event.address);
	EXPECT_FALSE(guest_event(&self->vmm[0], &event));
}

/* Invalidates all that DOMAIN_ID has at GVA, in the queue of one vIOMMU. */
static int invalidate(struct vmm *vmm)
{
	return guest_do(vmm, guest_page_command(DOMAIN_ID, 0, GVA)) ?:
	       guest_do(vmm, guest_domain_command(DOMAIN_ID)) ?:
	       guest_do(vmm, guest_entry_command(GUEST_ID));
}

TEST_F(two, guest_invalidates_behind_the_iommu_of_the_queue_only)
{
	unsigned int i, stale[2] = { };
	char buf[8];

	for (i = 0; i < TRIES; i++) {
		int one = i % 2, other = !one;
		struct vmm *vmm = &self->vmm[one];

		guest_map(vmm, self->domain[one].root, GVA, data_of(one), GUEST_RW);
		ASSERT_EQ(0, invalidate(vmm));
		ASSERT_EQ(0, vmm_read(&self->dev[one], GVA, buf, sizeof(buf)));
		guest_unmap(vmm, self->domain[one].root, GVA);
		EXPECT_EQ(0, invalidate(&self->vmm[other]));
		stale[one] += !vmm_read(&self->dev[one], GVA, buf, sizeof(buf));
		EXPECT_EQ(0, invalidate(vmm));
		EXPECT_TRUE(vmm_blocked(&self->dev[one], GVA));
	}
	/* A cache may lose an entry by itself at any time, but not every time. */
	EXPECT_LT(0, stale[0]);
	EXPECT_LT(0, stale[1]);
}

/* The guest has a page at GVA + PAGE_4K that VFIO maps at this address. */
#define TAKEN		(1 * GIB)

static bool reaches_taken(FIXTURE_DATA(two) *self, int i)
{
	char buf[8] = { };

	return !vmm_write(&self->dev[i], GVA + PAGE_4K, buf, sizeof(buf)) &&
	       !vmm_read(&self->dev[i], GVA + PAGE_4K, buf, sizeof(buf));
}

TEST_F(two, memory_taken_by_vfio_is_gone_behind_each_iommu)
{
	void *mem = memory_alloc(PAGE_4K);
	int i, round, containers = variant->one_vm ? 1 : 2;

	for (i = 0; i < 2; i++)
		guest_map(&self->vmm[i], self->domain[i].root, GVA + PAGE_4K, TAKEN, GUEST_RW);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < containers; i++)
			ASSERT_EQ(0, vfio_map(self->vmm[i].container, mem, TAKEN, PAGE_4K, VFIO_RW));
		EXPECT_TRUE(reaches_taken(self, 0));
		EXPECT_TRUE(reaches_taken(self, 1));
		ASSERT_EQ(PAGE_4K, vfio_unmap(self->vmm[0].container, TAKEN, PAGE_4K));
		EXPECT_TRUE(vmm_blocked(&self->dev[0], GVA + PAGE_4K));
		if (!variant->one_vm) {
			EXPECT_TRUE(reaches_taken(self, 1));
			ASSERT_EQ(PAGE_4K, vfio_unmap(self->vmm[1].container, TAKEN, PAGE_4K));
		}
		EXPECT_TRUE(vmm_blocked(&self->dev[1], GVA + PAGE_4K));
		EXPECT_TRUE(works(self, 0));
		EXPECT_TRUE(works(self, 1));
	}
	memory_free(mem, PAGE_4K);
}

TEST_F(two, end_of_one_is_nothing_to_the_other)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct vmm *vmm = &self->vmm[i];

		ASSERT_EQ(0, node_destroy(vmm->node, vmm->handle));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev[i], GUEST_DATA, GUEST_DATA));
		EXPECT_TRUE(vmm_blocked(&self->dev[i], GVA));
		EXPECT_TRUE(works(self, !i));
		EXPECT_EQ(0, invalidate(&self->vmm[!i]));
		EXPECT_TRUE(works(self, !i));
		/* One that comes in its place has the names of the last one, and nothing of what it had. */
		vmm_unmap_page(vmm);
		ASSERT_EQ(0, vmm_init(vmm, &self->dev[i]));
		ASSERT_EQ(0, vmm_attach(vmm, &self->dev[i]));
		EXPECT_EQ(0, guest_status(vmm));
		EXPECT_TRUE(vmm_blocked(&self->dev[i], GVA));
		ASSERT_EQ(0, guest_boot(vmm));
		ASSERT_EQ(0, nest(self, i));
		EXPECT_TRUE(works(self, 0));
		EXPECT_TRUE(works(self, 1));
	}
}

static void function_name(__u32 function, char name[PCI_NAME_LEN])
{
	snprintf(name, PCI_NAME_LEN, "%04x:%02x:%02x.%x", function >> 16, function >> 8 & 0xff,
		 function >> 3 & 0x1f, function & 7);
}

/* What the guest had behind the second IOMMU is given back, and comes again with the IOMMU. */
static void comes_back(struct __test_metadata *_metadata, FIXTURE_DATA(two) *self,
		       const struct pci_list *iommu, bool one_vm)
{
	struct vmm *vmm = &self->vmm[1];
	struct vmm_device *dev = &self->dev[1];

	EXPECT_EQ(0, node_destroy(vmm->node, vmm->handle));
	vmm_unmap_page(vmm);
	vmm_release(dev);
	ASSERT_EQ(0, pci_unbind(self->name[1]));
	ASSERT_EQ(0, iommus_return(iommu));
	if (one_vm) {
		ASSERT_EQ(0, vmm_take(vmm, dev, self->name[1], GUEST_ID));
		ASSERT_EQ(0, vmm_init(vmm, dev) ?: vmm_attach(vmm, dev));
	} else {
		/* Its only device took the mappings of the container with it. */
		vmm_close(vmm);
		ASSERT_EQ(0, vmm_start(vmm, dev, self->name[1], GUEST_ID));
	}
	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, nest(self, 1));
	EXPECT_TRUE(works(self, 1));
	EXPECT_TRUE(works(self, 0));
}

TEST_F_TIMEOUT(two, iommu_that_is_pulled_leaves_the_guest_on_the_other, PULL_LIMIT)
{
	struct pci_list iommu = { .count = 1 };
	struct vmm *vmm = &self->vmm[1];
	__u64 value;

	function_name(vmm->host, iommu.name[0]);
	ASSERT_EQ(0, iommus_pull(&iommu));
	EXPECT_TRUE(vmm_blocked(&self->dev[1], GVA));
	EXPECT_TRUE(vmm_blocked(&self->dev[1], GUEST_DATA));
	EXPECT_EQ(SIGBUS, signal_of(vmm->page));
	EXPECT_EQ(-ENODEV, node_read(vmm->node, vmm->handle, REG_CONTROL, 8, &value));
	EXPECT_EQ(-ENODEV, vmm_attach(vmm, &self->dev[1]));
	EXPECT_TRUE(works(self, 0));
	EXPECT_EQ(0, invalidate(&self->vmm[0]));
	EXPECT_TRUE(works(self, 0));
	EXPECT_TRUE(vmm_blocked(&self->dev[0], GUEST_DATA));
	comes_back(_metadata, self, &iommu, variant->one_vm);
}

TEST_HARNESS_MAIN
