// SPDX-License-Identifier: GPL-2.0
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include "patch.h"

/* What every function begins with whose address may be taken. */
static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

void patch_refuse(const char *what)
{
	error_report("the repairs for TCG do not fit this QEMU: %s", what);
	exit(EXIT_FAILURE);
}

size_t patch_size(void *function)
{
	const Elf64_Sym *symbol;
	Dl_info info;

	if (!dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT))
		patch_refuse("a function has no name");
	return symbol->st_size;
}

void patch_bytes(void *at, const void *bytes, size_t size)
{
	uintptr_t page = qemu_real_host_page_size();
	uintptr_t begin = ROUND_DOWN((uintptr_t)at, page);
	size_t length = ROUND_UP((uintptr_t)at + size, page) - begin;

	if (mprotect((void *)begin, length, PROT_READ | PROT_WRITE | PROT_EXEC))
		patch_refuse("its code cannot be written");
	memcpy(at, bytes, size);
	if (mprotect((void *)begin, length, PROT_READ | PROT_EXEC))
		patch_refuse("its code cannot be protected");
}

void patch_function(void *function, void *replacement)
{
	/* endbr64; movabs $replacement, %rax; jmp *%rax */
	uint8_t code[16] = {
		0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0
	};

	if (patch_size(function) < sizeof(code) || memcmp(function, endbr64, sizeof(endbr64)))
		patch_refuse("a function does not begin like one");
	memcpy(code + 6, &replacement, sizeof(replacement));
	patch_bytes(function, code, sizeof(code));
}
