// SPDX-License-Identifier: GPL-2.0
/*
 * Fault reporting for the amd-iommu of QEMU 10.0, preloaded into the unpatched
 * binary.
 *
 * That device blocks what its page tables do not allow, but never writes an
 * event: its logging function returns at once, missing and forbidden leaf
 * entries are refused without calling it, and writes to the status register
 * are ignored. And once it has been on it looks interrupts up in the device
 * table even when it is off, that is, in memory that belongs to somebody else.
 * This object wraps two of the device's own functions, found through pointers
 * that QEMU keeps in writable memory:
 *
 *   translate()   of the IOMMU memory region's class: logs an IO_PAGE_FAULT for
 *                 each refused access, as the architecture describes it;
 *   write()       of the register region: write-1-to-clear bits of STATUS, and
 *                 no device table while CONTROL says off.
 *
 * Translation itself stays QEMU's. Layout offsets belong to 10.0.x; what
 * can be checked is checked, and QEMU ended when something does not fit.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's exported functions; attributes are one 8-byte value. */
void register_module_init(void (*fn)(void), int type);
void *object_class_by_name(const char *name);
uint64_t address_space_ldq_le(void *as, uint64_t addr, uint64_t attrs, void *result);
void address_space_stl_le(void *as, uint64_t addr, uint32_t val, uint64_t attrs, void *result);
extern char address_space_memory[];

#define MODULE_INIT_BLOCK	1	/* The first kind that is run after all types are known. */
#define IOMMU_TYPE		"amd-iommu"
#define CLASS_NAME		"amd-iommu-iommu-memory-region"
#define CLASS_TRANSLATE		96	/* offsetof(IOMMUMemoryRegionClass, translate) */
#define REGION_DEVFN		0x11f	/* From the region back to AMDVIAddressSpace. */
#define REGION_BUS		0x120
#define REGION_STATE		0x118
#define STATE_CONFIG		0x3e0	/* AMDVIState.pci.dev.config */
#define STATE_SEARCH		0x4000
#define ENTRY_PERM		32	/* offsetof(IOMMUTLBEntry, perm) */
#define OPS_SIZE		128

#define MMIO_BASE		0xfed80000
#define REG_DEVICE_TABLE	0x0000
#define REG_EVENT_BASE		0x0010
#define REG_CONTROL		0x0018
#define REG_FEATURES		0x0030
#define REG_EVENT_HEAD		0x2010
#define REG_EVENT_TAIL		0x2018
#define REG_STATUS		0x2020

#define CONTROL_ENABLE		(1 << 0)
#define CONTROL_EVENT_INT	(1 << 3)
#define STATUS_OVERFLOW		(1 << 0)
#define STATUS_EVENT_INT	(1 << 1)
#define STATUS_COMWAIT_INT	(1 << 2)
#define STATUS_EVENT_RUN	(1 << 3)
#define STATUS_CLEARABLE	(STATUS_OVERFLOW | STATUS_EVENT_INT | STATUS_COMWAIT_INT)

#define PERM_READ		1
#define PERM_WRITE		2
#define EVENT_IO_PAGE_FAULT	(2u << 28)
#define EVENT_PR		(1u << 20)
#define EVENT_RW		(1u << 21)
#define EVENT_PE		(1u << 22)

/* A notifier: the function, then a list node of two pointers. */
struct notifier {
	void (*notify)(struct notifier *notifier, void *data);
	void *node[2];
};

void qemu_add_machine_init_done_notifier(struct notifier *notifier);
void *object_resolve_path_type(const char *path, const char *type, _Bool *ambiguous);

typedef void *translate_fn(void *ret, void *region, uint64_t addr, int flag, int index);
typedef void write_fn(void *opaque, uint64_t addr, uint64_t data, unsigned int size);

static translate_fn *qemu_translate;
static write_fn *qemu_write;
static char *state;
static char *registers;
static uint64_t *table_length;
static uint64_t device_table;

static uint64_t get(unsigned int reg)
{
	uint64_t value;

	memcpy(&value, registers + reg, sizeof(value));
	return value;
}

