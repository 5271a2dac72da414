/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes of QEMU's own code in memory. All of them are made before the first virtual
 * processor runs.
 */
#ifndef TCG_PATCH_H
#define TCG_PATCH_H

#include <stddef.h>

/* From now on a call of one function is a call of the other, which has the same type. */
#define PATCH_FUNCTION(function, replacement)						\
	do {										\
		_Static_assert(__builtin_types_compatible_p(__typeof__(function),	\
							    __typeof__(replacement)),	\
			       "the types of " #function " and " #replacement);		\
		patch_function(function, replacement);					\
	} while (0)

void patch_function(void *function, void *replacement);

/* Of the machine code of an exported function. */
size_t patch_size(void *function);

void patch_bytes(void *at, const void *bytes, size_t size);

/* QEMU ends: this binary is not one that the repairs are for. */
void patch_refuse(const char *what) __attribute__((noreturn));

#endif
