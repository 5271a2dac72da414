// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at the same time: calls on one VM by many threads, its guest's commands, its devices' DMA,
 * VFIO under it, and other VMs that come and go. No call fails, and all works afterwards.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "names.h"

#define RACE_MS		4000
#define SPARE_GPA	(1 * GIB)
#define THREADS		7

/* Two devices, of which the second one comes and goes. */
struct race {
	struct vmm vmm;
	struct vmm_device dev, guest;
	struct guest_domain domain;
	int stop;
	int wrong;			/* An answer that nobody may get. */
	unsigned long rounds[THREADS];
};

static void expect_success(struct race *race, int ret)
{
	if (ret)
		race->wrong = ret;
}

static void change_entry(struct race *race, unsigned long round)
{
	struct vmm *vmm = &race->vmm;
	__u64 dte[4];

	expect_success(race, guest_attach(vmm, &race->dev, &race->domain));
	guest_identity_entry(round % 5, DTE_IR | DTE_IW, dte);
	expect_success(race, node_set_entry(vmm->node, vmm->handle, race->dev.id, dte));
	expect_success(race, node_clear_entry(vmm->node, vmm->handle, race->dev.id));
}

static void change_guest(struct race *race, unsigned long round)
{
	struct vmm *vmm = &race->vmm;

	if (round % 16 == 0)
		expect_success(race, node_reset(vmm->node, vmm->handle));
	expect_success(race, guest_boot(vmm));
	expect_success(race, node_run(vmm->node, vmm->handle, 0));
	expect_success(race, node_run(vmm->node, vmm->handle, AMD_VIOMMU_RUN));
}

static void change_device(struct race *race, unsigned long round)
{
	struct vmm *vmm = &race->vmm;

	expect_success(race, vmm_attach(vmm, &race->guest));
	expect_success(race, guest_attach(vmm, &race->guest, &race->domain));
	expect_success(race, node_detach(vmm->node, vmm->handle, race->guest.id));
}

static void change_memory(struct race *race, unsigned long round)
{
	static char *mem;

	if (!mem)
		mem = memory_alloc(PAGE_4K);
	expect_success(race, vfio_map(race->vmm.container, mem, SPARE_GPA, PAGE_4K, VFIO_RW));
	if (vfio_unmap(race->vmm.container, SPARE_GPA, PAGE_4K) != PAGE_4K)
		race->wrong = 1;
}

static void give_commands(struct race *race, unsigned long round)
{
	static __u32 tail;
	struct guest_command *queue = vmm_at(&race->vmm, GUEST_COMMANDS);
	unsigned int i;

	/* Not all of it makes sense, as from a guest that has lost its mind. */
	for (i = 0; i < 32; i++, tail = (tail + 1) % 512)
		queue[tail] = round % 8 ? guest_domain_command(i) : guest_wait_command(SPARE_GPA, i);
	vmm_set(&race->vmm, PAGE_COMMAND_TAIL, tail * sizeof(*queue));
}

static void do_dma(struct race *race, unsigned long round)
{
	static const __u64 addresses[] = { GVA, GUEST_DATA, SPARE_GPA, 0 };
	char buf[8] = { };

	int ret = vmm_write(&race->dev, addresses[round % 4], buf, sizeof(buf));

	/* Whether it gets there depends. */
	expect_success(race, ret == -EIO ? 0 : ret);
}

static void make_others(struct race *race, unsigned long round)
{
	struct amd_viommu_vm_init init;
	int node = node_open();

	expect_success(race, node_init(node, race->vmm.host, race->dev.vfio.name, race->dev.vfio.group,
				       &init));
	if (round % 2)
		expect_success(race, node_destroy(node, init.handle));
	close(node);
}

static void (*const works[THREADS])(struct race *race, unsigned long round) = {
	change_entry, change_guest, change_device, change_memory, give_commands, do_dma, make_others,
};

struct thread {
	struct race *race;
	unsigned int number;
};

static void *run(void *arg)
{
	struct thread *thread = arg;
	struct race *race = thread->race;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED))
		works[thread->number](race, race->rounds[thread->number]++);
	return NULL;
}

static void run_all(struct race *race, unsigned int ms)
{
	struct thread threads[THREADS];
	pthread_t ids[THREADS];
	unsigned int i;

	race->stop = 0;
	for (i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ race, i };
		pthread_create(&ids[i], NULL, run, &threads[i]);
	}
	sleep_ms(ms);
	__atomic_store_n(&race->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
}

TEST(calls_of_many_threads_and_a_mad_guest_end_well)
{
	static struct race race;
	struct pci_list devices;
	const char *missing = need_guests(&devices, 2);
	unsigned int i;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, vmm_start(&race.vmm, &race.dev, devices.name[0], GUEST_ID));
	ASSERT_EQ(0, vmm_take(&race.vmm, &race.guest, devices.name[1], GUEST_ID + 1));
	ASSERT_EQ(0, guest_boot(&race.vmm));
	guest_domain_make(&race.vmm, &race.domain, DOMAIN_ID);
	guest_map(&race.vmm, race.domain.root, GVA, GUEST_DATA, GUEST_RW);

	run_all(&race, RACE_MS);
	EXPECT_EQ(0, race.wrong);
	for (i = 0; i < THREADS; i++) {
		TH_LOG("thread %u: %lu rounds", i, race.rounds[i]);
		EXPECT_LT(0, race.rounds[i]);
	}
	/* The guest starts anew, and all is well. */
	ASSERT_EQ(0, node_reset(race.vmm.node, race.vmm.handle));
	ASSERT_EQ(0, guest_boot(&race.vmm));
	EXPECT_EQ(0, guest_sync(&race.vmm));
	ASSERT_EQ(0, guest_attach(&race.vmm, &race.dev, &race.domain));
	EXPECT_TRUE(vmm_moves(&race.vmm, &race.dev, GVA, GUEST_DATA));
	vmm_close(&race.vmm);
	vmm_release(&race.dev);
	vmm_release(&race.guest);
	EXPECT_TRUE(vmm_device_works(devices.name[0]));
	EXPECT_TRUE(vmm_device_works(devices.name[1]));
}

TEST_HARNESS_MAIN
