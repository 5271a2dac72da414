/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of -device amd-viommu know of each other. */
#ifndef AMD_VIOMMU_H
#define AMD_VIOMMU_H

#include "qemu/osdep.h"
#include "qemu/event_notifier.h"
#include "qemu/notify.h"
#include "qemu/thread.h"
#include "exec/memory.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_device.h"
#include "qom/object.h"

#define TYPE_AMD_VIOMMU		"amd-viommu"
OBJECT_DECLARE_SIMPLE_TYPE(AmdViommu, AMD_VIOMMU)

#define VIOMMU_CAP		0x40
#define VIOMMU_WINDOW		0x4000
#define VIOMMU_PAGE		0x1000

/* Registers that mean something here, too. */
enum viommu_register {
	VIOMMU_TABLE = 0x00,
	VIOMMU_COMMANDS = 0x08,
	VIOMMU_EVENTS = 0x10,
	VIOMMU_CONTROL = 0x18,
	VIOMMU_REGISTERS = 0x20,
};

#define VIOMMU_CALLS		12
/* Types of events. */
#define VIOMMU_EVENTS_KNOWN	7

struct viommu_counter {
	uint64_t count;
	/* Milliseconds since 1970. */
	int64_t first;
	int64_t last;
};

/* A register has a counter up to 1FFh, the others share the last one. */
#define VIOMMU_COUNTED		0x41

struct viommu_stats {
	QemuMutex lock;
	struct viommu_counter calls[VIOMMU_CALLS];
	struct viommu_counter reads[VIOMMU_COUNTED];
	struct viommu_counter writes[VIOMMU_COUNTED];
	/* Sums of all calls, and of reads and writes. */
	struct viommu_counter all_calls;
	struct viommu_counter traps;
	/* First writes of the guest to pages of its device table. */
	struct viommu_counter faults;
	/* Queues that ran again because the guest had announced what it wrote, or did not in time. */
	struct viommu_counter announced;
	struct viommu_counter unannounced;
	/* For how long queues did not run, in microseconds. */
	uint64_t stopped_us;
	uint64_t longest_stop_us;
	struct viommu_counter attached;
	struct viommu_counter blocked;
	struct viommu_counter detached;
	/* What VFIO has to map, or no longer. */
	struct viommu_counter mapped;
	/* What may have been failures of the host's IOMMU for the guest, repaired without its reset. */
	struct viommu_counter repaired;
	/* Interrupts of the guest's IOMMU that KVM has not sent. */
	struct viommu_counter sent;
	/*
	 * What the kernel reports, what of that nobody here knows, what it could not report, and how
	 * often the hardware could not.
	 */
	struct viommu_counter events[VIOMMU_EVENTS_KNOWN];
	struct viommu_counter events_unknown;
	uint64_t events_lost;
	struct viommu_counter overflows;
};

/* A device behind the IOMMU. */
struct viommu_device {
	/* The address of the host's device, for people and as the node wants it. */
	char *name;
	uint32_t host;
	int group_fd;
	uint16_t guest_id;
	/* The guest's entry that was looked at last, if there was one. */
	uint64_t entry[4];
	bool known;
	/* Blocked, because the guest may not have written all of its entry. */
	bool pending;
	/* The user has been told that the guest asks for version 1 page tables. */
	bool told;
};

/* The guest's device table. All of it is protected by the lock. */
struct viommu_table {
	QemuMutex lock;
	QemuThread thread;
	int uffd;
	/* The table, and its size; NULL while the guest's IOMMU is off or the table is not in RAM. */
	uint8_t *entries;
	uint64_t size;
	/* The pages around it that are watched. */
	uint8_t *watched;
	uint64_t watched_size;
	MemoryRegion *mr;
	/* The guest's queues do not run, because it writes to the table. */
	bool stopped;
	/* They run, but a device is pending. */
	bool pending;
	/*
	 * The tail of the command buffer when the first of these began, since when queues do not
	 * run, and until when one of these lasts at most.
	 */
	uint32_t tail;
	int64_t since;
	int64_t deadline;
	/* The guest's registers, as it wrote them. */
	uint64_t registers[VIOMMU_REGISTERS / 8];
};

struct AmdViommu {
	PCIDevice parent_obj;

	/* Properties. */
	PCIHostDeviceAddress host;
	char *device_ids;
	char *stats_path;
	uint64_t mmio;

	int fd;
	uint32_t handle;
	uint32_t host_id;
	char host_name[16];
	uint64_t efr;
	uint64_t efr2;
	/* Bits of errors that have been reported, for each call. */
	uint64_t reported[VIOMMU_CALLS];
	bool opened;
	/* The host's IOMMU does not exist any more, and how often the guest may be resumed for that. */
	bool gone;
	unsigned int resumes;
	/*
	 * It has failed for the guest, or may have, and not been reset since; reports were lost.
	 * Protected by the big lock.
	 */
	bool failed;
	bool lossy;

