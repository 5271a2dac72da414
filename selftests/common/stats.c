// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"
#include "util.h"

static void debugfs_path(char *buf, size_t len, const char *file)
{
	snprintf(buf, len, VIOMMU_DEBUGFS "/ivhd0/%s", file);
}

int debugfs_read(const char *file, char *buf, size_t len)
{
	char path[128];

	debugfs_path(path, sizeof(path), file);
	return file_read(path, buf, len);
}

int debugfs_write(const char *file, const char *text)
{
	char path[128];

	debugfs_path(path, sizeof(path), file);
	return file_write(path, text);
}

long long stats_read(const char *name)
{
	size_t len = strlen(name);
	char buf[4096], *line;
	int ret;

	ret = debugfs_read("stats", buf, sizeof(buf));
	if (ret < 0)
		return ret;
	for (line = buf; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && line[len] == ' ')
			return strtoll(line + len, NULL, 10);
	}
	return -ENODATA;
}
