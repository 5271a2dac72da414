// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"
#include "util.h"

#define EDU_REG_ID		0x00
#define EDU_REG_RAISE		0x60
#define EDU_REG_DMA_SOURCE	0x80
#define EDU_REG_DMA_TARGET	0x88
#define EDU_REG_DMA_COUNT	0x90
#define EDU_REG_DMA_COMMAND	0x98
#define EDU_CMD_RUN		1
#define EDU_CMD_TO_MEMORY	2
#define EDU_ID			0x010000ed
#define EDU_BUFFER_ADDRESS	0x40000
#define EDU_BAR_SIZE		0x100000
#define EDU_TIMEOUT_MS		20000

/* MMIO: one access of exactly this width, neither cached nor left out. */
static __u32 read_register(struct edu *edu, unsigned int reg)
{
	return __atomic_load_n((__u32 *)((char *)edu->bar + reg), __ATOMIC_SEQ_CST);
}

static void write_register(struct edu *edu, unsigned int reg, __u64 value)
{
	__atomic_store_n((__u64 *)((char *)edu->bar + reg), value, __ATOMIC_RELEASE);
}

void edu_find(struct pci_list *list)
{
	struct pci_list all;
	unsigned int i;

	pci_find_id(&all, EDU_VENDOR, EDU_DEVICE);
	list->count = 0;
	for (i = 0; i < all.count; i++) {
		if (!strncmp(all.name[i], "0000:00:", 8))
			memcpy(list->name[list->count++], all.name[i], PCI_NAME_LEN);
	}
}

int edu_init(struct edu *edu, void *bar)
{
	edu->bar = bar;
	edu->bar_size = EDU_BAR_SIZE;
	return read_register(edu, EDU_REG_ID) == EDU_ID ? 0 : -ENODEV;
}

int edu_open_sysfs(struct edu *edu, const char *name)
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
	bar = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ret = bar == MAP_FAILED ? -errno : edu_init(edu, bar);
	close(fd);
	return ret;
}

void edu_close_sysfs(struct edu *edu)
{
	munmap(edu->bar, edu->bar_size);
}

void edu_raise(struct edu *edu, __u32 reason)
{
	__atomic_store_n((__u32 *)((char *)edu->bar + EDU_REG_RAISE), reason, __ATOMIC_RELEASE);
}

int edu_start(struct edu *edu, enum edu_direction direction, __u64 iova,
	      __u32 offset, __u32 len)
{
	__u64 own = EDU_BUFFER_ADDRESS + offset;

	if (offset > EDU_BUFFER || len > EDU_BUFFER - offset)
		return -ERANGE;
	if (read_register(edu, EDU_REG_DMA_COMMAND) & EDU_CMD_RUN)
		return -EBUSY;
	write_register(edu, EDU_REG_DMA_SOURCE, direction == EDU_READ ? iova : own);
	write_register(edu, EDU_REG_DMA_TARGET, direction == EDU_READ ? own : iova);
	write_register(edu, EDU_REG_DMA_COUNT, len);
	write_register(edu, EDU_REG_DMA_COMMAND,
		       EDU_CMD_RUN | (direction == EDU_WRITE ? EDU_CMD_TO_MEMORY : 0));
	return 0;
}

int edu_wait(struct edu *edu)
{
	__u64 end = now_ms() + EDU_TIMEOUT_MS;

	while (read_register(edu, EDU_REG_DMA_COMMAND) & EDU_CMD_RUN) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(2);
	}
	return 0;
}

int edu_dma(struct edu *edu, enum edu_direction direction, __u64 iova,
	    __u32 offset, __u32 len)
{
	int ret;

	ret = edu_start(edu, direction, iova, offset, len);
	return ret ? ret : edu_wait(edu);
}

int edu_copy(struct edu *edu, __u64 to, __u64 from, __u32 len)
{
	int ret;

	ret = edu_dma(edu, EDU_READ, from, 0, len);
	return ret ? ret : edu_dma(edu, EDU_WRITE, to, 0, len);
}
