// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"
#include "vdma.h"

#define BAR_SIZE	(32 * KIB)
#define BUFFER		(16 * KIB)
#define SIGNATURE	0x414d4456	/* "VDMA" */
#define WAIT_MS		2000

#define REG_ID		0x00
#define REG_ADDRESS	0x08
#define REG_LENGTH	0x10
#define REG_PASID	0x18
#define REG_CONTROL	0x20
#define REG_STATUS	0x28
#define REG_MOVED	0x30

#define PASID_VALID		(1U << 31)
#define CONTROL_START		(1U << 0)
#define CONTROL_OPERATION(op)	((op) << 1)
#define CONTROL_PRIVILEGED	(1U << 3)
#define CONTROL_INTERRUPT	(1U << 4)
#define STATUS_DONE		(1U << 0)
#define STATUS_ABORTED		(1U << 1)

/* MMIO: one access of exactly this width, neither cached nor left out. */
static __u64 get(struct vdma *vdma, size_t reg)
{
	return __atomic_load_n(&vdma->bar[reg / 8], __ATOMIC_SEQ_CST);
}

static void set(struct vdma *vdma, size_t reg, __u64 value)
{
	__atomic_store_n(&vdma->bar[reg / 8], value, __ATOMIC_RELEASE);
}

int vdma_init(struct vdma *vdma, void *bar)
{
	vdma->bar = bar;
	return (__u32)get(vdma, REG_ID) == SIGNATURE ? 0 : -ENODEV;
}

int vdma_open_sysfs(struct vdma *vdma, const char *name)
{
	char path[128];
	void *bar;
	int fd, ret;

	ret = pci_enable_dma(name);
	if (ret)
		return ret;
	pci_path(path, sizeof(path), name, "resource0");
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ret = bar == MAP_FAILED ? -errno : vdma_init(vdma, bar);
	close(fd);
	return ret;
}

static __u32 control_of(const struct vdma_request *request)
{
	return CONTROL_START | CONTROL_OPERATION(request->operation) |
	       (request->privileged ? CONTROL_PRIVILEGED : 0) |
	       (request->interrupt ? CONTROL_INTERRUPT : 0);
}

int vdma_run(struct vdma *vdma, const struct vdma_request *request)
{
	__u64 end = now_ms() + WAIT_MS, status;

	set(vdma, REG_ADDRESS, request->address);
	set(vdma, REG_LENGTH, request->length);
	set(vdma, REG_PASID, request->has_pasid ? PASID_VALID | request->pasid : 0);
	set(vdma, REG_CONTROL, control_of(request));
	while (!((status = get(vdma, REG_STATUS)) & STATUS_DONE)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return status & STATUS_ABORTED ? -EIO : 0;
}

__u64 vdma_moved(struct vdma *vdma)
{
	return get(vdma, REG_MOVED);
}

void vdma_fill(struct vdma *vdma, const void *bytes, size_t len)
{
	__u64 word;
	size_t i;

	for (i = 0; i < len && i < VDMA_BUFFER; i += sizeof(word)) {
		memcpy(&word, (const char *)bytes + i, sizeof(word));
		set(vdma, BUFFER + i, word);
	}
}

void vdma_fetch(struct vdma *vdma, void *bytes, size_t len)
{
	__u64 word;
	size_t i;

	for (i = 0; i < len && i < VDMA_BUFFER; i += sizeof(word)) {
		word = get(vdma, BUFFER + i);
		memcpy((char *)bytes + i, &word, sizeof(word));
	}
}
