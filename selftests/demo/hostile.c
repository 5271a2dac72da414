// SPDX-License-Identifier: GPL-2.0
/*
 * hostile: in a guest, the worst driver of its AMD IOMMU that there can be. The guest
 * boots with "amd_iommu=off iomem=relaxed memmap=16M$0x10000000", so that nobody else
 * drives the IOMMU, and that memory is nobody else's.
 *
 * What it does wrong may cost the guest its devices, and nothing else. So after each
 * part an honest driver starts over, and its changes of the device table have to
 * complete. All that is at random is the same in each run. Ends with "result
 * guest.honest NUMBER"; status 1 if anything did not complete. Who runs the machine has
 * to notice when it does not answer at all.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "hostile_driver.h"
#include "pci.h"

/* Of the whole. */
#define PROGRAM_S	240
#define HAMMER_MS	3000
#define FAILURE_MS	1000
#define COMMAND_SIZE	16
/* Behind all of the guest's memory (selftests/demo/vmm.sh). */
#define NOWHERE		0x20000000ULL
/* Of the shorter queue. */
#define GARBAGE_SIZE	(16 << QUEUE_LENGTH)

/*
 * Where there is RAM that is nobody's, other things, nothing, or what no address reaches. What is stored in other RAM could
 * end the guest, which would show nothing.
 */
static const __u64 places[] = {
	MEMORY + MEMORY_SIZE, MEMORY + MEMORY_SIZE + 0x7f000, 0xa0000, 0xc0000, 0xf0000, 0x20000000, 0x80000000, 0xb0000000,
	0xfd000000, 0xfe000000, 0xfec00000, REGISTERS, REGISTERS + COMMAND_HEAD, 0xfee00000,
	0xfffc0000, 0x100000000, 1ULL << 40, 0xffffffffff000, MEMORY,
};

static __u64 seed = 1;
static bool stop;

static __u64 rnd(void)
{
	return random_next(&seed);
}

static void write_config(int fd, unsigned int offset, __u32 value)
{
	if (pwrite(fd, &value, sizeof(value), offset) != sizeof(value))
		fail("config space cannot be written");
}

static void config_space(void)
{
	struct pci_list list;
	char path[128];
	unsigned int n;
	int fd;

	pci_find_iommus(&list);
	if (list.count != 1) {
		fail("there is not one IOMMU");
		return;
	}
	pci_path(path, sizeof(path), list.name[0], "config");
	fd = open(path, O_RDWR);
	if (fd < 0) {
		fail("config space cannot be opened");
		return;
	}
	for (n = 0; n < 400; n++)
		write_config(fd, n < 64 ? n * 4 : rnd() % 64 * 4, rnd() & 1 ? rnd() : ~0U);
	/* The function is enabled again. */
	write_config(fd, 4, 7);
	close(fd);
}

static void access_register(unsigned int offset)
{
	switch (rnd() % 4) {
	case 0:
		write8(offset, rnd());
		break;
	case 1:
		write16(offset & ~1, rnd());
		break;
	case 2:
		write32(offset & ~3, rnd());
		break;
	case 3:
		read64(offset & ~7);
		write64(offset & ~7, rnd());
		break;
	}
}

static void random_registers(void)
{
	unsigned int n, offset;

	for (n = 0; n < 1500; n++)
		access_register(rnd() % WINDOW);
	/* The bases and the control register, again and again. */
	for (n = 0; n < 1000; n++) {
		offset = rnd() % 0x40 & ~3;
		write32(offset, rnd());
	}
	/* Across the ends of registers and of pages. */
	for (n = 0; n < 300; n++) {
		offset = rnd() % (WINDOW - 8);
		write64(offset, rnd());
		read64(rnd() % (WINDOW - 8));
	}
}

static void tables_anywhere(void)
{
	static const unsigned int pages[] = { 0, 1, 0xf, WHOLE_TABLE };
	unsigned int n;

	start_over(QUEUE_LENGTH);
	for (n = 0; n < ARRAY_SIZE(places) * ARRAY_SIZE(pages); n++)
		write64(DEVICE_TABLE, places[n / ARRAY_SIZE(pages)] | pages[n % ARRAY_SIZE(pages)]);
	for (n = 0; n < 300; n++)
		write32(DEVICE_TABLE + n % 2 * 4, rnd());
}

static void queues_anywhere(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(places); n++) {
		switch_off();
		write64(COMMANDS, places[n] | (rnd() & 15) << LENGTH_SHIFT);
		write64(EVENTS, places[n] | LOG_LENGTH);
		write64(CONTROL, IOMMU_EN | EVENT_LOG_EN | CMD_BUF_EN);
		write64(COMMAND_TAIL, rnd());
		write64(COMMAND_HEAD, rnd());
		write64(EVENT_TAIL, rnd());
	}
}

static void put(unsigned int at, __u32 word0, __u32 word1, __u64 operand)
{
	__u32 *command = (__u32 *)(memory + QUEUE_PLACE) + at * 4;

	command[0] = word0;
	command[1] = word1;
	command[2] = operand;
	command[3] = operand >> 32;
}

/*
 * The IOMMU cannot say that a command is complete, and fails. A driver that does nothing but turn it off and on, with an empty
 * queue, finds all else as it was.
 */
