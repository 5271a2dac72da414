// SPDX-License-Identifier: GPL-2.0
/* The guest's command queue: when it runs, what stops it, and what the guest can see of that. */
#include "kselftest_harness.h"
#include "fixture.h"

static __u64 control_of(struct vmm *vmm)
{
	__u64 value = ~0ULL;

	return guest_read(vmm, REG_CONTROL, &value) ? ~0ULL : value;
}

/* Commands that were put are not executed. */
static bool rests(struct vmm *vmm)
{
	__u64 *stored = vmm_at(vmm, GUEST_STORE), before = *stored;

	if (guest_put(vmm, guest_wait_command(GUEST_STORE, ++vmm->waits)))
		return false;
	guest_ring(vmm);
	sleep_ms(50);
	return *stored == before && !(guest_status(vmm) & STATUS_COMMANDS_RUN);
}

/* All that was put is executed by and by. */
static bool goes_on(struct vmm *vmm)
{
	__u64 *stored = vmm_at(vmm, GUEST_STORE), value = vmm->waits, end = now_ms() + 5000;

	while (__atomic_load_n(stored, __ATOMIC_ACQUIRE) != value && now_ms() < end)
		sleep_ms(1);
	return *stored == value;
}

TEST_F(vm, completion_wait_stores_in_guest_memory)
{
	struct vmm *vmm = &self->vmm;
	__u64 *mem = vmm_at(vmm, GUEST_DATA);

	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN | STATUS_EVENTS_RUN,
					 STATUS_COMMANDS_RUN | STATUS_EVENTS_RUN));
	ASSERT_EQ(0, guest_put(vmm, guest_wait_command(GUEST_DATA, 0x1122334455667788)));
	ASSERT_EQ(0, guest_put(vmm, guest_wait_command(GUEST_DATA + 4088, 1)));
	ASSERT_EQ(0, guest_sync(vmm));
	EXPECT_EQ(0x1122334455667788, mem[0]);
	EXPECT_EQ(0, mem[1]);
	EXPECT_EQ(1, mem[511]);
}

TEST_F(vm, queue_wraps_many_times)
{
	unsigned int i;

	ASSERT_EQ(0, guest_boot_with(&self->vmm, 4096));
	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, guest_do(&self->vmm, guest_entry_command(GUEST_ID)));
}

TEST_F(vm, registers_read_back_and_may_be_written_by_halves)
{
	struct vmm *vmm = &self->vmm;
	__u64 value, base = guest_base(GUEST_COMMANDS, 8192);

	ASSERT_EQ(0, node_queue(vmm->node, vmm->handle, AMD_VIOMMU_QUEUE_CMD, GUEST_COMMANDS, 8192));
	EXPECT_EQ(0, node_write(vmm->node, vmm->handle, REG_COMMANDS, 4, (__u32)base));
	EXPECT_EQ(0, node_write(vmm->node, vmm->handle, REG_COMMANDS + 4, 4, base >> 32));
	EXPECT_EQ(0, guest_read(vmm, REG_COMMANDS, &value));
	EXPECT_EQ(base, value);
	EXPECT_EQ(0, node_read(vmm->node, vmm->handle, REG_COMMANDS + 4, 4, &value));
	EXPECT_EQ(base >> 32, value);
	EXPECT_EQ(0, guest_write(vmm, REG_DEVICE_TABLE, GUEST_TABLES | 0x1ff));
	EXPECT_EQ(0, guest_read(vmm, REG_DEVICE_TABLE, &value));
	EXPECT_EQ(GUEST_TABLES | 0x1ff, value);
	/* The upper half of control is not the guest's; features cannot be written. */
	EXPECT_EQ(0, guest_write(vmm, REG_CONTROL, ~0ULL & ~(CONTROL_COMMANDS | CONTROL_EVENTS)));
	EXPECT_EQ(0, control_of(vmm) >> 32);
	EXPECT_EQ(0, guest_read(vmm, REG_EFR, &value));
	EXPECT_EQ(0, guest_write(vmm, REG_EFR, ~0ULL));
	base = value;
	EXPECT_EQ(0, guest_read(vmm, REG_EFR, &value));
	EXPECT_EQ(base, value);
	EXPECT_NE(0, value & 1 << 4);

	vmm->queue_size = 8192;
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL & ~CONTROL_EVENTS));
	EXPECT_EQ(0, guest_sync(vmm));
	/* Moving the queue while it runs is ignored, as in hardware. */
	EXPECT_EQ(0, guest_write(vmm, REG_COMMANDS, guest_base(GUEST_DATA, 4096)));
	EXPECT_EQ(0, guest_read(vmm, REG_COMMANDS, &value));
	EXPECT_EQ(guest_base(GUEST_COMMANDS, 8192), value);
	EXPECT_EQ(0, guest_sync(vmm));
}

