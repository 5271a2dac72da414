// SPDX-License-Identifier: GPL-2.0
/*
 * An AMD IOMMU in a guest, driven as it should be, through /dev/mem. A command that does
 * not complete is counted as failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "hostile_driver.h"

/* Valid, not translated, reads and writes allowed. */
#define HONEST_ENTRY	(3ULL | 3ULL << 61)
#define HONEST_DOMAIN	5

/* Of a command. QEMU needs 0.1 s if it comes to the worst, an emulated host much more. */
#define PATIENCE_MS	10000

const unsigned int ids[DEVICES] = { 0x90, 0x98, 0xa0 };
__u8 *registers;
__u8 *memory;
unsigned int honest_changes;
unsigned int failed;
static unsigned int tail;
static unsigned int queue_size;
static __u64 begin_ms;

int map_machine(void)
{
	int device = open("/dev/mem", O_RDWR | O_SYNC);
	int ram = open("/dev/mem", O_RDWR);

	begin_ms = now_ms();
	registers = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, device, REGISTERS);
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram, MEMORY);
	return registers == MAP_FAILED || memory == MAP_FAILED;
}

void say(const char *what)
{
	__u64 ms = now_ms() - begin_ms;

	printf("%s: %3llu.%02llu s: %s\n", program_invocation_short_name, ms / 1000, ms % 1000 / 10, what);
	fflush(stdout);
}

void fail(const char *what)
{
	failed++;
	printf("FAILED: ");
	say(what);
}

__u64 read64(unsigned int offset)
{
	return __atomic_load_n((__u64 *)(registers + offset), __ATOMIC_RELAXED);
}

void write64(unsigned int offset, __u64 value)
{
	__atomic_store_n((__u64 *)(registers + offset), value, __ATOMIC_RELAXED);
}

void write32(unsigned int offset, __u32 value)
{
	__atomic_store_n((__u32 *)(registers + offset), value, __ATOMIC_RELAXED);
}

void write16(unsigned int offset, __u16 value)
{
	__atomic_store_n((__u16 *)(registers + offset), value, __ATOMIC_RELAXED);
}

void write8(unsigned int offset, __u8 value)
{
	__atomic_store_n(registers + offset, value, __ATOMIC_RELAXED);
}

void write_entry(unsigned int id, unsigned int word, __u64 value)
{
	__u64 *entry = (__u64 *)memory + id * ENTRY_WORDS;

	__atomic_store_n(&entry[word], value, __ATOMIC_RELEASE);
}

void switch_off(void)
{
	write64(CONTROL, 0);
}

void switch_on(unsigned int queue_length, unsigned int table_length)
{
	switch_off();
	tail = 0;
	queue_size = 16 << queue_length;
	write64(DEVICE_TABLE, MEMORY | table_length);
	write64(COMMANDS, (MEMORY + QUEUE_PLACE) | (__u64)queue_length << LENGTH_SHIFT);
	write64(EVENTS, (MEMORY + LOG_PLACE) | LOG_LENGTH);
	write64(COMMAND_TAIL, 0);
	write64(CONTROL, IOMMU_EN | EVENT_LOG_EN | CMD_BUF_EN);
}

void start_over(unsigned int queue_length)
{
	switch_off();
	memset(memory, 0, TABLE_SIZE);
	switch_on(queue_length, WHOLE_TABLE);
}

bool execute(__u32 word0, __u32 word1)
{
	__u32 *place = (__u32 *)(memory + QUEUE_PLACE + tail);
	__u64 deadline = now_ms() + PATIENCE_MS;

	place[0] = word0;
	place[1] = word1;
	place[2] = 0;
	place[3] = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	tail = (tail + 16) % queue_size;
	write64(COMMAND_TAIL, tail);
	while (read64(COMMAND_HEAD) != tail) {
		if (now_ms() > deadline) {
			fail("a command does not complete");
			return false;
		}
	}
	return true;
}

bool announce(unsigned int id)
{
	return execute(id, INVALIDATE_DEVTAB_ENTRY);
}

void be_honest(void)
{
	unsigned int n;

	start_over(QUEUE_LENGTH);
	for (n = 0; n < ARRAY_SIZE(ids); n++) {
		write_entry(ids[n], 1, HONEST_DOMAIN);
		write_entry(ids[n], 0, HONEST_ENTRY);
		honest_changes += announce(ids[n]);
	}
}
