/* SPDX-License-Identifier: GPL-2.0 */
/* An edu device in the hands of a VFIO user: a requester that tests aim at memory. */
#ifndef VIOMMU_REQUESTER_H
#define VIOMMU_REQUESTER_H

#include <stdbool.h>
#include <stddef.h>

#include "edu.h"
#include "util.h"
#include "vfio.h"

/* Where requester_start() maps its two pages. */
#define REQUESTER_IOVA	(1 * GIB)

struct requester {
	struct vfio_device vfio;
	struct edu edu;
	const char *name;
	int container;		/* -1: that of others. */
	char *mem;		/* NULL: has none of its own. */
	size_t size;
};

/* Joins a container that others share, and that stays theirs. */
int requester_join(struct requester *req, int container, const char *name);
/* A container of its own and memory, of which nothing is mapped yet. */
int requester_open(struct requester *req, const char *name, size_t size);
/* The same with two pages, which are mapped for reading and writing. */
int requester_start(struct requester *req, const char *name);
/* After requester_start(): do the right bytes go from one page to the other? */
bool requester_works(struct requester *req);
/* Gives back all that is its own. */
void requester_close(struct requester *req);

/* A requester's whole life: it starts, works and goes. */
bool edu_works(const char *name);

#endif
