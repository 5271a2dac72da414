/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel log from a chosen moment on. */
#ifndef VIOMMU_KMSG_H
#define VIOMMU_KMSG_H

#include <stdbool.h>
#include <stddef.h>

#define KMSG_LINE_MAX	1024

/* Opens the log behind its last line. Returns a file descriptor. */
int kmsg_open(void);
/* Next line, if there is one now. */
bool kmsg_next(int fd, char *line, size_t len);
/* Next line that contains the text; waits up to timeout_ms for it. */
bool kmsg_wait(int fd, const char *text, char *line, size_t len, unsigned int timeout_ms);
/* Counts the lines until now that contain the text. */
unsigned int kmsg_count(int fd, const char *text);
/* Skips what is there now. */
void kmsg_skip(int fd);

#endif
