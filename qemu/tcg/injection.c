// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts of guests that come twice.
 *
 * VMRUN with an interrupt to inject delivers it, and in QEMU 10.0 leaves its number where
 * the main loop looks for an exception that is still to be delivered. The loop looks there
 * when the processor has to leave its translated code for anything but an interrupt, such
 * as another processor's change of the memory map. So the guest gets the interrupt again
 * in the midst of its handler, with interrupts off. Where the handler holds a lock, the
 * second one waits for it for ever.
 *
 * Here nothing is left there once an interrupt is delivered.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "cpu.h"
#include "hw/core/cpu.h"
#include "patch.h"

/* Exported by QEMU, and in none of its headers for devices. */
void do_interrupt_x86_hardirq(CPUX86State *env, int intno, int is_hw);
void do_interrupt_all(X86CPU *cpu, int intno, int is_int, int error_code, target_ulong next_eip, int is_hw);

static void deliver_hardirq(CPUX86State *env, int intno, int is_hw)
{
	do_interrupt_all(env_archcpu(env), intno, 0, 0, 0, is_hw);
	env_cpu(env)->exception_index = -1;
}

static void repair(void)
{
	PATCH_FUNCTION(do_interrupt_x86_hardirq, deliver_hardirq);
}

type_init(repair)