static void set(unsigned int reg, uint64_t value)
{
	memcpy(registers + reg, &value, sizeof(value));
}

static void send_msi(void)
{
	uint8_t *config = *(uint8_t **)(state + STATE_CONFIG);
	unsigned int cap = config[0x34];
	uint64_t addr;
	uint16_t data;

	while (cap && config[cap] != 5)
		cap = config[cap + 1];
	if (!cap || !(config[cap + 2] & 1))
		return;
	memcpy(&addr, config + cap + 4, sizeof(addr));
	if (config[cap + 2] & 0x80) {
		memcpy(&data, config + cap + 12, sizeof(data));
	} else {
		addr &= 0xffffffff;
		memcpy(&data, config + cap + 8, sizeof(data));
	}
	address_space_stl_le(address_space_memory, addr, data, 0, NULL);
}

/* An interrupt announces that a status bit went from 0 to 1. */
static void raise_status(uint64_t bits)
{
	uint64_t old = get(REG_STATUS);

	set(REG_STATUS, old | bits);
	if ((bits & ~old) && (get(REG_CONTROL) & CONTROL_EVENT_INT))
		send_msi();
}

static void log_event(uint32_t dw0, uint32_t dw1, uint64_t addr)
{
	uint64_t base = get(REG_EVENT_BASE), size, tail, next, at;

	if (!(get(REG_STATUS) & STATUS_EVENT_RUN))
		return;
	size = 16ULL << ((base >> 56) & 0xf);
	tail = get(REG_EVENT_TAIL) & 0x7fff0;
	next = (tail + 16) % size;
	if (next == (get(REG_EVENT_HEAD) & 0x7fff0)) {
		set(REG_STATUS, get(REG_STATUS) & ~STATUS_EVENT_RUN);
		raise_status(STATUS_OVERFLOW);
		return;
	}
	at = (base & 0xffffffffff000) + tail;
	address_space_stl_le(address_space_memory, at, dw0, 0, NULL);
	address_space_stl_le(address_space_memory, at + 4, dw1, 0, NULL);
	address_space_stl_le(address_space_memory, at + 8, addr, 0, NULL);
	address_space_stl_le(address_space_memory, at + 12, addr >> 32, 0, NULL);
	set(REG_EVENT_TAIL, next);
	raise_status(STATUS_EVENT_INT);
}

static void require(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "amdvi-events: this QEMU is built differently: %s\n", what);
	exit(1);
}

static uint64_t read_register(unsigned int reg)
{
	return address_space_ldq_le(address_space_memory, MMIO_BASE + reg, 0, NULL);
}

/* Finds the register file by what it must contain at this moment. */
static char *find_registers(void)
{
	uint64_t control = read_register(REG_CONTROL), features = read_register(REG_FEATURES);
	uint64_t table = read_register(REG_DEVICE_TABLE);
	unsigned int offset;

	for (offset = 0; offset < STATE_SEARCH; offset += 1) {
		registers = state + offset;
		if (get(REG_CONTROL) == control && get(REG_FEATURES) == features &&
		    get(REG_DEVICE_TABLE) == table)
			return registers;
	}
	return NULL;
}

/* The features, by which the file is found, are there from the first reset on. */
static void need_registers(void)
{
	if (!registers)
		registers = find_registers();
	require(registers != NULL, "no register file");
}

/* QEMU's copy of the device table's length stands behind its copy of the address. */
static void find_table_length(void)
{
	uint64_t base = device_table & 0xffffffffff000;
	uint64_t *slot;

	for (slot = (uint64_t *)state; slot < (uint64_t *)(state + STATE_SEARCH); slot++) {
		if (slot[0] == base && slot[1] == ((device_table & 0x1ff) + 1) * 128) {
			table_length = slot + 1;
			return;
		}
	}
	require(0, "no device table");
}

/*
 * Interrupts are looked up in the device table even while the IOMMU is off,
 * unless the table has no length. The memory belongs to somebody else then.
 */
static void follow_enable(uint64_t control)
{
	if (!device_table)
		return;
	if (!table_length)
		find_table_length();
	*table_length = 0;
	if (control & CONTROL_ENABLE)
		*table_length = ((device_table & 0x1ff) + 1) * 128;
}

