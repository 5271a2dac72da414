// SPDX-License-Identifier: GPL-2.0
/* The form of calls: sizes, flags, words that must be zero, handles, and where results go. */
#include <stddef.h>

#include "kselftest_harness.h"
#include "fixture.h"

/* Extended features that a guest may have at most. */
#define EFR_GT		(1ULL << 4)
#define EFR_GA		(1ULL << 7)
#define EFR_GATS	(3ULL << 12)
#define EFR_GLX		(3ULL << 14)
#define EFR_PASMAX	(0x1fULL << 32)
#define EFR_GIO		(1ULL << 48)

/* The longest structure that is looked at. */
#define LONGEST		4096

static const struct call {
	const char *name;
	unsigned long request;
	__u32 size, least;
	bool has_handle;
} calls[] = {
	{ "GET_INFO", AMD_VIOMMU_GET_INFO, sizeof(struct amd_viommu_info),
	  offsetof(struct amd_viommu_info, host), false },
	{ "VM_INIT", AMD_VIOMMU_VM_INIT, sizeof(struct amd_viommu_vm_init),
	  sizeof(struct amd_viommu_vm_init), false },
	{ "VM_DESTROY", AMD_VIOMMU_VM_DESTROY, sizeof(struct amd_viommu_vm),
	  offsetof(struct amd_viommu_vm, reserved), true },
	{ "VM_RESET", AMD_VIOMMU_VM_RESET, sizeof(struct amd_viommu_vm),
	  offsetof(struct amd_viommu_vm, reserved), true },
	{ "VM_RUN", AMD_VIOMMU_VM_RUN, sizeof(struct amd_viommu_vm),
	  offsetof(struct amd_viommu_vm, reserved), true },
	{ "DEVICE_DETACH", AMD_VIOMMU_DEVICE_DETACH, sizeof(struct amd_viommu_device),
	  offsetof(struct amd_viommu_device, device), true },
	{ "DOMAIN_ATTACH", AMD_VIOMMU_DOMAIN_ATTACH, sizeof(struct amd_viommu_domain),
	  sizeof(struct amd_viommu_domain), true },
	{ "DOMAIN_DETACH", AMD_VIOMMU_DOMAIN_DETACH, sizeof(struct amd_viommu_domain),
	  offsetof(struct amd_viommu_domain, dte), true },
	{ "MMIO_ACCESS", AMD_VIOMMU_MMIO_ACCESS, sizeof(struct amd_viommu_mmio),
	  sizeof(struct amd_viommu_mmio), true },
	{ "CMDBUF_MAP_UPDATE", AMD_VIOMMU_CMDBUF_MAP_UPDATE, sizeof(struct amd_viommu_queue),
	  sizeof(struct amd_viommu_queue), true },
	{ "SET_EVENTFD", AMD_VIOMMU_SET_EVENTFD, sizeof(struct amd_viommu_eventfd),
	  offsetof(struct amd_viommu_eventfd, reserved), true },
};

/* A call whose structure claims this size, is zero otherwise, and means something. */
static int call_with(struct vmm *vmm, const struct call *call, __u32 size, char *argument)
{
	memset(argument, 0, 2 * LONGEST);
	((__u32 *)argument)[0] = size;
	if (call->has_handle)
		((__u32 *)argument)[2] = vmm->handle;
	if (call->request == AMD_VIOMMU_MMIO_ACCESS)
		((struct amd_viommu_mmio *)argument)->length = 8;
	if (call->request == AMD_VIOMMU_DEVICE_DETACH || call->request == AMD_VIOMMU_DOMAIN_ATTACH ||
	    call->request == AMD_VIOMMU_DOMAIN_DETACH)
		((struct amd_viommu_domain *)argument)->guest_id = GUEST_ID;
	if (call->request == AMD_VIOMMU_VM_INIT)
		((struct amd_viommu_vm_init *)argument)->group_fd = -1;
	if (call->request == AMD_VIOMMU_SET_EVENTFD)
		((struct amd_viommu_eventfd *)argument)->fd = -1;
	/* Nobody shall lose what the other calls are about. */
	if (call->request == AMD_VIOMMU_VM_DESTROY || call->request == AMD_VIOMMU_DEVICE_DETACH)
		((__u32 *)argument)[2] = 99;
	return node_call(vmm->node, call->request, argument);
}

static int usual_result(const struct call *call)
{
	switch (call->request) {
	case AMD_VIOMMU_VM_INIT:
		return -EBADF;
	case AMD_VIOMMU_VM_DESTROY:
	case AMD_VIOMMU_DEVICE_DETACH:
		return -ENOENT;
	default:
		return 0;
	}
}

