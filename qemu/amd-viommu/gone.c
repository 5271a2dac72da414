// SPDX-License-Identifier: GPL-2.0
/*
 * The host's IOMMU can go while the guest runs: it is removed. What the VF page was
 * mapped to is no longer there then. Here is what keeps that from ending QEMU, or from
 * stopping the guest for good: reads of the page that may fail, and its removal from
 * the guest, who finds registers of all ones there, as behind any device that has gone.
 */
#include "amd-viommu.h"
#include <setjmp.h>
#include "block/aio.h"
#include "hw/boards.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "system/runstate.h"

#define VF_COMMAND_TAIL		(0x08 / 8)
#define TAIL_MASK		0x7fff0

static __thread sigjmp_buf viommu_landing;
static __thread int viommu_reads;
static struct sigaction viommu_others;

static void viommu_bus_error(int number, siginfo_t *info, void *context)
{
	if (qatomic_read(&viommu_reads))
		siglongjmp(viommu_landing, 1);
	if (viommu_others.sa_flags & SA_SIGINFO)
		viommu_others.sa_sigaction(number, info, context);
	else
		/* The access is repeated, and has the effect that it would have had. */
		sigaction(SIGBUS, &viommu_others, NULL);
}

/* Threads of QEMU start with the signal blocked, which would make it deadly. */
void viommu_prepare_reads(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool viommu_read_tail(AmdViommu *s, uint32_t *tail)
{
	uint64_t value;

	if (sigsetjmp(viommu_landing, 1)) {
		qatomic_set(&viommu_reads, 0);
		viommu_set_gone(s);
		return false;
	}
	qatomic_set(&viommu_reads, 1);
	value = qatomic_read(&s->vf_page[VF_COMMAND_TAIL]);
	qatomic_set(&viommu_reads, 0);
	*tail = value & TAIL_MASK;
	return true;
}

static void viommu_take_page_away(void *opaque)
{
	AmdViommu *s = opaque;

	memory_region_del_subregion(&s->window, &s->vf_region);
}

void viommu_set_gone(AmdViommu *s)
{
	if (qatomic_xchg(&s->gone, true))
		return;
	error_report(TYPE_AMD_VIOMMU
		     ": the host's IOMMU %s has gone: the guest's does not answer any more, and its devices are blocked",
		     s->host_name);
	/* Any thread may come here, and only one that has the big lock may change memory. */
	aio_bh_schedule_oneshot(qemu_get_aio_context(), viommu_take_page_away, s);
}

bool viommu_is_gone(AmdViommu *s)
{
	return qatomic_read(&s->gone);
}

static void viommu_resume(void *opaque)
{
	/* There is no direct way to run again from here. */
	if (!runstate_check(RUN_STATE_INTERNAL_ERROR))
		return;
	runstate_set(RUN_STATE_PAUSED);
	vm_start();
}

/*
 * KVM cannot complete an access to a page that has been taken away, and QEMU stops the
 * machine for that. If it was the VF page the guest goes on, and its access comes out of
 * KVM: the page is removed first, bottom halves run in order. Each processor may stop the
 * machine once before that is done.
 */
static void viommu_state_changed(void *opaque, bool running, RunState state)
{
	AmdViommu *s = opaque;

	if (state != RUN_STATE_INTERNAL_ERROR || !s->resumes)
		return;
	viommu_read_register(s, VIOMMU_CONTROL, 8);
	if (!viommu_is_gone(s))
		return;
	s->resumes--;
	aio_bh_schedule_oneshot(qemu_get_aio_context(), viommu_resume, s);
}

void viommu_expect_going(AmdViommu *s)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO, .sa_sigaction = viommu_bus_error };

	s->resumes = MACHINE(qdev_get_machine())->smp.max_cpus;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &viommu_others);
	qemu_add_vm_change_state_handler(viommu_state_changed, s);
}