TEST_F(vm, queue_is_withheld_until_the_vmm_presents_it)
{
	struct vmm *vmm = &self->vmm;

	vmm->queue_size = 4096;
	ASSERT_EQ(0, guest_write(vmm, REG_COMMANDS, guest_base(GUEST_COMMANDS, 4096)));
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_IOMMU | CONTROL_COMMANDS));
	EXPECT_TRUE(rests(vmm));
	EXPECT_EQ(CONTROL_IOMMU | CONTROL_COMMANDS, control_of(vmm));
	/* Another place, or another length, is another queue. */
	ASSERT_EQ(0, node_queue(vmm->node, vmm->handle, 0, GUEST_COMMANDS + 4096, 4096));
	EXPECT_TRUE(rests(vmm));
	ASSERT_EQ(0, node_queue(vmm->node, vmm->handle, 0, GUEST_COMMANDS, 8192));
	EXPECT_TRUE(rests(vmm));
	ASSERT_EQ(0, node_queue(vmm->node, vmm->handle, 0, GUEST_COMMANDS, 4096));
	EXPECT_TRUE(goes_on(vmm));
	/* It is taken away again. */
	ASSERT_EQ(0, node_queue(vmm->node, vmm->handle, 0, 0, 0));
	EXPECT_TRUE(rests(vmm));
}

TEST_F(vm, stopped_guest_sees_no_difference_in_its_bits_and_goes_on)
{
	struct vmm *vmm = &self->vmm;
	unsigned int i;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, guest_sync(vmm));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, node_run(vmm->node, vmm->handle, 0));
		EXPECT_TRUE(rests(vmm));
		EXPECT_EQ(CONTROL_ALL, control_of(vmm));
		/* Twice is as good as once. */
		ASSERT_EQ(0, node_run(vmm->node, vmm->handle, 0));
		ASSERT_EQ(0, node_run(vmm->node, vmm->handle, AMD_VIOMMU_RUN));
		EXPECT_TRUE(goes_on(vmm));
	}
	/* What the guest enables meanwhile waits for the VMM. */
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, 0));
	ASSERT_EQ(0, node_run(vmm->node, vmm->handle, 0));
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL));
	EXPECT_TRUE(rests(vmm));
	ASSERT_EQ(0, node_run(vmm->node, vmm->handle, AMD_VIOMMU_RUN));
	EXPECT_TRUE(goes_on(vmm));
}