TEST_F(vm, sizes_follow_the_rules_of_iommufd)
{
	char argument[2 * LONGEST] __attribute__((aligned(8)));
	unsigned int i;
	int usual;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct call *call = &calls[i];

		TH_LOG("%s", call->name);
		usual = usual_result(call);
		EXPECT_EQ(usual, call_with(&self->vmm, call, call->size, argument));
		EXPECT_EQ(-EINVAL, call_with(&self->vmm, call, 0, argument));
		EXPECT_EQ(-EINVAL, call_with(&self->vmm, call, call->least - 1, argument));
		EXPECT_EQ(usual, call_with(&self->vmm, call, call->least, argument));
		EXPECT_EQ(usual, call_with(&self->vmm, call, call->size + 8, argument));
		EXPECT_EQ(usual, call_with(&self->vmm, call, LONGEST, argument));
		EXPECT_EQ(-E2BIG, call_with(&self->vmm, call, LONGEST + 1, argument));

		argument[call->size] = 1;
		((__u32 *)argument)[0] = call->size + 1;
		EXPECT_EQ(-E2BIG, node_call(self->vmm.node, call->request, argument));
		((__u32 *)argument)[0] = LONGEST;
		argument[call->size] = 0;
		argument[LONGEST - 1] = 1;
		EXPECT_EQ(-E2BIG, node_call(self->vmm.node, call->request, argument));
	}
}

TEST_F(vm, unknown_flags_are_refused_before_anything_else)
{
	char argument[2 * LONGEST] __attribute__((aligned(8)));
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (bit = 1; bit < 32; bit++) {
			call_with(&self->vmm, &calls[i], 0, argument);
			((__u32 *)argument)[0] = calls[i].size;
			((__u32 *)argument)[1] = 1U << bit;
			EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, calls[i].request, argument)) {
				TH_LOG("%s bit %u", calls[i].name, bit);
			}
		}
	}
}

TEST_F(vm, what_cannot_be_read_is_efault)
{
	char *pages = mmap(NULL, 2 * PAGE_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;
	__u32 *size;

	ASSERT_NE(MAP_FAILED, pages);
	munmap(pages + PAGE_4K, PAGE_4K);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_EQ(-EFAULT, node_call(self->vmm.node, calls[i].request, NULL));
		/* All of it but the last word is there. */
		size = (__u32 *)(pages + PAGE_4K - calls[i].size + 8);
		*size = calls[i].size;
		EXPECT_EQ(-EFAULT, node_call(self->vmm.node, calls[i].request, size));
		*size = 0;
	}
}

TEST_F(vm, result_that_cannot_be_written_leaves_nothing_behind)
{
	struct amd_viommu_vm_init *init;
	struct amd_viommu_vm_init again;
	int node = node_open();

	ASSERT_LE(0, node);
	init = mmap(NULL, PAGE_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, init);
	init->size = sizeof(*init);
	init->host = self->vmm.host;
	init->device = node_function(self->dev.vfio.name);
	init->group_fd = self->dev.vfio.group;
	ASSERT_EQ(0, mprotect(init, PAGE_4K, PROT_READ));
	EXPECT_EQ(-EFAULT, node_call(node, AMD_VIOMMU_VM_INIT, init));
	/* The file has none: it may have one. */
	EXPECT_EQ(0, node_init(node, self->vmm.host, self->dev.vfio.name, self->dev.vfio.group, &again));
	close(node);
}

TEST_F(vm, unknown_calls_are_enotty)
{
	char argument[LONGEST] __attribute__((aligned(8))) = { };

	EXPECT_EQ(-ENOTTY, node_call(self->vmm.node, _IOW(AMD_VIOMMU_TYPE, 12, struct amd_viommu_vm),
				     argument));
	EXPECT_EQ(-ENOTTY, node_call(self->vmm.node, _IOR(AMD_VIOMMU_TYPE, 3, struct amd_viommu_vm),
				     argument));
	EXPECT_EQ(-ENOTTY, node_call(self->vmm.node, _IOW(';', 3, struct amd_viommu_vm), argument));
	EXPECT_EQ(-ENOTTY, node_call(self->vmm.node, 0, argument));
}

TEST_F(vm, size_in_the_number_does_not_matter)
{
	struct amd_viommu_vm vm = { .size = sizeof(vm), .handle = self->vmm.handle };

	EXPECT_EQ(0, node_call(self->vmm.node, _IOW(AMD_VIOMMU_TYPE, 3, char), &vm));
	EXPECT_EQ(0, node_call(self->vmm.node, _IOW(AMD_VIOMMU_TYPE, 3, char[512]), &vm));
}

