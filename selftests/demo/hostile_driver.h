/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver that "completions" is, and "hostile" at some times, and what that has to be
 * the other driver: the registers of the guest's IOMMU, and the guest's memory, of which
 * nobody else uses these 8 MiB.
 */
#ifndef VIOMMU_HOSTILE_DRIVER_H
#define VIOMMU_HOSTILE_DRIVER_H

#include <linux/types.h>

#include "util.h"

#define REGISTERS	0xfed80000ULL
#define WINDOW		0x4000
#define DEVICE_TABLE	0x0000
#define COMMANDS	0x0008
#define EVENTS		0x0010
#define CONTROL		0x0018
#define COMMAND_HEAD	0x2000
#define COMMAND_TAIL	0x2008
#define EVENT_TAIL	0x2018
#define STATUS		0x2020

#define IOMMU_EN	(1ULL << 0)
#define EVENT_LOG_EN	(1ULL << 2)
#define COM_WAIT_INT_EN	(1ULL << 4)
#define CMD_BUF_EN	(1ULL << 12)

#define COM_WAIT_INT	(1ULL << 2)

/* Words of commands. */
#define COMPLETION_STORE	1U
#define COMPLETION_INTERRUPT	2U
#define COMPLETION_WAIT		(1U << 28)
#define INVALIDATE_DEVTAB_ENTRY	(2U << 28)
#define INVALIDATE_IOMMU_PAGES	(3U << 28)

#define MEMORY		0x10000000ULL
#define TABLE_SIZE	(2 * MIB)
#define QUEUE_PLACE	(4 * MIB)
#define LOG_PLACE	(6 * MIB)
#define MEMORY_SIZE	(8 * MIB)
#define WHOLE_TABLE	0x1ff
#define LENGTH_SHIFT	56
#define LOG_LENGTH	(9ULL << LENGTH_SHIFT)
#define QUEUE_LENGTH	9
#define LONGEST_QUEUE	15
#define ENTRY_WORDS	4

/* The devices that scripts/chain passes through. */
#define DEVICES		3
extern const unsigned int ids[DEVICES];

extern __u8 *registers;
extern __u8 *memory;
/* Those that completed. */
extern unsigned int honest_changes;
extern unsigned int failed;

/* Nonzero without /dev/mem, or without "iomem=relaxed". */
int map_machine(void);

void say(const char *what);
void fail(const char *what);

/* Each is one access of exactly this size, aligned or not. */
__u64 read64(unsigned int offset);
void write64(unsigned int offset, __u64 value);
void write32(unsigned int offset, __u32 value);
void write16(unsigned int offset, __u16 value);
void write8(unsigned int offset, __u8 value);

void write_entry(unsigned int id, unsigned int word, __u64 value);

void switch_off(void);
/* Lengths as in the registers. */
void switch_on(unsigned int queue_length, unsigned int table_length);
/* As after a reset, with an empty table, which nobody watches while it is emptied. */
void start_over(unsigned int queue_length);
/* Puts a command without operand into the queue, and waits until the hardware has executed it; true if it has. */
bool execute(__u32 word0, __u32 word1);
/* Says in the queue that an entry has changed; true if the hardware knows. */
bool announce(unsigned int id);
/* Starts over, and gives each device a good entry. */
void be_honest(void);

#endif
