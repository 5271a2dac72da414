// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel reports of the guest's IOMMU without being asked. It is shown and
 * counted; a guest can cause much of it as often as it likes, so only the first few of
 * each kind are shown.
 */
#include "amd-viommu.h"
#include <linux/amd-viommu.h>
#include "qemu/error-report.h"
#include "qemu/main-loop.h"

#define MOST_SHOWN	5
#define READ_AT_ONCE	16
/*
 * Of reads for what waits: the kernel keeps less than that, and a device can cause events as fast
 * as they are read.
 */
#define MOST_READS	16
/* Of an event: the hardware has said nothing. */
#define CODE_UNKNOWN	0

static const char * const viommu_event_names[VIOMMU_EVENTS_KNOWN] = {
	[AMD_VIOMMU_EVENT_LOST] = "lost",
	[AMD_VIOMMU_EVENT_DEVICE] = "device",
	[AMD_VIOMMU_EVENT_QUEUE] = "queue",
	[AMD_VIOMMU_EVENT_HARDWARE] = "hardware",
	[AMD_VIOMMU_EVENT_DEVICE_LEFT] = "device-left",
	[AMD_VIOMMU_EVENT_IOMMU_GONE] = "iommu-gone",
	[AMD_VIOMMU_EVENT_HUSHED] = "hushed",
};

const char *viommu_event_name(unsigned int type)
{
	return viommu_event_names[type];
}

/* What has happened to a device of the guest. */
static void viommu_show_device(const struct amd_viommu_event *event, const char *what)
{
	error_report(TYPE_AMD_VIOMMU ": device %02x:%02x.%x of the guest %s", event->guest_id >> 8,
		     event->guest_id >> 3 & 31, event->guest_id & 7, what);
}

static void viommu_show(AmdViommu *s, const struct amd_viommu_event *event)
{
	g_autofree char *fault = NULL;

	switch (event->type) {
	case AMD_VIOMMU_EVENT_DEVICE:
		fault = g_strdup_printf("was refused 0x%" PRIx64 " by the host (event %u, flags 0x%03x)",
					(uint64_t)event->address, event->code, event->access);
		viommu_show_device(event, fault);
		break;
	case AMD_VIOMMU_EVENT_QUEUE:
		error_report(TYPE_AMD_VIOMMU ": %s", event->code == CODE_UNKNOWN ?
			     "the guest's queue has stopped, the host does not say why" :
			     "an error of the guest has stopped its queue");
		break;
	case AMD_VIOMMU_EVENT_HARDWARE:
		error_report(TYPE_AMD_VIOMMU ": the host's IOMMU failed for the guest (flags 0x%03x)",
			     event->access);
		error_printf("The queues of the guest's IOMMU rest until its driver starts over.\n");
		break;
	case AMD_VIOMMU_EVENT_DEVICE_LEFT:
		viommu_show_device(event, "was taken away");
		break;
	case AMD_VIOMMU_EVENT_HUSHED:
		viommu_show_device(event, "has caused too many events");
		break;
	case AMD_VIOMMU_EVENT_IOMMU_GONE:
		viommu_set_gone(s);
		break;
	}
}

/* Any record may tell of losses before it. That there are some is said once. */
static void viommu_take_losses(AmdViommu *s, const struct amd_viommu_event *event)
{
	bool overflow = event->flags & AMD_VIOMMU_EVENT_OVERFLOW;

	if (!event->lost && !overflow)
		return;
	viommu_count_lost(s, event->lost);
	if (overflow)
		viommu_count(s, &s->stats.overflows);
	if (!s->lossy)
		error_report(TYPE_AMD_VIOMMU ": reports of the kernel were lost (said once, counted as %s)",
			     overflow ? "events-overflows" : "events-lost");
	s->lossy = true;
}

static void viommu_take_unknown(AmdViommu *s, const struct amd_viommu_event *event)
{
	if (!s->stats.events_unknown.count)
		error_report(TYPE_AMD_VIOMMU ": the kernel reports what is not known here: type %u (said once, counted as event-unknown)",
			     event->type);
	viommu_count(s, &s->stats.events_unknown);
}

/*
 * Whether only VM_RESET may let the queues run again. A queue that was found stopped, and nobody
 * knows why, may have been stopped by a failure of which the host's log had no room to tell. Whether
 * this record has the flag for that says nothing: an earlier one of a device may have had it.
 */
static bool viommu_has_failed(const struct amd_viommu_event *event)
{
	switch (event->type) {
	case AMD_VIOMMU_EVENT_HARDWARE:
		return true;
	case AMD_VIOMMU_EVENT_QUEUE:
		return event->code == CODE_UNKNOWN;
	default:
		return false;
	}
}

static void viommu_take_known(AmdViommu *s, const struct amd_viommu_event *event)
{
	struct viommu_counter *counter = &s->stats.events[event->type];

	if (viommu_has_failed(event))
		s->failed = true;
	viommu_count(s, counter);
	/* It tells of losses only. */
	if (event->type == AMD_VIOMMU_EVENT_LOST)
		return;
	if (counter->count <= MOST_SHOWN)
		viommu_show(s, event);
	if (counter->count == MOST_SHOWN)
		error_report(TYPE_AMD_VIOMMU ": no more of these are shown (counted as event-%s)",
			     viommu_event_name(event->type));
}

static void viommu_take(AmdViommu *s, const struct amd_viommu_event *event)
{
	viommu_take_losses(s, event);
	if (event->type < VIOMMU_EVENTS_KNOWN)
		viommu_take_known(s, event);
	else
		viommu_take_unknown(s, event);
}

/* Records of a later version of the kernel are larger, and begin with the same words. */
static void viommu_take_all(AmdViommu *s, const uint8_t *records, size_t length)
{
	struct amd_viommu_event event;

	while (length >= sizeof(event)) {
		memcpy(&event, records, sizeof(event));
		viommu_take(s, &event);
		event.size = MAX(event.size, sizeof(event));
		if (event.size > length)
			return;
		records += event.size;
		length -= event.size;
	}
}

/* Whether more may wait. */
static bool viommu_read_some_events(AmdViommu *s)
{
	uint8_t records[READ_AT_ONCE * sizeof(struct amd_viommu_event)];
	ssize_t got = read(s->fd, records, sizeof(records));

	if (got < 0 && errno != EAGAIN && errno != EINTR) {
		error_report(TYPE_AMD_VIOMMU ": reading events: %s", strerror(errno));
		qemu_set_fd_handler(s->fd, NULL, NULL, NULL);
	}
	if (got > 0)
		viommu_take_all(s, records, got);
	return got > 0;
}

static void viommu_read_events(void *opaque)
{
	viommu_read_some_events(opaque);
}

/* For who must not decide by old news. */
void viommu_read_waiting_events(AmdViommu *s)
{
	unsigned int n;

	for (n = 0; s->opened && n < MOST_READS && viommu_read_some_events(s); n++)
		;
}

bool viommu_events_start(AmdViommu *s, Error **errp)
{
	g_autoptr(GError) err = NULL;

	if (!g_unix_set_fd_nonblocking(s->fd, true, &err)) {
		error_setg(errp, TYPE_AMD_VIOMMU ": %s", err->message);
		return false;
	}
	qemu_set_fd_handler(s->fd, viommu_read_events, NULL, s);
	return true;
}
