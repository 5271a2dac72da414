// SPDX-License-Identifier: GPL-2.0
/* The page that is mapped: the CPU's alone, and gone when the vIOMMU is. */
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "fixture.h"

static void *map_page(struct vmm *vmm, size_t len, int prot, int flags, __u64 offset)
{
	return mmap(NULL, len, prot, flags, vmm->node, offset);
}

TEST_F(vm, only_the_whole_page_can_be_mapped_and_shared)
{
	static const struct {
		size_t len;
		int prot, flags;
		__u64 offset;
		int error;
	} bad[] = {
		{ 2 * PAGE_4K, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EINVAL },
		{ PAGE_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, EINVAL },
		{ PAGE_4K, PROT_READ, MAP_PRIVATE, 0, EINVAL },
		{ PAGE_4K, PROT_READ | PROT_EXEC, MAP_SHARED, 0, EINVAL },
		{ PAGE_4K, PROT_READ, MAP_SHARED, PAGE_4K, ENXIO },
		{ PAGE_4K, PROT_READ, MAP_SHARED, 1 * GIB, ENXIO },
		{ PAGE_4K, PROT_READ, MAP_SHARED, 1ULL << 62, ENXIO },
	};
	struct vmm *vmm = &self->vmm;
	unsigned int i;
	void *page;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		page = map_page(vmm, bad[i].len, bad[i].prot, bad[i].flags,
				vmm->page_offset + bad[i].offset);
		EXPECT_EQ(MAP_FAILED, page) {
			TH_LOG("case %u", i);
		}
		EXPECT_EQ(bad[i].error, errno) {
			TH_LOG("case %u", i);
		}
	}
	page = map_page(vmm, PAGE_4K, PROT_READ, MAP_SHARED, vmm->page_offset);
	ASSERT_NE(MAP_FAILED, page);
	/* It may not become what it could not be from the start, and not grow. */
	EXPECT_EQ(-1, mprotect(page, PAGE_4K, PROT_READ | PROT_EXEC));
	EXPECT_EQ(MAP_FAILED, mremap(page, PAGE_4K, 2 * PAGE_4K, MREMAP_MAYMOVE));
	EXPECT_EQ(0, munmap(page, PAGE_4K));
}

TEST_F(vm, page_is_the_registers_themselves)
{
	struct vmm second;

	ASSERT_EQ(0, guest_boot(&self->vmm));
	second.page = map_page(&self->vmm, PAGE_4K, PROT_READ | PROT_WRITE, MAP_SHARED,
			       self->vmm.page_offset);
	ASSERT_NE(MAP_FAILED, second.page);
	EXPECT_EQ(0, guest_sync(&self->vmm));
	EXPECT_EQ(self->vmm.tail, vmm_get(&second, PAGE_COMMAND_TAIL));
	EXPECT_EQ(self->vmm.tail, vmm_get(&second, PAGE_COMMAND_HEAD));
	EXPECT_EQ(STATUS_COMMANDS_RUN | STATUS_EVENTS_RUN,
		  guest_status(&second) & (STATUS_COMMANDS_RUN | STATUS_EVENTS_RUN));
	munmap(second.page, PAGE_4K);
}

TEST_F(vm, page_is_refused_as_a_target_of_dma)
{
	EXPECT_EQ(-EFAULT, vfio_map(self->vmm.container, self->vmm.page, 8 * GIB, PAGE_4K,
				    VFIO_RW));
	EXPECT_EQ(-EFAULT, vfio_map(self->vmm.container, self->vmm.page, 8 * GIB, PAGE_4K,
				    VFIO_DMA_MAP_FLAG_READ));
	EXPECT_TRUE(vmm_blocked(&self->dev, 8 * GIB));
}

TEST_F(vm, page_is_gone_after_destroy_and_stays_gone)
{
	struct vmm *vmm = &self->vmm;

	EXPECT_EQ(0, signal_of(vmm->page));
	ASSERT_EQ(0, node_destroy(vmm->node, vmm->handle));
	EXPECT_EQ(SIGBUS, signal_of(vmm->page));
	EXPECT_EQ(SIGBUS, signal_of(vmm->page));
	EXPECT_EQ(MAP_FAILED, map_page(vmm, PAGE_4K, PROT_READ, MAP_SHARED, vmm->page_offset));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(vm, page_stays_over_a_reset)
{
	ASSERT_EQ(0, guest_boot(&self->vmm));
	ASSERT_EQ(0, guest_sync(&self->vmm));
	ASSERT_EQ(0, node_reset(self->vmm.node, self->vmm.handle));
	EXPECT_EQ(0, signal_of(self->vmm.page));
	EXPECT_EQ(0, guest_status(&self->vmm));
	EXPECT_EQ(0, vmm_get(&self->vmm, PAGE_COMMAND_TAIL));
}

TEST_F(vm, page_is_not_inherited)
{
	pid_t pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(signal_of(self->vmm.page));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(SIGSEGV, WEXITSTATUS(status));
	EXPECT_EQ(0, signal_of(self->vmm.page));
}

TEST_F(vm, page_keeps_the_vm_when_the_file_is_closed)
{
	struct vmm *vmm = &self->vmm;
	struct guest_domain domain;

	ASSERT_EQ(0, guest_boot(vmm));
	ASSERT_EQ(0, vm_nest(vmm, &self->dev, &domain, DOMAIN_ID));
	close(vmm->node);
	vmm->node = -1;
	EXPECT_EQ(0, guest_sync(vmm));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GVA, GUEST_DATA));
	/* The last reference goes, and the device is VFIO's again. */
	munmap(vmm->page, PAGE_4K);
	vmm->page = NULL;
	EXPECT_TRUE(vmm_blocked(&self->dev, GVA));
	EXPECT_TRUE(vmm_moves(vmm, &self->dev, GUEST_DATA, GUEST_DATA));
}

TEST_HARNESS_MAIN