TEST_F(vm, entry_attached_while_stopped_is_there_when_the_guest_goes_on)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, node_run(vmm->node, vmm->handle, 0));
	ASSERT_EQ(0, guest_put(vmm, guest_entry_command(GUEST_ID)));
	EXPECT_TRUE(rests(vmm));
	/* Attaching takes pages of the maps, for which the engine rests anyhow. */
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	EXPECT_TRUE(rests(vmm));
	ASSERT_EQ(0, node_run(vmm->node, vmm->handle, AMD_VIOMMU_RUN));
	EXPECT_TRUE(goes_on(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_F(vm, reset_is_a_power_cycle_that_keeps_devices_and_page)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	__u64 value;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, guest_boot(vmm));
		ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID + i));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
		ASSERT_EQ(0, guest_sync(vmm));
		ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
		EXPECT_EQ(0, control_of(vmm));
		EXPECT_EQ(0, guest_read(vmm, REG_COMMANDS, &value));
		EXPECT_EQ(0, value);
		EXPECT_EQ(0, guest_status(vmm));
		EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
		EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
		/* What the VMM has presented before counts no more. */
		vmm->tail = 0;
		ASSERT_EQ(0, guest_write(vmm, REG_COMMANDS, guest_base(GUEST_COMMANDS, 8192)));
		ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_IOMMU | CONTROL_COMMANDS));
		EXPECT_TRUE(rests(vmm));
	}
	/* A guest that the VMM has stopped stays so. */
	ASSERT_EQ(0, node_run(vmm->node, vmm->handle, 0));
	ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_TRUE(rests(vmm));
	ASSERT_EQ(0, node_run(vmm->node, vmm->handle, AMD_VIOMMU_RUN));
	EXPECT_TRUE(goes_on(vmm));
}

TEST_F(vm, guest_without_devices_rests_and_goes_on_with_the_next)
{
	struct vmm *vmm = &self->vmm;
	unsigned int i;

	ASSERT_EQ(0, guest_boot(vmm));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, guest_sync(vmm));
		ASSERT_EQ(0, node_detach(vmm->node, vmm->handle, GUEST_ID));
		EXPECT_TRUE(rests(vmm));
		EXPECT_EQ(CONTROL_ALL, control_of(vmm));
		ASSERT_EQ(0, vmm_attach(vmm, &self->dev));
		EXPECT_TRUE(goes_on(vmm));
	}
}

TEST_F(vm, illegal_command_stops_its_own_guest_which_can_restart)
{
	static const struct guest_command illegal[] = {
		{ { 0, 0 } },			/* No such opcode. */
		{ { 0, 9U << 28 | 1 } },	/* INSERT_GUEST_EVENT is the host's. */
		{ { 1U << 31 | 1, 0xaU << 28 } },	/* RESET_VMMIO too. */
		{ { 0, 2U << 28, 1, 0 } },	/* A reserved bit. */
	};
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;
	unsigned int i;
	__u32 head;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	for (i = 0; i < ARRAY_SIZE(illegal); i++) {
		head = vmm->tail;
		ASSERT_EQ(0, guest_put(vmm, illegal[i]));
		guest_ring(vmm);
		ASSERT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0));
		EXPECT_TRUE(rests(vmm));
		EXPECT_EQ(head, vmm_get(vmm, PAGE_COMMAND_HEAD));
		/* The guest puts something harmless in its place, and restarts the queue. */
		memcpy(vmm_at(vmm, GUEST_COMMANDS + head), &(struct guest_command){ { 0, 1U << 28 } }, 16);
		ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL & ~CONTROL_COMMANDS));
		ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_ALL));
		EXPECT_TRUE(goes_on(vmm));
		EXPECT_EQ(0, guest_sync(vmm));
	}
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
}

TEST_F(vm, queue_and_store_outside_of_guest_memory_harm_nobody)
{
	struct vmm *vmm = &self->vmm;
	__u64 outside = GUEST_BASE + GUEST_SIZE;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, guest_put(vmm, guest_wait_command(outside, 1)));
	guest_ring(vmm);
	EXPECT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0));
	ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));

	ASSERT_EQ(0, node_queue(vmm->node, vmm->handle, 0, outside, 4096));
	ASSERT_EQ(0, guest_write(vmm, REG_COMMANDS, guest_base(outside, 4096)));
	ASSERT_EQ(0, guest_write(vmm, REG_CONTROL, CONTROL_IOMMU | CONTROL_COMMANDS));
	vmm_set(vmm, PAGE_COMMAND_TAIL, 16);
	EXPECT_TRUE(guest_status_becomes(vmm, STATUS_COMMANDS_RUN, 0));
	ASSERT_EQ(0, node_reset(vmm->node, vmm->handle));
	ASSERT_EQ(0, guest_boot(vmm));
	EXPECT_EQ(0, guest_sync(vmm));
}

TEST_HARNESS_MAIN
