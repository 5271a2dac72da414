// SPDX-License-Identifier: GPL-2.0
/*
 * The emulated machine, not the driver: a processor that runs a guest keeps its state while
 * another one loads its FPU. In QEMU 10.0 by itself it does not, see qemu/tcg/ignne.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "kselftest_harness.h"
#include "kmod.h"
#include "util.h"

#define RUN_MS		4000
#define EXITS_MIN	100
#define CODE		0x1000
#define MEMORY_SIZE	0x10000

/*
 * In real mode: a hundred exits that KVM answers by itself (cpuid), and one that it does not (out %al, $0x10), again and
 * again.
 */
static const unsigned char code[] = {
	0xbe, 0x64, 0x00, 0x0f, 0xa2, 0x4e, 0x75, 0xfb, 0xe6, 0x10, 0xeb, 0xf4,
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
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	module_probe("kvm-amd");
	self->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->kvm);
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, self->vm);
	self->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	memcpy(self->memory + CODE, code, sizeof(code));
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

static int run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
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

TEST_HARNESS_MAIN
