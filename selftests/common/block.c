// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>

#include "block.h"
#include "util.h"

#define NVME_CLASS	"/sys/class/nvme"
#define SLOT_SIZE	(256 * KIB)
#define SLOTS_MAX	64
#define SECTOR		4096
#define IDENTIFY	6
#define THE_CONTROLLER	1

static bool has_serial(const char *controller, const char *serial)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), NVME_CLASS "/%s/serial", controller);
	if (file_read(path, text, sizeof(text)) < 0)
		return false;
	text[strcspn(text, " ")] = '\0';
	return !strcmp(text, serial);
}

static int describe(struct block *block, const char *controller)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), NVME_CLASS "/%s/address", controller);
	ret = file_read(path, block->pci, sizeof(block->pci));
	if (ret < 0)
		return ret;
	snprintf(block->path, sizeof(block->path), "/dev/%.32sn1", controller);
	fd = open(block->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, BLKGETSIZE64, &block->size) ? -errno : 0;
	close(fd);
	return ret;
}

static int find_once(struct block *block, const char *serial)
{
	struct dirent *entry;
	int ret = -ENOENT;
	DIR *dir;

	dir = opendir(NVME_CLASS);
	if (!dir)
		return -errno;
	while (ret && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && has_serial(entry->d_name, serial))
			ret = describe(block, entry->d_name);
	}
	closedir(dir);
	return ret;
}

int block_find(struct block *block, const char *serial, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;
	int ret;

	while ((ret = find_once(block, serial)) && now_ms() < end)
		sleep_ms(20);
	return ret;
}

static bool is_live(const char *controller)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), NVME_CLASS "/%s/state", controller);
	return file_read(path, text, sizeof(text)) > 0 && !strcmp(text, "live");
}

unsigned int block_others(const char *serial)
{
	DIR *dir = opendir(NVME_CLASS);
	unsigned int count = 0;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		count += is_live(entry->d_name) && !has_serial(entry->d_name, serial);
	if (dir)
		closedir(dir);
	return count;
}

int block_unbind_all(void)
{
	struct pci_list drives;
	unsigned int i;
	int ret = 0;

	pci_find_class(&drives, BLOCK_PCI_CLASS, 0xffffff);
	for (i = 0; !ret && i < drives.count; i++)
		ret = pci_unbind(drives.name[i]);
	return ret;
}

/* One thread's part of the device, and what it must contain by now. */
struct worker {
	struct block_load *load;
	pthread_t thread;
	int fd;
	__u64 start;
	unsigned int slots;
	__u64 random;
	struct {
		__u64 seed;
		size_t len;
	} written[SLOTS_MAX];
};

static int write_slot(struct worker *worker, unsigned int slot, void *buf)
{
	size_t len = SECTOR * (1 + random_next(&worker->random) % (SLOT_SIZE / SECTOR));
	__u64 seed = random_next(&worker->random);
	ssize_t n;

	pattern_fill(buf, len, seed);
	n = pwrite(worker->fd, buf, len, worker->start + slot * SLOT_SIZE);
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -EIO;
	worker->written[slot].seed = seed;
	worker->written[slot].len = len;
	return 0;
}

static int check_slot(struct worker *worker, unsigned int slot, void *buf)
{
	size_t len = worker->written[slot].len;
	ssize_t n;

	if (!len)
		return 0;
	memset(buf, 0, len);
	n = pread(worker->fd, buf, len, worker->start + slot * SLOT_SIZE);
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -EIO;
	if (!pattern_matches(buf, len, worker->written[slot].seed))
		return -EILSEQ;
	__atomic_fetch_add(&worker->load->bytes, len, __ATOMIC_RELAXED);
	return 0;
}

static bool goes_on(struct worker *worker, unsigned int done)
{
	struct block_load *load = worker->load;

	if (__atomic_load_n(&load->error, __ATOMIC_RELAXED))
		return false;
	if (load->operations)
		return done < load->operations;
	return !__atomic_load_n(&load->stop, __ATOMIC_RELAXED);
}

static int work(struct worker *worker, void *buf)
{
	unsigned int done, slot;
	int ret = 0;

	for (done = 0; !ret && goes_on(worker, done); done++) {
		slot = random_next(&worker->random) % worker->slots;
		if (done & 1)
			ret = check_slot(worker, slot, buf);
		else
			ret = write_slot(worker, slot, buf);
	}
	/* Whatever was written last must still be there. */
	for (slot = 0; !ret && slot < worker->slots; slot++)
		ret = check_slot(worker, slot, buf);
	return ret;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	void *buf = NULL;
	int ret;

	worker->fd = open(worker->load->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ret = worker->fd < 0 ? -errno : -posix_memalign(&buf, SECTOR, SLOT_SIZE);
	if (!ret)
		ret = work(worker, buf);
	if (ret)
		__atomic_store_n(&worker->load->error, ret, __ATOMIC_RELAXED);
	free(buf);
	if (worker->fd >= 0)
		close(worker->fd);
	return NULL;
}

int block_load_run(struct block_load *load)
{
	__u64 part = load->size / load->threads / SLOT_SIZE * SLOT_SIZE;
	struct worker *workers;
	unsigned int i;

	workers = calloc(load->threads, sizeof(*workers));
	if (!workers || part < SLOT_SIZE) {
		free(workers);
		return -EINVAL;
	}
	load->error = 0;
	load->bytes = 0;
	for (i = 0; i < load->threads; i++) {
		workers[i].load = load;
		workers[i].start = i * part;
		workers[i].slots = part / SLOT_SIZE < SLOTS_MAX ? part / SLOT_SIZE : SLOTS_MAX;
		workers[i].random = now_ms() * 16 + i;
		pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]);
	}
	for (i = 0; i < load->threads; i++)
		pthread_join(workers[i].thread, NULL);
	free(workers);
	return load->error;
}

struct block_load_handle {
	struct block_load *load;
	pthread_t thread;
};

static void *load_main(void *arg)
{
	struct block_load *load = arg;

	load->error = block_load_run(load);
	return NULL;
}

struct block_load_handle *block_load_start(struct block_load *load)
{
	struct block_load_handle *handle = malloc(sizeof(*handle));

	if (!handle)
		return NULL;
	load->stop = 0;
	handle->load = load;
	pthread_create(&handle->thread, NULL, load_main, load);
	return handle;
}

int block_load_finish(struct block_load_handle *handle)
{
	int ret;

	__atomic_store_n(&handle->load->stop, 1, __ATOMIC_RELAXED);
	pthread_join(handle->thread, NULL);
	ret = handle->load->error;
	free(handle);
	return ret;
}

int block_command(const char *path)
{
	char data[4096];
	struct nvme_admin_cmd identify = { .opcode = IDENTIFY, .cdw10 = THE_CONTROLLER,
					   .addr = (unsigned long)data, .data_len = sizeof(data) };
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &identify);
	if (ret)
		ret = ret < 0 ? -errno : -EIO;
	close(fd);
	return ret;
}

int block_hash(const char *path, size_t piece, __u64 *hash)
{
	void *buf = NULL;
	ssize_t n;
	int fd, ret;

	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = -posix_memalign(&buf, SECTOR, piece);
	*hash = 0xcbf29ce484222325ULL;
	while (!ret && (n = read(fd, buf, piece)) != 0) {
		const __u64 *word = buf;

		if (n < 0) {
			ret = -errno;
			break;
		}
		for (; n >= (ssize_t)sizeof(*word); n -= sizeof(*word))
			*hash = (*hash ^ *word++) * 0x100000001b3ULL;
	}
	free(buf);
	close(fd);
	return ret;
}
