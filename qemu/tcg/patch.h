/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes of QEMU's own code in memory. All of them are made before the first virtual
 * processor runs.
 */
#ifndef TCG_PATCH_H
#define TCG_PATCH_H

#include <stddef.h>

/* From now on a call of one function is a call of the other. */
void patch_function(void *function, void *replacement);

void patch_bytes(void *at, const void *bytes, size_t size);

/* QEMU ends: this binary is not one that the repairs are for. */
void patch_refuse(const char *what) __attribute__((noreturn));

#endif
