// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "util.h"

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	lseek(fd, 0, SEEK_END);
	return fd;
}

/* A record is "priority,sequence,time,flags;text\n" and continuation lines. */
bool kmsg_next(int fd, char *line, size_t len)
{
	char record[8192], *text, *end;
	ssize_t n;

	do {
		n = read(fd, record, sizeof(record) - 1);
		/* EPIPE: records were overwritten; go on with the oldest left. */
	} while (n < 0 && (errno == EPIPE || errno == EINTR));
	if (n <= 0)
		return false;
	record[n] = '\0';
	text = strchr(record, ';');
	text = text ? text + 1 : record;
	end = strchr(text, '\n');
	if (end)
		*end = '\0';
	snprintf(line, len, "%s", text);
	return true;
}

bool kmsg_wait(int fd, const char *text, char *line, size_t len, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;

	for (;;) {
		while (kmsg_next(fd, line, len)) {
			if (strstr(line, text))
				return true;
		}
		if (now_ms() > end)
			return false;
		sleep_ms(10);
	}
}

unsigned int kmsg_count(int fd, const char *text)
{
	char line[KMSG_LINE_MAX];
	unsigned int count = 0;

	while (kmsg_next(fd, line, sizeof(line)))
		count += strstr(line, text) != NULL;
	return count;
}

void kmsg_skip(int fd)
{
	lseek(fd, 0, SEEK_END);
}
