// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated machine, not the driver: what a processor that runs a guest owes to it while
 * another processor is busy. QEMU 10.0 by itself does not keep to it, see qemu/tcg/ignne.c
 * and qemu/tcg/injection.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "kselftest_harness.h"
#include "edu.h"
#include "kmod.h"
#include "map_changes.h"
#include "util.h"

#define RUN_MS		4000
#define EXITS_MIN	100
#define INTERRUPTS_MIN	100
#define CHANGES_MIN	100
#define VECTOR		0x20
#define CODE		0x1000
#define HANDLER		0x1100
#define COUNTER		0x2000
#define STACK		0x8000
#define MEMORY_SIZE	0x10000

/*
 * In real mode: a hundred exits that KVM answers by itself (cpuid), and one that it does not (out %al, $0x10), again and
 * again.
 */
static const unsigned char exits_code[] = {
	0xbe, 0x64, 0x00, 0x0f, 0xa2, 0x4e, 0x75, 0xfb, 0xe6, 0x10, 0xeb, 0xf4,
};

/* With interrupts on (sti), an exit (out %al, $0x10) again and again. */
static const unsigned char interrupted_code[] = {
	0xfb, 0xe6, 0x10, 0xeb, 0xfc,
};

/* Counts (incw COUNTER), goes 65536 times round a loop of decrements, and returns (iret). */
static const unsigned char handler_code[] = {
	0xff, 0x06, COUNTER & 0xff, COUNTER >> 8, 0x31, 0xc9, 0x49, 0x75, 0xfd, 0xcf,
};

FIXTURE(guest)
{
	int kvm;
	int vm;
	int vcpu;
	void *memory;
	struct kvm_run *run;
	size_t run_size;
};

FIXTURE_SETUP(guest)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 2 };
	struct kvm_sregs sregs;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two processors");
	module_probe("kvm-amd");
	self->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->kvm);
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, self->vm);
	ASSERT_EQ(0, ioctl(self->vm, KVM_CREATE_IRQCHIP, 0));
	self->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	region.userspace_addr = (__u64)self->memory;
	ASSERT_EQ(0, ioctl(self->vm, KVM_SET_USER_MEMORY_REGION, &region));
	self->vcpu = ioctl(self->vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, self->vcpu);
	self->run_size = ioctl(self->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	self->run = mmap(NULL, self->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, self->vcpu, 0);
	ASSERT_NE(MAP_FAILED, self->run);
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_SET_SREGS, &sregs));
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_SET_REGS, &regs));
}

FIXTURE_TEARDOWN(guest)
{
	munmap(self->run, self->run_size);
	close(self->vcpu);
	close(self->vm);
	munmap(self->memory, MEMORY_SIZE);
	close(self->kvm);
}

static void *load_fpu(void *arg)
{
	bool *stop = arg;
	char state[28];

	if (run_on(1))
		return arg;
	asm volatile("fnstenv %0" : "=m"(state));
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		asm volatile("fldenv %0" : : "m"(state));
	return NULL;
}

/* It is the first processor whose state the others change. If it does not hold, the machine stands still or dies here. */
TEST_F(guest, a_processor_keeps_its_state_while_another_loads_its_fpu)
{
	unsigned int exits = 0;
	void *failed = NULL;
	bool stop = false;
	pthread_t thread;
	__u64 end;

	memcpy(self->memory + CODE, exits_code, sizeof(exits_code));
	ASSERT_EQ(0, run_on(0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, load_fpu, &stop));
	for (end = now_ms() + RUN_MS; now_ms() < end; exits++) {
		if (ioctl(self->vcpu, KVM_RUN, 0) || self->run->exit_reason != KVM_EXIT_IO)
			break;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, &failed));
	TH_LOG("%u times a hundred exits", exits);
	EXPECT_EQ(NULL, failed);
	EXPECT_LE(end, now_ms());
	EXPECT_LT(EXITS_MIN, exits);
}

/* What the guest's firmware would do: the first line is VECTOR, and needs no EOI. */
static int start_pic(int vm)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };

	if (ioctl(vm, KVM_GET_IRQCHIP, &chip))
		return -errno;
	chip.chip.pic.irq_base = VECTOR;
	chip.chip.pic.auto_eoi = 1;
	return ioctl(vm, KVM_SET_IRQCHIP, &chip) ? -errno : 0;
}

static int interrupt(int vm)
{
	struct kvm_irq_level line = { .irq = 0, .level = 1 };

	if (ioctl(vm, KVM_IRQ_LINE, &line))
		return -errno;
	line.level = 0;
	return ioctl(vm, KVM_IRQ_LINE, &line) ? -errno : 0;
}

/* The other processor's changes make the first one leave its translated code in the midst of the guest's handler. */
TEST_F(guest, an_interrupt_comes_once_while_the_memory_map_changes)
{
	__u16 vector[2] = { HANDLER, 0 }, *counter = self->memory + COUNTER, before;
	struct map_changes changes = { 0 };
	unsigned int injected = 0, more = 0;
	struct pci_list list;
	__u64 end;

	edu_find(&list);
	if (!list.count)
		SKIP(return, "needs an edu device");
	memcpy(self->memory + CODE, interrupted_code, sizeof(interrupted_code));
	memcpy(self->memory + HANDLER, handler_code, sizeof(handler_code));
	memcpy(self->memory + VECTOR * sizeof(vector), vector, sizeof(vector));
	ASSERT_EQ(0, start_pic(self->vm));
	ASSERT_EQ(0, run_on(0));
	ASSERT_EQ(0, ioctl(self->vcpu, KVM_RUN, 0));
	ASSERT_TRUE(changes_start(&changes, list.name[0]));
	for (end = now_ms() + RUN_MS; now_ms() < end; injected++) {
		before = *counter;
		if (interrupt(self->vm) || ioctl(self->vcpu, KVM_RUN, 0) || self->run->exit_reason != KVM_EXIT_IO)
			break;
		more += (__u16)(*counter - before) != 1;
	}
	changes_stop(&changes);
	TH_LOG("%u changes, %u interrupts, %u of them not once", changes.count, injected, more);
	EXPECT_EQ(0, more);
	EXPECT_LE(end, now_ms());
	EXPECT_EQ(0, changes.failed);
	EXPECT_LT(CHANGES_MIN, changes.count);
	EXPECT_LT(INTERRUPTS_MIN, injected);
}

TEST_HARNESS_MAIN
