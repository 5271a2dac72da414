// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that get lost at VMRUN.
 *
 * Whoever has an interrupt for a processor sets a bit in its interrupt_request, under
 * QEMU's big lock. In QEMU 10.0 VMRUN and #VMEXIT set and clear a bit there without that
 * lock, and may undo what another thread does in the same moment. Then the interrupt
 * stays pending in the local APIC and the processor is never told: it sleeps, and another
 * one that waits for its answer spins for ever. A host with a KVM guest gets there once
 * in some hundred seconds of work.
 *
 * Here everybody who may be in two threads at a time does it by an atomic instruction.
 */
#include "qemu/osdep.h"
#include <dlfcn.h>
#include <link.h>
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "hw/core/cpu.h"
#include "patch.h"

/* Exported by QEMU, and in none of its headers for devices. */
void tcg_handle_interrupt(CPUState *cpu, int mask);
void do_vmexit(CPUX86State *env);
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
 * "orl/andl $imm32, disp32(%reg)" with one bit in the second byte becomes
 * "lock orb/andb $imm8, disp32+1(%reg)", which is two bytes shorter.
 */
static bool make_atomic(uint8_t *code, uint8_t operation, uint32_t value)
{
	int32_t offset = request_offset(), byte = offset + 1;
	uint8_t patched[10] = { 0xf0, 0x80, code[1] };

	if (code[0] != 0x81 || (code[1] & 0xf8) != (0x80 | operation << 3) || (code[1] & 7) == 4 ||
	    memcmp(code + 2, &offset, 4) || memcmp(code + 6, &value, 4))
		return false;
	memcpy(patched + 3, &byte, 4);
	patched[7] = value >> 8;
	patched[8] = 0x66;
	patched[9] = 0x90;
	patch_bytes(code, patched, sizeof(patched));
	return true;
}

static void make_one_atomic(void *function, uint8_t operation, uint32_t value)
{
	uint8_t *code = function;
	unsigned int found = 0;
	const Elf64_Sym *symbol;
	Dl_info info;
	size_t n;

	if (!dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT))
		patch_refuse("a function has no name");
	for (n = 0; n + 10 <= symbol->st_size; n++)
		found += make_atomic(code + n, operation, value);
	if (found != 1)
		patch_refuse("interrupt_request is not changed where it was");
}

static void repair(void)
{
	enum { OR = 1, AND = 4 };

	patch_function(tcg_handle_interrupt, handle_interrupt);
	patch_function(cpu_reset_interrupt, reset_interrupt);
	make_one_atomic(helper_vmrun, OR, CPU_INTERRUPT_VIRQ);
	make_one_atomic(do_vmexit, AND, ~CPU_INTERRUPT_VIRQ);
}

type_init(repair)
