// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of the demonstration that a shell cannot do. Each command prints
 * what it does, then one line "result NAME VALUE" for each number it found,
 * and ends with status 0 only if every byte was right.
 *
 *   demo_client drive       random writes and verified reads on the scratch drive
 *   demo_client network     echoes, and a file fetched into the working folder
 *   demo_client edu         DMA of an edu device into this program's memory
 *   demo_client fault       the same device touches an address without mapping
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "fault.h"
#include "net.h"
#include "requester.h"
#include "util.h"

#define WAIT_MS		20000
#define FAULT_MS	5000
#define MEMORY		(4 * MIB)
#define IOVA		(1 * GIB)
#define UNMAPPED	0x12345678ULL

static int fail(const char *what, int ret)
{
	printf("FAILED: %s: %s\n", what, strerror(ret < 0 ? -ret : ret));
	return 1;
}

static int drive(void)
{
	struct block_load load = { .threads = 4, .operations = 100 };
	struct block block;
	int ret;

	ret = block_find(&block, BLOCK_SCRATCH, WAIT_MS);
	if (ret)
		return fail("no scratch drive", ret);
	load.path = block.path;
	load.size = block.size;
	ret = block_load_run(&load);
	if (ret)
		return fail("verified writes", ret);
	printf("%s: 4 threads wrote, read back and compared\n", block.path);
	printf("result bytes %llu\n", load.bytes);
	return 0;
}

static int network(void)
{
	struct pci_list cards;
	char name[32];
	long long size;
	__u64 bytes = 0;
	int ret;

	pci_find_id(&cards, NIC_VENDOR, NIC_DEVICE);
	ret = cards.count ? net_find(cards.name[0], name, sizeof(name), WAIT_MS) : -1;
	if (ret)
		return fail("no network card", ret);
	ret = net_up(name);
	if (ret)
		return fail("interface up", ret);
	ret = net_ping(100, &bytes);
	if (ret != 100)
		return fail("echo replies", ret);
	printf("%s: 100 of 100 echoes came back unaltered\n", name);
	net_tftp("SHA256SUMS", "SHA256SUMS");
	size = net_tftp("odd-size", "odd-size");
	if (size <= 0)
		return fail("TFTP", size);
	printf("%s: %lld bytes fetched\n", name, size);
	printf("result bytes %llu\n", bytes + size);
	return 0;
}

static int user_open(struct requester *user)
{
	struct pci_list edus;
	int ret;

	edu_find(&edus);
	if (!edus.count)
		return fail("no edu device", 0);
	ret = vfio_prepare();
	if (ret)
		return fail("VFIO", ret);
	ret = requester_open(user, edus.name[0], MEMORY);
	if (ret)
		return fail("device", ret);
	ret = vfio_map(user->container, user->mem, IOVA, MEMORY, VFIO_RW);
	return ret ? fail("map", ret) : 0;
}

static int edu(void)
{
	static const __u64 places[] = { PAGE_4K, MIB + 5 * PAGE_4K, 2 * MIB, MEMORY - PAGE_4K };
	struct requester user;
	unsigned int i;
	__u64 bytes = 0;

	if (user_open(&user))
		return 1;
	printf("%s belongs to this program; %llu MiB of its memory are at 0x%llx\n",
	       user.name, MEMORY / MIB, IOVA);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		pattern_fill(user.mem, PAGE_4K, i);
		if (edu_copy(&user.edu, IOVA + places[i], IOVA, PAGE_4K) ||
		    !pattern_matches(user.mem + places[i], PAGE_4K, i))
			return fail("wrong bytes", 0);
		bytes += 2 * PAGE_4K;
	}
	printf("%s read and wrote 4 pages; all bytes are right\n", user.name);
	printf("result bytes %llu\n", bytes);
	return 0;
}

static int fault(void)
{
	struct fault fault;
	struct requester user;
	int kmsg;

	if (user_open(&user))
		return 1;
	kmsg = kmsg_open();
	pattern_fill(user.mem, MEMORY, 1);
	if (edu_dma(&user.edu, EDU_WRITE, UNMAPPED, 0, 4))
		return fail("the device did not end its transfer", 0);
	if (!pattern_matches(user.mem, MEMORY, 1))
		return fail("a stray write changed mapped memory", 0);
	printf("%s wrote to 0x%llx, where nothing is mapped; no memory changed\n",
	       user.name, UNMAPPED);
	if (!faults_reported()) {
		printf("this machine's IOMMU does not report faults (viommu.faults=0)\n");
		printf("result expected 0\nresult seen 0\n");
		return 0;
	}
	if (!fault_wait_at(kmsg, &fault, user.name, UNMAPPED, 4, FAULT_MS))
		return fail("no fault in the kernel log", 0);
	printf("kernel log: %s\n", fault.line);
	printf("result expected 1\nresult seen 1\n");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} commands[] = {
		{ "drive", drive }, { "network", network }, { "edu", edu }, { "fault", fault },
	};
	unsigned int i;

	for (i = 0; argc == 2 && i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run();
	}
	fprintf(stderr, "usage: demo_client drive|network|edu|fault\n");
	return 2;
}
