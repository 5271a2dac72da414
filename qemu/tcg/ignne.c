// SPDX-License-Identifier: GPL-2.0
/*
 * What one processor does to the state of another when it loads its FPU.
 *
 * FERR# and IGNNE# belong to the first processor, whoever has the FPU error: in QEMU 10.0
 * each load of FPU state (XRSTOR at every switch of tasks) clears a bit in that processor's
 * hflags2, from its own thread and not atomically. Beside that bit are GIF, and whether
 * nested paging is on. When the first processor changes them in the same moment, at VMRUN,
 * #VMEXIT or STGI, its change gets lost: it takes no interrupts any more, takes them where
 * it must not, or runs a guest on the host's memory.
 *
 * Here nobody touches what is not set, which it is only between an FPU error of a program
 * of the eighties (CR0.NE = 0) and its end, and the processor changes its state itself.
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

	if (qatomic_read(&X86_CPU(cpu)->env.hflags2) & HF2_IGNNE_MASK)
		async_run_on_cpu(cpu, clear, RUN_ON_CPU_NULL);
}

static void repair(void)
{
	PATCH_FUNCTION(cpu_clear_ignne, clear_ignne);
}

type_init(repair)