TEST_F(vm, words_without_a_meaning_must_be_zero)
{
	__u32 handle = self->vmm.handle;
	struct amd_viommu_vm vm = { .size = sizeof(vm), .handle = handle, .reserved = 1 };
	struct amd_viommu_mmio mmio = { .size = sizeof(mmio), .handle = handle, .length = 8,
					.reserved = 1 };
	struct amd_viommu_device device = { .size = sizeof(device), .handle = handle,
					    .guest_id = GUEST_ID, .device = 1 };
	struct amd_viommu_domain domain = { .size = sizeof(domain), .handle = handle,
					    .guest_id = GUEST_ID, .dte = { 0, 0, 0, 1 } };

	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_VM_RESET, &vm));
	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_VM_RUN, &vm));
	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_VM_DESTROY, &vm));
	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_MMIO_ACCESS, &mmio));
	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_DOMAIN_DETACH, &domain));
	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_DEVICE_DETACH, &device));
	device.device = 0;
	device.group_fd = 1;
	EXPECT_EQ(-EOPNOTSUPP, node_call(self->vmm.node, AMD_VIOMMU_DEVICE_DETACH, &device));
	/* It is still there. */
	EXPECT_EQ(0, node_detach(self->vmm.node, handle, GUEST_ID));
}

TEST_F(vm, info_describes_hardware_and_what_guests_may_see)
{
	struct amd_viommu_info info;
	__u32 index;

	ASSERT_EQ(0, node_info(self->vmm.node, 0, &info));
	TH_LOG("host %x modes %x guests %u efr %llx %llx guest %llx %llx", info.host, info.modes,
	       info.guests, info.efr, info.efr2, info.guest_efr, info.guest_efr2);
	EXPECT_EQ(AMD_VIOMMU_MODE_GPA, info.modes);
	EXPECT_LT(0, info.guests);
	EXPECT_EQ(PAGE_4K, info.mmap_len);
	EXPECT_EQ(512 * KIB, info.queue_max);
	/* Translation by the guest's tables, for requests without PASID too, and nothing that needs more. */
	EXPECT_EQ(EFR_GT | EFR_GIO, info.guest_efr & (EFR_GT | EFR_GIO));
	EXPECT_EQ(0, info.guest_efr & ~(EFR_GT | EFR_GA | EFR_GATS | EFR_GLX | EFR_PASMAX | EFR_GIO));
	EXPECT_EQ(0, info.guest_efr2);
	for (index = 1; !node_info(self->vmm.node, index, &info); index++)
		EXPECT_EQ(AMD_VIOMMU_MODE_GPA, info.modes);
	EXPECT_EQ(-ENODEV, node_info(self->vmm.node, index, &info));
	EXPECT_EQ(-ENODEV, node_info(self->vmm.node, ~0U, &info));
}

TEST_F(vm, results_end_where_the_structure_ends)
{
	struct amd_viommu_info whole, info;

	ASSERT_EQ(0, node_info(self->vmm.node, 0, &whole));
	memset(&info, 0, sizeof(info));
	info.size = offsetof(struct amd_viommu_info, efr);
	info.efr = 0x1122334455667788;
	info.mmap_len = 5;
	EXPECT_EQ(0, node_call(self->vmm.node, AMD_VIOMMU_GET_INFO, &info));
	EXPECT_EQ(whole.host, info.host);
	EXPECT_EQ(0x1122334455667788, info.efr);
	EXPECT_EQ(5, info.mmap_len);
}

static void expect_nothing_there(struct __test_metadata *_metadata, int node, __u32 handle)
{
	__u64 value, dte[4] = { };

	EXPECT_EQ(-ENOENT, node_reset(node, handle));
	EXPECT_EQ(-ENOENT, node_run(node, handle, 0));
	EXPECT_EQ(-ENOENT, node_detach(node, handle, GUEST_ID));
	EXPECT_EQ(-ENOENT, node_set_entry(node, handle, GUEST_ID, dte));
	EXPECT_EQ(-ENOENT, node_clear_entry(node, handle, GUEST_ID));
	EXPECT_EQ(-ENOENT, node_read(node, handle, 0, 8, &value));
	EXPECT_EQ(-ENOENT, node_write(node, handle, 0, 8, 0));
	EXPECT_EQ(-ENOENT, node_queue(node, handle, 0, 0, 0));
	EXPECT_EQ(-ENOENT, node_destroy(node, handle));
}