static void write_register(void *opaque, uint64_t addr, uint64_t data, unsigned int size)
{
	uint64_t keep = size == 8 ? ~0ULL : (1ULL << (8 * size)) - 1;

	/* Registers are looked for outside of an access to one. Until then there is no event. */
	if (registers && (addr & ~7ULL) == REG_STATUS) {
		data = (data & keep) << (8 * (addr & 7));
		set(REG_STATUS, get(REG_STATUS) & ~(data & STATUS_CLEARABLE));
		return;
	}
	qemu_write(opaque, addr, data, size);
	if (addr == REG_DEVICE_TABLE && size == 8)
		device_table = data;
	if (addr == REG_CONTROL)
		follow_enable(data);
	/* A new log starts empty. */
	if (registers && (addr & ~7ULL) == REG_EVENT_BASE) {
		set(REG_EVENT_HEAD, 0);
		set(REG_EVENT_TAIL, 0);
	}
}

/* The fields before them are small numbers or the device again. */
static int is_operations(char *pointer)
{
	return pointer != state && (uintptr_t)pointer > 0x10000;
}

/* Operations, argument and, some fields on, the address of a region. */
static int lies_at(char **slot, uint64_t addr)
{
	unsigned int i;

	for (i = 2; i < 16; i++) {
		if ((uint64_t)slot[i] == addr)
			return 1;
	}
	return 0;
}

/* The register region names its operations, then the device as their argument. */
static void hook_writes(void)
{
	static char ops_copy[OPS_SIZE] __attribute__((aligned(16)));
	char **slot;

	for (slot = (char **)state; slot < (char **)(state + STATE_SEARCH); slot++) {
		if (slot[1] != state || !is_operations(slot[0]) || !lies_at(slot, MMIO_BASE))
			continue;
		memcpy(ops_copy, slot[0], OPS_SIZE);
		memcpy(&qemu_write, ops_copy + 8, sizeof(qemu_write));
		*(write_fn **)(ops_copy + 8) = write_register;
		slot[0] = ops_copy;
		return;
	}
	require(0, "no register region");
}

static uint32_t domain_of(unsigned int devid)
{
	uint64_t table = get(REG_DEVICE_TABLE) & 0xffffffffff000;

	return address_space_ldq_le(address_space_memory, table + devid * 32 + 8, 0, NULL) & 0xffff;
}

static void *translate(void *ret, void *region, uint64_t addr, int flag, int index)
{
	unsigned int devid, perm;
	uint32_t dw1;

	qemu_translate(ret, region, addr, flag, index);
	memcpy(&perm, (char *)ret + ENTRY_PERM, sizeof(perm));
	if ((perm & flag) == (unsigned int)flag)
		return ret;
	require(state == *(char **)((char *)region - REGION_STATE), "no IOMMU behind a region");
	need_registers();
	devid = *((uint8_t *)region - REGION_BUS) << 8 | *((uint8_t *)region - REGION_DEVFN);
	dw1 = EVENT_IO_PAGE_FAULT | domain_of(devid);
	if (flag & PERM_WRITE)
		dw1 |= EVENT_RW;
	if (perm)
		dw1 |= EVENT_PR | EVENT_PE;
	log_event(devid, dw1, addr);
	return ret;
}

/* Everything has its address, and nothing runs yet. */
static void machine_done(struct notifier *notifier, void *data)
{
	(void)notifier;
	(void)data;
	state = object_resolve_path_type("", IOMMU_TYPE, NULL);
	if (!state)
		return;
	hook_writes();
}

static void init(void)
{
	static struct notifier done = { machine_done, { NULL, NULL } };
	char *class = object_class_by_name(CLASS_NAME);
	translate_fn **slot;

	require(class != NULL, "no " CLASS_NAME);
	slot = (translate_fn **)(class + CLASS_TRANSLATE);
	qemu_translate = *slot;
	*slot = translate;
	qemu_add_machine_init_done_notifier(&done);
}

__attribute__((constructor)) static void preload(void)
{
	register_module_init(init, MODULE_INIT_BLOCK);
}
