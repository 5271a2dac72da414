// SPDX-License-Identifier: GPL-2.0
/*
 * Brings back interrupts that QEMU 10.0's TCG loses, preloaded into the unpatched
 * binary.
 *
 * Whoever has an interrupt for a processor sets a bit in its interrupt_request, under
 * QEMU's big lock. The instruction VMRUN sets another bit there without that lock, and
 * may undo what another thread has set in the same moment. Then the interrupt stays
 * pending in the local APIC and the processor is never told; it sleeps, and another one
 * that waits for its answer spins for ever. A host with a KVM guest gets there once in
 * some hundred seconds of work.
 *
 * So ten times a second each local APIC is looked at. If it has something that its
 * processor is not told of, the processor is asked to look for itself, which does
 * nothing if the interrupt has to wait for its priority.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "qemu/notify.h"
#include "qemu/timer.h"
#include "system/system.h"
#include "cpu.h"
#include "hw/core/cpu.h"
#include "hw/i386/apic_internal.h"

#define PERIOD_MS	100

static QEMUTimer *timer;

static bool has_pending(const APICCommonState *apic)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(apic->irr); n++) {
		if (apic->irr[n])
			return true;
	}
	return false;
}

/* Timers run under the big lock. */
static void look(void *unused)
{
	CPUState *cs;

	CPU_FOREACH(cs) {
		DeviceState *apic = X86_CPU(cs)->apic_state;

		if (!apic || !has_pending(APIC_COMMON(apic)) ||
		    qatomic_read(&cs->interrupt_request) & (CPU_INTERRUPT_HARD | CPU_INTERRUPT_POLL))
			continue;
		if (cs->halted)
			warn_report("processor %d sleeps on an interrupt; told again", cs->cpu_index);
		cpu_interrupt(cs, CPU_INTERRUPT_POLL);
	}
	timer_mod(timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + PERIOD_MS);
}

static void begin(Notifier *notifier, void *data)
{
	timer = timer_new_ms(QEMU_CLOCK_REALTIME, look, NULL);
	look(NULL);
}

static Notifier machine_done = { .notify = begin };

static void register_notifier(void)
{
	qemu_add_machine_init_done_notifier(&machine_done);
}

type_init(register_notifier)