	/* Signalled for the interrupts of the guest's IOMMU, if there are any. */
	EventNotifier interrupt;
	bool interrupts;
	/* KVM's route to the guest's MSI, or -1, and what it sends; a property: there is to be none. */
	int route;
	MSIMessage routed;
	bool no_kvm_msi;

	MemoryRegion window;
	MemoryRegion registers;
	MemoryRegion vf_region;
	uint64_t *vf_page;

	/* struct viommu_device */
	GArray *devices;
	struct viommu_table table;
	struct viommu_stats stats;
	Notifier ready;
	Notifier exit;
};

/* kernel.c: /dev/amd-viommu. All return 0 or a negative errno; all but _open may be called from any thread. */
bool viommu_open(AmdViommu *s, Error **errp);
bool viommu_init_vm(AmdViommu *s, const struct viommu_device *first, Error **errp);
int viommu_reset_vm(AmdViommu *s);
int viommu_run(AmdViommu *s, bool run);
int viommu_attach_device(AmdViommu *s, const struct viommu_device *device);
int viommu_attach_entry(AmdViommu *s, uint16_t guest_id, const uint64_t entry[4]);
void viommu_detach_entry(AmdViommu *s, uint16_t guest_id);
uint64_t viommu_read_register(AmdViommu *s, uint32_t offset, unsigned int size);
void viommu_write_register(AmdViommu *s, uint32_t offset, unsigned int size, uint64_t value);
void viommu_map_queue(AmdViommu *s, uint32_t queue, uint64_t address, uint64_t length);
int viommu_set_eventfd(AmdViommu *s, int fd);
const char *viommu_call_name(unsigned int number);

/* space.c: the memory that VFIO devices see. */
bool viommu_setup_space(AmdViommu *s, PCIBus *root, Error **errp);
AddressSpace *viommu_space(void);

/* devices.c: which devices are behind the IOMMU. */
bool viommu_find_devices(AmdViommu *s, Error **errp);
bool viommu_may_join(AmdViommu *s, PCIBus *bus, int devfn, Error **errp);

/* ivrs.c: what firmware says of the IOMMU. */
bool viommu_add_ivrs(AmdViommu *s, Error **errp);

/* registers.c: the guest's register window. */
bool viommu_place_window(AmdViommu *s, Error **errp);
void viommu_place_vf_page(AmdViommu *s);

/*
 * gone.c: what happens when the host's IOMMU goes. Reads are for threads that are prepared for
 * them; false: it has gone.
 */
void viommu_expect_going(AmdViommu *s);
void viommu_prepare_reads(void);
bool viommu_read_tail(AmdViommu *s, uint32_t *tail);
void viommu_set_gone(AmdViommu *s);
bool viommu_is_gone(AmdViommu *s);

/* events.c: what the kernel reports. With the big lock held. */
bool viommu_events_start(AmdViommu *s, Error **errp);
void viommu_read_waiting_events(AmdViommu *s);
const char *viommu_event_name(unsigned int type);

/* interrupts.c: the interrupt of the guest's IOMMU. */
bool viommu_interrupts_start(AmdViommu *s, Error **errp);
void viommu_update_interrupt(AmdViommu *s);

/* watch.c: notices that the guest writes to its device table. All with the table's lock held. */
bool viommu_watch_start(AmdViommu *s, Error **errp);
void viommu_watch(AmdViommu *s);
void viommu_unwatch(AmdViommu *s);
void viommu_let_run(AmdViommu *s);

/* table.c: what the guest's device table says. All with the table's lock held. */
void viommu_table_enable(AmdViommu *s);
void viommu_table_disable(AmdViommu *s);
void viommu_table_block(AmdViommu *s);
bool viommu_table_compare(AmdViommu *s, bool coherent);
bool viommu_table_settled(AmdViommu *s, uint32_t from, uint32_t to);

/* RAM of the guest, or NULL if a part of it is something else; holds a reference on @mr. */
void *viommu_ram(uint64_t address, uint64_t size, MemoryRegion **mr);

/* stats.c: counters. */
void viommu_count(AmdViommu *s, struct viommu_counter *counter);
void viommu_count_call(AmdViommu *s, unsigned int number);
void viommu_count_trap(AmdViommu *s, uint64_t offset, bool is_write);
void viommu_count_stop(AmdViommu *s, uint64_t us);
void viommu_count_lost(AmdViommu *s, uint64_t events);
void viommu_write_stats(AmdViommu *s, Error **errp);

#endif