static void completion_nowhere(void)
{
	start_over(QUEUE_LENGTH);
	put(0, NOWHERE | COMPLETION_STORE, COMPLETION_WAIT, 0);
	write64(COMMAND_TAIL, COMMAND_SIZE);
	/* The host has to hear of it. */
	sleep_ms(FAILURE_MS);
	switch_off();
	write64(COMMAND_HEAD, 0);
	write64(COMMAND_TAIL, 0);
	write64(CONTROL, IOMMU_EN | EVENT_LOG_EN | CMD_BUF_EN);
	honest_changes += announce(ids[0]);
}

/* Every second one has no reserved bit at its end, and gets further. */
static void random_entries(void)
{
	unsigned int n, word, id;

	start_over(LONGEST_QUEUE);
	for (n = 0; n < 150; n++) {
		id = ids[n % ARRAY_SIZE(ids)];
		for (word = 1; word < ENTRY_WORDS; word++)
			write_entry(id, word, rnd() & (n & 1 ? ~0ULL : ~0ULL >> 8));
		write_entry(id, 0, 1 | (rnd() & (n & 1 ? ~0ULL : ~0ULL >> 8)));
		announce(id);
	}
}

/* They stop no queue for good: an announcement of something else completes. */
static void unannounced_entries(void)
{
	unsigned int n;

	start_over(QUEUE_LENGTH);
	for (n = 0; n < 15; n++) {
		write_entry(ids[n % 2], 0, rnd() | 1);
		sleep_ms(20 * (n % 5));
		if (n % 5 == 4)
			announce(ids[2]);
	}
}

/* The table has 128 entries, the devices would be behind it. */
static void entries_beyond_table(void)
{
	unsigned int n;

	start_over(QUEUE_LENGTH);
	switch_on(QUEUE_LENGTH, 0);
	for (n = 0; n < 30; n++) {
		write_entry(ids[0], 0, rnd());
		write_entry(n, 0, rnd());
		announce(ids[0]);
	}
}

static void garbage_commands(void)
{
	__u64 *queue = (__u64 *)(memory + QUEUE_PLACE);
	unsigned int n, round;

	for (round = 0; round < 8; round++) {
		start_over(QUEUE_LENGTH);
		for (n = 0; n < GARBAGE_SIZE / sizeof(*queue); n++)
			queue[n] = rnd();
		write64(COMMAND_TAIL, rnd() % GARBAGE_SIZE & ~15);
		write_entry(ids[0], 0, rnd());
		sleep_ms(100);
		write64(COMMAND_TAIL, rnd());
	}
}

static void put_command(unsigned int at)
{
	__u64 place = places[rnd() % ARRAY_SIZE(places)] & ~0xfffULL;
	__u32 id = rnd();

	switch (rnd() % 3) {
	case 0:
		put(at, place | COMPLETION_STORE, COMPLETION_WAIT | (place >> 32), rnd());
		break;
	case 1:
		put(at, id & 0xffff, INVALIDATE_DEVTAB_ENTRY, 0);
		break;
	case 2:
		put(at, id & 0xfffff, INVALIDATE_IOMMU_PAGES | id >> 16, place | (rnd() & 7));
		break;
	}
}

/* Without a reserved bit, for any device, domain, PASID and address, its own or not. */
static void commands_for_others(void)
{
	unsigned int n, round;

	for (round = 0; round < 20; round++) {
		start_over(QUEUE_LENGTH);
		for (n = 0; n < 20; n++)
			put_command(n);
		write64(COMMAND_TAIL, n * 16);
		sleep_ms(20);
	}
}

static void *hammer(void *arg)
{
	__u64 state = 2;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		write_entry(ids[1], 2, random_next(&state));
		write_entry(1000, 1, state);
	}
	return NULL;
}

static void against_hammer(void)
{
	__u64 end = now_ms() + HAMMER_MS;
	unsigned int n;

	start_over(QUEUE_LENGTH);
	while (now_ms() < end) {
		write_entry(ids[0], 0, rnd() | 1);
		announce(ids[0]);
	}
	for (n = 0; n < 100; n++) {
		write64(DEVICE_TABLE, MEMORY | n);
		if (n % 3 != 2)
			write64(CONTROL, n % 3 ? IOMMU_EN | CMD_BUF_EN : 0);
	}
}

/* One processor writes to the table without pause while the other goes on. */
static void two_processors(void)
{
	pthread_t thread;

	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	if (pthread_create(&thread, NULL, hammer, NULL)) {
		fail("no thread");
		return;
	}
	against_hammer();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static const struct {
	const char *name;
	void (*play)(void);
} parts[] = {
	{ "config space at random", config_space },
	{ "registers at random, in all sizes", random_registers },
	{ "a table that is anywhere", tables_anywhere },
	{ "queues that are anywhere", queues_anywhere },
	{ "a completion that is nowhere", completion_nowhere },
	{ "entries at random, announced", random_entries },
	{ "entries at random, not announced", unannounced_entries },
	{ "entries beyond the table", entries_beyond_table },
	{ "commands at random", garbage_commands },
	{ "commands for others", commands_for_others },
	{ "one processor writes while the other announces", two_processors },
};

int main(void)
{
	unsigned int n;

	if (map_machine()) {
		perror("FAILED: /dev/mem");
		return 1;
	}
	alarm(PROGRAM_S);
	be_honest();
	for (n = 0; n < ARRAY_SIZE(parts); n++) {
		say(parts[n].name);
		parts[n].play();
		be_honest();
	}
	switch_off();
	say("ready");
	printf("result guest.honest %u\n", honest_changes);
	return failed != 0;
}
