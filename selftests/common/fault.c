// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "util.h"

#define FAULT_TIMEOUT_MS	3000

static const struct {
	const char *name;
	unsigned int bit;
} flag_names[] = {
	{ "GN", FAULT_GN }, { "NX", FAULT_NX }, { "US", FAULT_US },
	{ "I", FAULT_I },   { "PR", FAULT_PR }, { "RW", FAULT_RW },
	{ "PE", FAULT_PE }, { "RZ", FAULT_RZ }, { "TR", FAULT_TR },
};

/* Flags are a number (built-in driver) or names in brackets (amd_viommu). */
static unsigned int parse_flags(const char *text)
{
	unsigned int flags = 0, i;
	size_t len;

	if (*text != '[')
		return strtoul(text, NULL, 16);
	text++;
	for (;;) {
		text += strspn(text, " ");
		len = strcspn(text, " ]");
		if (!len)
			return flags;
		for (i = 0; i < ARRAY_SIZE(flag_names); i++) {
			if (strlen(flag_names[i].name) == len &&
			    !strncmp(flag_names[i].name, text, len))
				flags |= flag_names[i].bit;
		}
		text += len;
	}
}

static bool looks_like_device(const char *text)
{
	return strlen(text) >= 12 && text[4] == ':' && text[7] == ':' && text[10] == '.';
}

/* device=... if the line has it, or else the device that dev_err() put in front. */
static bool parse_device(const char *line, char *device)
{
	const char *p = strstr(line, "device=");

	if (p)
		p += strlen("device=");
	else
		for (p = line; *p && !looks_like_device(p); p++)
			;
	if (!looks_like_device(p))
		return false;
	snprintf(device, PCI_NAME_LEN, "%.12s", p);
	return true;
}

bool fault_parse(const char *line, struct fault *fault)
{
	const char *address, *flags;

	if (!strstr(line, "IO_PAGE_FAULT"))
		return false;
	address = strstr(line, "address=");
	flags = strstr(line, "flags=");
	if (!address || !flags || !parse_device(line, fault->device))
		return false;
	fault->address = strtoull(address + strlen("address="), NULL, 16);
	fault->flags = parse_flags(flags + strlen("flags="));
	snprintf(fault->line, sizeof(fault->line), "%s", line);
	return true;
}

bool fault_wait(int kmsg, struct fault *fault, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;
	char line[KMSG_LINE_MAX];

	for (;;) {
		while (kmsg_next(kmsg, line, sizeof(line))) {
			if (fault_parse(line, fault))
				return true;
		}
		if (now_ms() > end)
			return false;
		sleep_ms(10);
	}
}

bool fault_wait_at(int kmsg, struct fault *fault, const char *device,
		   __u64 address, __u64 size, unsigned int timeout_ms)
{
	__u64 end = now_ms() + timeout_ms;

	while (now_ms() <= end && fault_wait(kmsg, fault, timeout_ms)) {
		if (!strcmp(fault->device, device) &&
		    fault->address - address < size)
			return true;
	}
	return false;
}

bool fault_flags_ok(const struct fault *fault, bool write, bool present)
{
	unsigned int expected = (write ? FAULT_RW : 0) | (present ? FAULT_PR | FAULT_PE : 0);

	return (fault->flags & (FAULT_RW | FAULT_PR | FAULT_PE)) == expected;
}

bool faults_reported(void)
{
	char cmdline[4096];

	return file_read("/proc/cmdline", cmdline, sizeof(cmdline)) < 0 ||
	       !strstr(cmdline, "viommu.faults=0");
}

const char *fault_check(int kmsg, const char *device, __u64 address, __u64 size,
			bool write, bool present)
{
	static char reason[KMSG_LINE_MAX + 64];
	struct fault fault;

	if (!faults_reported())
		return "";
	if (!fault_wait_at(kmsg, &fault, device, address, size, FAULT_TIMEOUT_MS))
		return "no IO_PAGE_FAULT line of this device and address";
	if (fault_flags_ok(&fault, write, present))
		return "";
	snprintf(reason, sizeof(reason), "wrong flags: %s", fault.line);
	return reason;
}
