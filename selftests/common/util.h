/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small file, process and data helpers shared by all subjects.
 *
 * Functions return 0 or a count on success and a negative errno on failure;
 * none of them prints or exits, so that each test states its own expectation.
 */
#ifndef VIOMMU_UTIL_H
#define VIOMMU_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define KIB		(1ULL << 10)
#define MIB		(1ULL << 20)
#define GIB		(1ULL << 30)
#define PAGE_4K		(4 * KIB)

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#endif

/* Reads a whole small file as a string, without its last newline. */
int file_read(const char *path, char *buf, size_t len);
int file_write(const char *path, const char *text);
/* Reads one unsigned number in C notation; negative errno on failure. */
long long file_read_number(const char *path);
bool file_exists(const char *path);
/* Number of entries of a directory without "." and ".."; 0 if it is absent. */
int dir_count(const char *path);

/* Runs a program and waits for it: its exit status, or a negative errno. */
int run_program(char *const argv[]);

/* The calling thread runs on this processor only, or again on all of them; a negative errno on failure. */
int run_on(int cpu);
int run_anywhere(void);

__u64 now_ms(void);
void sleep_ms(unsigned int ms);

/* Anonymous memory, touched, aligned to 4 KiB, or from 2 MiB on to that. */
void *memory_alloc(size_t size);
void memory_free(void *mem, size_t size);
/* Where a touched page lies in physical memory; 0 if that cannot be told. */
__u64 physical_address(const void *mem);

/* The signal that reading this address raises: SIGBUS, SIGSEGV, or 0 for none. For one thread. */
int signal_of(const __u64 *address);

/* Deterministic bytes: position and seed fix every one of them. */
void pattern_fill(void *buf, size_t len, __u64 seed);
/* The same bytes, starting at an offset that is a multiple of eight. */
void pattern_fill_at(void *buf, size_t len, __u64 seed, __u64 offset);
bool pattern_matches(const void *buf, size_t len, __u64 seed);
__u64 random_next(__u64 *state);

#endif
