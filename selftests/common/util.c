// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

int file_read(const char *path, char *buf, size_t len)
{
	size_t used = 0;
	ssize_t n = 0;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < len - 1) {
		n = read(fd, buf + used, len - 1 - used);
		if (n <= 0)
			break;
		used += n;
	}
	err = errno;
	close(fd);
	if (n < 0)
		return -err;
	if (used && buf[used - 1] == '\n')
		used--;
	buf[used] = '\0';
	return used;
}

int file_write(const char *path, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd, err;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	err = errno;
	close(fd);
	if (n < 0)
		return -err;
	return (size_t)n == len ? 0 : -EIO;
}

long long file_read_number(const char *path)
{
	char buf[64], *end;
	long long value;
	int n;

	n = file_read(path, buf, sizeof(buf));
	if (n < 0)
		return n;
	value = strtoll(buf, &end, 0);
	return end == buf ? -EINVAL : value;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int dir_count(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			count++;
	}
	closedir(dir);
	return count;
}

int run_program(char *const argv[])
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

int run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int run_anywhere(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

__u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = (ms % 1000) * 1000000L,
	};

	nanosleep(&ts, NULL);
}

/* The output function of splitmix64. */
static __u64 mix(__u64 z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

__u64 random_next(__u64 *state)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return mix(*state);
}

void pattern_fill_at(void *buf, size_t len, __u64 seed, __u64 offset)
{
	__u64 state = mix(seed) + (offset / 8) * 0x9e3779b97f4a7c15ULL;
	unsigned char *p = buf;
	__u64 word;

	while (len) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		word = random_next(&state);
		memcpy(p, &word, n);
		p += n;
		len -= n;
	}
}

void pattern_fill(void *buf, size_t len, __u64 seed)
{
	pattern_fill_at(buf, len, seed, 0);
}

bool pattern_matches(const void *buf, size_t len, __u64 seed)
{
	__u64 state = mix(seed), word;
	const unsigned char *p = buf;

	while (len) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		word = random_next(&state);
		if (memcmp(p, &word, n))
			return false;
		p += n;
		len -= n;
	}
	return true;
}

void *memory_alloc(size_t size)
{
	size_t align = size < 2 * MIB ? PAGE_4K : 2 * MIB, offset;
	char *raw, *mem;

	raw = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	mem = (char *)(((unsigned long)raw + align - 1) & ~(align - 1));
	/* What is left on both sides goes, so that munmap() of the rest frees all. */
	if (mem > raw)
		munmap(raw, mem - raw);
	munmap(mem + size, raw + align - mem);
	madvise(mem, size, MADV_HUGEPAGE);
	for (offset = 0; offset < size; offset += PAGE_4K)
		mem[offset] = 1;
	return mem;
}

void memory_free(void *mem, size_t size)
{
	munmap(mem, size);
}

__u64 physical_address(const void *mem)
{
	unsigned long page = sysconf(_SC_PAGESIZE), virtual = (unsigned long)mem;
	__u64 entry = 0;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), virtual / page * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	/* Bit 63 says present, bits 54:0 are the frame number. */
	if (!(entry >> 63))
		return 0;
	return (entry & ((1ULL << 55) - 1)) * page + virtual % page;
}

static sigjmp_buf faulted;

static void on_fault(int signal)
{
	siglongjmp(faulted, signal);
}

int signal_of(const __u64 *address)
{
	struct sigaction action = { .sa_handler = on_fault }, bus, segv;
	int raised;

	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGSEGV, &action, &segv);
	raised = sigsetjmp(faulted, 1);
	if (!raised)
		__atomic_load_n(address, __ATOMIC_SEQ_CST);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return raised;
}