TEST_F(vm, handles_belong_to_one_file_and_end_with_destroy)
{
	struct amd_viommu_vm_init init;
	int other = node_open();

	ASSERT_LE(0, other);
	expect_nothing_there(_metadata, other, self->vmm.handle);
	expect_nothing_there(_metadata, self->vmm.node, 0);
	expect_nothing_there(_metadata, self->vmm.node, ~0U);
	EXPECT_EQ(-ENOENT, node_attach(other, self->vmm.handle, 1, self->dev.vfio.name,
				       self->dev.vfio.group));
	/* One on each IOMMU of the host. */
	EXPECT_EQ(-EEXIST, node_init(self->vmm.node, self->vmm.host, self->dev.vfio.name,
				     self->dev.vfio.group, &init));
	EXPECT_EQ(0, node_destroy(self->vmm.node, self->vmm.handle));
	expect_nothing_there(_metadata, self->vmm.node, self->vmm.handle);
	EXPECT_EQ(0, node_init(self->vmm.node, self->vmm.host, self->dev.vfio.name,
			       self->dev.vfio.group, &init));
	close(other);
}

TEST_F(vm, guest_ids_have_16_bits)
{
	__u64 dte[4] = { };
	int node = self->vmm.node;
	__u32 handle = self->vmm.handle;

	EXPECT_EQ(-EINVAL, node_attach(node, handle, 0x10000, self->dev.vfio.name, self->dev.vfio.group));
	EXPECT_EQ(-EINVAL, node_detach(node, handle, 0x10000 | GUEST_ID));
	EXPECT_EQ(-EINVAL, node_set_entry(node, handle, 0x10000 | GUEST_ID, dte));
	EXPECT_EQ(-EINVAL, node_clear_entry(node, handle, 0x10000 | GUEST_ID));
	EXPECT_EQ(-ENOENT, node_detach(node, handle, GUEST_ID + 1));
	EXPECT_EQ(-ENOENT, node_set_entry(node, handle, GUEST_ID + 1, dte));
	EXPECT_EQ(-ENOENT, node_clear_entry(node, handle, GUEST_ID + 1));
}

TEST_F(vm, accesses_that_no_guest_can_make_are_refused)
{
	static const struct {
		__u32 offset, length;
	} bad[] = {
		{ 0x18, 0 }, { 0x18, 1 }, { 0x18, 2 }, { 0x18, 3 }, { 0x18, 16 }, { 0x18, ~0U },
		{ 0x1c, 8 }, { 0x1a, 4 }, { 0x2000, 8 }, { 0x2020, 4 }, { 0x2ff8, 8 }, { 0x4000, 8 },
		{ ~7U, 8 },
	};
	int node = self->vmm.node;
	__u32 handle = self->vmm.handle;
	unsigned int i;
	__u64 value;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, node_read(node, handle, bad[i].offset, bad[i].length, &value));
		EXPECT_EQ(-EINVAL, node_write(node, handle, bad[i].offset, bad[i].length, 0));
	}
	EXPECT_EQ(-EINVAL, node_write(node, handle, 0x18, 4, 1ULL << 32));
	/* What no register is at. */
	EXPECT_EQ(0, node_write(node, handle, 0x1000, 8, ~0ULL));
	EXPECT_EQ(0, node_write(node, handle, 0x3ff8, 8, ~0ULL));
	EXPECT_EQ(0, node_read(node, handle, 0x1000, 8, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, node_read(node, handle, 0x3ff8, 8, &value));
	EXPECT_EQ(0, value);
}

TEST_F(vm, places_where_no_queue_can_be_are_refused)
{
	static const struct {
		__u32 queue;
		__u64 address, length;
	} bad[] = {
		{ 0, GUEST_BASE, 2048 }, { 0, GUEST_BASE, 12288 }, { 0, GUEST_BASE, 1 * MIB },
		{ 0, GUEST_BASE, 1 }, { 0, GUEST_BASE, ~0ULL }, { 0, GUEST_BASE, 0 },
		{ 0, GUEST_BASE + 8, 4096 }, { 0, ~0ULL << 12, 4096 }, { 0, ~0ULL << 12, 8192 },
		{ 0, 1ULL << 52, 4096 }, { 2, GUEST_BASE, 4096 }, { ~0U, GUEST_BASE, 4096 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, node_queue(self->vmm.node, self->vmm.handle, bad[i].queue,
					      bad[i].address, bad[i].length)) {
			TH_LOG("case %u", i);
		}
	}
	EXPECT_EQ(0, node_queue(self->vmm.node, self->vmm.handle, 0, GUEST_BASE, 4096));
	EXPECT_EQ(0, node_queue(self->vmm.node, self->vmm.handle, 1, GUEST_BASE, 512 * KIB));
	EXPECT_EQ(0, node_queue(self->vmm.node, self->vmm.handle, 0, 0, 0));
}

TEST_HARNESS_MAIN
