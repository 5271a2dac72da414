// SPDX-License-Identifier: GPL-2.0
/*
 * What one processor does to the state of another when it loads its FPU.
 *
 * FERR# and IGNNE# belong to the first processor, whoever has the FPU error: in QEMU 10.0
 * each load of an FPU state without an unmasked error (XRSTOR, at nearly every switch of
 * tasks) clears a bit in that processor's hflags2, from the thread of the one that loads and
 * not atomically. Beside that bit are GIF, and whether nested paging is on. When the first
 * processor changes them in the same moment, at VMRUN, #VMEXIT or STGI, its change gets
 * lost: it takes no interrupts any more, takes them where it must not, or runs a guest on
 * the host's memory.
 *
 * Here nobody clears what is not set, which it is only between an FPU error of a program of
 * the eighties (CR0.NE = 0) and its end, and the processor clears it itself: at once for its
 * own loads, for those of another one when it next leaves its translated code.
 *
 * Who sets the bit is as before: whichever processor writes to port F0h, from its thread. No
 * system that sets CR0.NE does that, and Linux always sets it.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "cpu.h"
#include "hw/core/cpu.h"
#include "patch.h"

static void clear(CPUState *cpu, run_on_cpu_data data)
{
	X86_CPU(cpu)->env.hflags2 &= ~HF2_IGNNE_MASK;
}

static void clear_ignne(void)
{
	CPUState *cpu = first_cpu;

	if (!(qatomic_read(&X86_CPU(cpu)->env.hflags2) & HF2_IGNNE_MASK))
		return;
	if (qemu_cpu_is_self(cpu))
		clear(cpu, RUN_ON_CPU_NULL);
	else
		async_run_on_cpu(cpu, clear, RUN_ON_CPU_NULL);
}

static void repair(void)
{
	PATCH_FUNCTION(cpu_clear_ignne, clear_ignne);
}

type_init(repair)
