// SPDX-License-Identifier: GPL-2.0
/*
 * speed DRIVE ORDER MS: reads a drive past the page cache for a while, and prints
 * "result ORDER BYTES-A-SECOND READS-A-SECOND".
 *
 *   speed /dev/nvme0n1 sequential 2000    128 KiB after 128 KiB, around and around
 *   speed /dev/nvme0n1 random 2000        4 KiB anywhere
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>

#include "util.h"

/* So many reads are under way at any time. */
#define THREADS		4
#define SEQUENTIAL_SIZE	(128 * KIB)
#define RANDOM_SIZE	(4 * KIB)

struct speed {
	int fd;
	bool random;
	size_t size;		/* Of a read. */
	__u64 places;		/* That a read may start at. */
	__u64 next;		/* Place of the next sequential read. */
	__u64 end_ns;
	__u64 reads;
	int error;
};

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static __u64 next_place(struct speed *speed, __u64 *random)
{
	if (speed->random)
		return random_next(random) % speed->places;
	return __atomic_fetch_add(&speed->next, 1, __ATOMIC_RELAXED) % speed->places;
}

static int read_until_end(struct speed *speed, void *buf)
{
	/* Each thread has a buffer of its own, so its address tells the threads apart. */
	__u64 random = (unsigned long)buf;
	__u64 reads;
	ssize_t n;

	for (reads = 0; now_ns() < speed->end_ns; reads++) {
		n = pread(speed->fd, buf, speed->size, next_place(speed, &random) * speed->size);
		if (n != (ssize_t)speed->size)
			return n < 0 ? -errno : -EIO;
	}
	__atomic_fetch_add(&speed->reads, reads, __ATOMIC_RELAXED);
	return 0;
}

static void *reader(void *arg)
{
	struct speed *speed = arg;
	void *buf = NULL;
	int ret;

	ret = -posix_memalign(&buf, SEQUENTIAL_SIZE, speed->size);
	if (!ret) {
		memset(buf, 0xff, speed->size);
		ret = read_until_end(speed, buf);
	}
	if (ret)
		__atomic_store_n(&speed->error, ret, __ATOMIC_RELAXED);
	free(buf);
	return NULL;
}

static int measure(struct speed *speed)
{
	pthread_t threads[THREADS];
	unsigned int i, started = 0;

	for (i = 0; i < THREADS && !speed->error; i++) {
		speed->error = -pthread_create(&threads[i], NULL, reader, speed);
		started += !speed->error;
	}
	for (i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return speed->error;
}

static int open_drive(struct speed *speed, const char *path)
{
	__u64 size;

	speed->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (speed->fd < 0 || ioctl(speed->fd, BLKGETSIZE64, &size))
		return -errno;
	speed->places = size / speed->size;
	return speed->places ? 0 : -ENOSPC;
}

int main(int argc, char **argv)
{
	struct speed speed = { .size = SEQUENTIAL_SIZE };
	double seconds;
	__u64 begin;
	int ret;

	if (argc != 4 || (strcmp(argv[2], "sequential") && strcmp(argv[2], "random")))
		return 2;
	if (!strcmp(argv[2], "random")) {
		speed.random = true;
		speed.size = RANDOM_SIZE;
	}
	ret = open_drive(&speed, argv[1]);
	if (!ret) {
		begin = now_ns();
		speed.end_ns = begin + strtoull(argv[3], NULL, 0) * 1000000;
		ret = measure(&speed);
		seconds = (now_ns() - begin) / 1e9;
	}
	if (ret) {
		printf("FAILED: %s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	printf("result %s %.0f %.1f\n", argv[2], speed.reads * speed.size / seconds, speed.reads / seconds);
	return 0;
}
