// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that get lost at VMRUN.
 *
 * Whoever has an interrupt for a processor sets a bit in its interrupt_request, under
 * QEMU's big lock. In QEMU 10.0 VMRUN sets a bit there without that lock, and may undo what
 * another thread does in the same moment. Then the interrupt stays pending in the local
 * APIC and the processor is never told: it sleeps, and another one that waits for its
 * answer spins for ever. A host with a KVM guest gets there once in some hundred seconds
 * of work.
 *
 * Here VMRUN, and all who may be about it in another thread, change the bits by atomic
 * instructions.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "hw/core/cpu.h"
#include "patch.h"

/* Exported by QEMU, and in none of its headers for devices. */
void tcg_handle_interrupt(CPUState *cpu, int mask);
void helper_vmrun(CPUX86State *env, int aflag, int next_eip_addend);

static void handle_interrupt(CPUState *cpu, int mask)
{
	g_assert(bql_locked());
	qatomic_or(&cpu->interrupt_request, mask);
	if (qemu_cpu_is_self(cpu))
		qatomic_set(&cpu->neg.icount_decr.u16.high, -1);
	else
		qemu_cpu_kick(cpu);
}

static void reset_interrupt(CPUState *cpu, int mask)
{
	bool unlocked = !bql_locked();

	if (unlocked)
		bql_lock();
	qatomic_and(&cpu->interrupt_request, ~mask);
	if (unlocked)
		bql_unlock();
}

/* From the state that a register points to; QEMU addresses the rest of the processor by it. */
static int32_t request_offset(void)
{
	return (intptr_t)offsetof(CPUState, interrupt_request) - (intptr_t)offsetof(X86CPU, env);
}

/*
 * "orl $imm32, disp32(%reg)" with a bit of the second byte becomes "lock orb $imm8,
 * disp32+1(%reg)", which is two bytes shorter. With a prefix for the upper registers it
 * would be another instruction.
 */
static bool make_atomic(uint8_t *code)
{
	int32_t offset = request_offset(), byte = offset + 1;
	uint32_t bit = CPU_INTERRUPT_VIRQ;
	uint8_t patched[10] = { 0xf0, 0x80, code[1], 0, 0, 0, 0, bit >> 8, 0x66, 0x90 };

	if ((code[-1] & 0xf0) == 0x40 || code[0] != 0x81 || (code[1] & 0xf8) != 0x88 || (code[1] & 7) == 4 ||
	    memcmp(code + 2, &offset, 4) || memcmp(code + 6, &bit, 4))
		return false;
	memcpy(patched + 3, &byte, 4);
	patch_bytes(code, patched, sizeof(patched));
	return true;
}

static void make_vmrun_atomic(void)
{
	uint8_t *code = (uint8_t *)helper_vmrun;
	size_t n, size = patch_size(helper_vmrun);
	unsigned int found = 0;

	for (n = 1; n + 10 <= size; n++)
		found += make_atomic(code + n);
	if (found != 1)
		patch_refuse("VMRUN does not change interrupt_request where it did");
}

static void repair(void)
{
	PATCH_FUNCTION(tcg_handle_interrupt, handle_interrupt);
	PATCH_FUNCTION(cpu_reset_interrupt, reset_interrupt);
	make_vmrun_atomic();
}

type_init(repair)
