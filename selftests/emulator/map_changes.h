/* SPDX-License-Identifier: GPL-2.0 */
/* A device's memory that goes and comes back, again and again, at the hands of the second processor. */
#ifndef EMULATOR_MAP_CHANGES_H
#define EMULATOR_MAP_CHANGES_H

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "pci.h"
#include "util.h"

#define PCI_COMMAND		0x04
#define COMMAND_MEMORY		0x02

struct map_changes {
	int config;
	__u16 before;
	pthread_t thread;
	bool stop;
	unsigned int count;
	unsigned int failed;
};

static bool set_command(int config, __u16 command)
{
	return pwrite(config, &command, sizeof(command), PCI_COMMAND) == sizeof(command);
}

static void *change_map(void *arg)
{
	struct map_changes *changes = arg;

	changes->failed += run_on(1) != 0;
	while (!__atomic_load_n(&changes->stop, __ATOMIC_RELAXED)) {
		changes->failed += !set_command(changes->config, 0);
		changes->failed += !set_command(changes->config, COMMAND_MEMORY);
		changes->count++;
	}
	return NULL;
}

static bool changes_start(struct map_changes *changes, const char *device)
{
	char path[128];

	pci_path(path, sizeof(path), device, "config");
	changes->config = open(path, O_RDWR | O_CLOEXEC);
	return pread(changes->config, &changes->before, sizeof(changes->before), PCI_COMMAND) == sizeof(changes->before) &&
	       !pthread_create(&changes->thread, NULL, change_map, changes);
}

static void changes_stop(struct map_changes *changes)
{
	__atomic_store_n(&changes->stop, true, __ATOMIC_RELAXED);
	changes->failed += pthread_join(changes->thread, NULL) != 0;
	changes->failed += !set_command(changes->config, changes->before);
	close(changes->config);
}

#endif
