// SPDX-License-Identifier: GPL-2.0
/*
 * stray DEVICE read|write ADDRESS [DATA]
 *
 * Has the test device amd-viommu-dma (qemu/amd-viommu-hw) read or write eight
 * bytes at an address where nothing is mapped; or four, DATA, where interrupts
 * are. No driver is needed: its registers are reached through sysfs. Status 0
 * if the hardware refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdma.h"

#define LENGTH		8
#define DATA_LENGTH	4

int main(int argc, char **argv)
{
	struct vdma_request request = { .length = LENGTH };
	struct vdma vdma;
	__u64 data;
	int ret;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: stray DEVICE read|write ADDRESS [DATA]\n");
		return 2;
	}
	if (vdma_open_sysfs(&vdma, argv[1])) {
		printf("%s: no registers of amd-viommu-dma\n", argv[1]);
		return 1;
	}
	request.operation = strcmp(argv[2], "write") ? VDMA_READ : VDMA_WRITE;
	request.address = strtoull(argv[3], NULL, 0);
	if (argc == 5) {
		data = strtoull(argv[4], NULL, 0);
		request.length = DATA_LENGTH;
		vdma_fill(&vdma, &data, sizeof(data));
	}
	ret = vdma_run(&vdma, &request);
	printf("%s: %s at %s: %s, %llu bytes moved\n", argv[1], argv[2], argv[3],
	       ret ? strerror(-ret) : "not refused", vdma_moved(&vdma));
	return ret != -EIO || vdma_moved(&vdma);
}
