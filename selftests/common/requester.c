// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "requester.h"

int requester_join(struct requester *req, int container, const char *name)
{
	int ret;

	memset(req, 0, sizeof(*req));
	req->container = -1;
	ret = vfio_open(&req->vfio, container, name);
	if (ret)
		return ret;
	req->name = req->vfio.name;
	ret = edu_init(&req->edu, req->vfio.bar0);
	if (ret)
		vfio_close(&req->vfio);
	return ret;
}

int requester_open(struct requester *req, const char *name, size_t size)
{
	int container = vfio_container(), ret;

	if (container < 0)
		return container;
	ret = requester_join(req, container, name);
	if (ret) {
		close(container);
		return ret;
	}
	req->container = container;
	req->size = size;
	req->mem = memory_alloc(size);
	if (!req->mem) {
		requester_close(req);
		return -ENOMEM;
	}
	return 0;
}

int requester_start(struct requester *req, const char *name)
{
	int ret;

	ret = requester_open(req, name, 2 * PAGE_4K);
	if (ret)
		return ret;
	ret = vfio_map(req->container, req->mem, REQUESTER_IOVA, req->size, VFIO_RW);
	if (ret)
		requester_close(req);
	return ret;
}

bool requester_works(struct requester *req)
{
	/* Bytes of an earlier transfer must not pass for those of this one. */
	static __u64 seed = 1ULL << 32;

	pattern_fill(req->mem, PAGE_4K, ++seed);
	memset(req->mem + PAGE_4K, 0, PAGE_4K);
	return !edu_copy(&req->edu, REQUESTER_IOVA + PAGE_4K, REQUESTER_IOVA, PAGE_4K) &&
	       pattern_matches(req->mem + PAGE_4K, PAGE_4K, seed);
}

void requester_close(struct requester *req)
{
	vfio_close(&req->vfio);
	if (req->container >= 0)
		close(req->container);
	if (req->mem)
		memory_free(req->mem, req->size);
}

bool edu_works(const char *name)
{
	struct requester req;
	bool works;

	if (requester_start(&req, name))
		return false;
	works = requester_works(&req);
	requester_close(&req);
	return works;
}
