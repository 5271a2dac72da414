// SPDX-License-Identifier: GPL-2.0
/*
 * -device amd-viommu-hw: an AMD IOMMU with HW-vIOMMU, which is the model behind
 * model.h. This file only wires it to QEMU: a PCI function, register windows, an
 * address space for each device, interrupts and time.
 *
 * The function may sit on any express root bus; it translates the devices below the
 * root bus named by root=, which is its own bus without that property. Bus
 * numbers are those that software has given at the time of a request.
 *
 * Properties beside those below: the settings of the model (src/settings.rs). At
 * run time qom-set takes "stall", "trace" and "stats", and "dump-stats" writes the
 * statistics, which are also written when QEMU ends.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "hw/i386/e820_memory_layout.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_bus.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "system/system.h"
#include "amd-viommu-hw.h"

#define TYPE_AMD_VIOMMU_HW	"amd-viommu-hw"
#define TYPE_AMD_VIOMMU_REGION	"amd-viommu-hw-memory-region"
OBJECT_DECLARE_SIMPLE_TYPE(AmdViommuHw, AMD_VIOMMU_HW)

#define DEVICE_ID		0x14a8
#define CLASS_ID_IOMMU		0x0806
#define CAP_ID_IOMMU		0x0f
#define CAP_IOMMU		0x40
#define CAP_MSI			0x64
#define CAP_VENDOR		0x78
#define CAP_SIZE		0x18

/*
 * Where firmware would put the windows. 64-bit BARs are placed above RAM from below;
 * the apertures are far up, below the HyperTransport range.
 */
#define MMIO_BASE		0xfed80000ULL
#define MMIO_SIZE		0x4000ULL
#define VF_BASE			0xfc00000000ULL
#define VF_SIZE			0x10000000ULL
#define VF_CONTROL_BASE		0xfc10000000ULL
#define VF_CONTROL_SIZE		0x400000ULL
#define VF_STRIDE		0x20000000ULL

#define ERROR_SIZE		256

struct viommu_window_region {
	MemoryRegion region;
	AmdViommuHw *viommu;
	enum viommu_window window;
};

/* The address space of the devices that share a requester ID. */
struct viommu_space {
	IOMMUMemoryRegion region;
	AddressSpace as;
	AmdViommuHw *viommu;
	PCIBus *bus;
	int devfn;
};

struct AmdViommuHw {
	PCIDevice parent_obj;

	char *root;
	uint64_t mmio;
	struct viommu_model *model;
	struct viommu_window_region windows[VIOMMU_WINDOWS];
	QEMUTimer *timer;
	QEMUBH *bh;
	Notifier exit;
};

/* All spaces of all IOMMUs, for devices that look for theirs. */
static GPtrArray *viommu_spaces;

/*
 * What the model sees of the machine.
 */

/* RAM at an address, or NULL. Within an RCU critical section. */
static void *viommu_ram(uint64_t addr, size_t len, bool is_write,
			MemoryRegion **mr, hwaddr *offset)
{
	hwaddr left = len;

	*mr = address_space_translate(&address_space_memory, addr, offset, &left,
				      is_write, MEMTXATTRS_UNSPECIFIED);
	if (left < len || !memory_access_is_direct(*mr, is_write, MEMTXATTRS_UNSPECIFIED))
		return NULL;
	return (uint8_t *)memory_region_get_ram_ptr(*mr) + *offset;
}

/*
 * Hardware reads a table entry as one access, copying does not: so copy until the
 * same comes out twice. A processor that never stops writing gets what it deserves.
 */
static void viommu_copy(void *buf, const void *ram, size_t len)
{
	uint8_t again[64];
	unsigned int tries;

	memcpy(buf, ram, len);
	if (len > sizeof(again))
		return;
	for (tries = 0; tries < 16; tries++) {
		/* The second look is a new one. */
		smp_rmb();
		memcpy(again, ram, len);
		if (!memcmp(buf, again, len))
			return;
		memcpy(buf, again, len);
	}
}

bool viommu_memory_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	MemoryRegion *mr;
	hwaddr offset;
	void *ram;

	RCU_READ_LOCK_GUARD();
	ram = viommu_ram(addr, len, false, &mr, &offset);
	if (!ram)
		return false;
	if (len == 8 && !(addr & 7))
		*(uint64_t *)buf = qatomic_read((uint64_t *)ram);
	else
		viommu_copy(buf, ram, len);
	return true;
}

bool viommu_memory_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
	MemoryRegion *mr;
	hwaddr offset;

	RCU_READ_LOCK_GUARD();
	if (!viommu_ram(addr, len, true, &mr, &offset))
		return false;
	return address_space_write(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED,
				   buf, len) == MEMTX_OK;
}

bool viommu_memory_exchange(void *opaque, uint64_t addr, uint64_t old,
			    uint64_t new, uint64_t *found)
{
	MemoryRegion *mr;
	hwaddr offset;
	uint64_t *ram;

	RCU_READ_LOCK_GUARD();
	ram = viommu_ram(addr, sizeof(*ram), true, &mr, &offset);
	if (!ram || (addr & 7))
		return false;
	*found = le64_to_cpu(qatomic_cmpxchg(ram, cpu_to_le64(old), cpu_to_le64(new)));
	memory_region_set_dirty(mr, offset, sizeof(*ram));
	return true;
}

static uint64_t viommu_now(void *opaque)
{
	return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void viommu_wake(void *opaque, uint64_t time)
{
	AmdViommuHw *s = opaque;

	timer_mod(s->timer, time);
}

/*
 * Interrupts are sent as they are: Linux never makes the function a bus master, and
 * they are not remapped.
 */
static void viommu_send(AmdViommuHw *s, const struct viommu_interrupt *interrupt)
{
	PCIDevice *dev = PCI_DEVICE(s);
	MSIMessage msg = { interrupt->address, interrupt->data };

	if (!interrupt->is_message) {
		if (!msi_enabled(dev))
			return;
		msg = msi_get_message(dev, interrupt->number % msi_nr_vectors_allocated(dev));
	}
	address_space_stl_le(&address_space_memory, msg.address, msg.data,
			     MEMTXATTRS_UNSPECIFIED, NULL);
}

static void viommu_deliver(void *opaque)
{
	AmdViommuHw *s = opaque;
	struct viommu_interrupt interrupt;

	while (viommu_model_interrupt(s->model, &interrupt))
		viommu_send(s, &interrupt);
}

/* Follows every call of the model. Some devices do DMA without the big lock. */
static void viommu_settle(AmdViommuHw *s)
{
	if (bql_locked())
		viommu_deliver(s);
	else
		qemu_bh_schedule(s->bh);
}

static void viommu_timer(void *opaque)
{
	AmdViommuHw *s = opaque;

	viommu_model_run(s->model);
	viommu_settle(s);
}

/*
 * Registers.
 */

static uint64_t viommu_window_read(void *opaque, hwaddr addr, unsigned int size)
{
	struct viommu_window_region *window = opaque;
	uint64_t value;

	value = viommu_model_read(window->viommu->model, window->window, addr, size);
	viommu_settle(window->viommu);
	return value;
}

static void viommu_window_write(void *opaque, hwaddr addr, uint64_t value,
				unsigned int size)
{
	struct viommu_window_region *window = opaque;

	viommu_model_write(window->viommu->model, window->window, addr, size, value);
	viommu_settle(window->viommu);
}

/* The model judges widths and alignment. */
static const MemoryRegionOps viommu_window_ops = {
	.read = viommu_window_read,
	.write = viommu_window_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
	.impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static bool viommu_place_window(AmdViommuHw *s, enum viommu_window number,
				uint64_t base, uint64_t size, Error **errp)
{
	static const char * const names[] = { "mmio", "vf", "vf-control" };
	struct viommu_window_region *window = &s->windows[number];
	MemoryRegionSection there;

	there = memory_region_find(get_system_memory(), base, size);
	if (there.mr) {
		error_setg(errp, "%s=0x%" PRIx64 ": '%s' is there already", names[number],
			   base, memory_region_name(there.mr));
		memory_region_unref(there.mr);
		return false;
	}
	window->viommu = s;
	window->window = number;
	memory_region_init_io(&window->region, OBJECT(s), &viommu_window_ops, window,
			      names[number], size);
	memory_region_add_subregion(get_system_memory(), base, &window->region);
	e820_add_entry(base, size, E820_RESERVED);
	return true;
}

/*
 * Requests of devices.
 */

static uint16_t viommu_requester(const struct viommu_space *space)
{
	return PCI_BUILD_BDF(pci_bus_num(space->bus), space->devfn);
}

bool viommu_space_translate(struct viommu_space *space,
			    struct viommu_request *request,
			    struct viommu_translation *out)
{
	bool forward;

	request->requester = viommu_requester(space);
	forward = viommu_model_translate(space->viommu->model, request, out);
	viommu_settle(space->viommu);
	return forward;
}

static enum viommu_access viommu_access_of(IOMMUAccessFlags flag)
{
	switch (flag) {
	case IOMMU_RW:
		return VIOMMU_READ_WRITE;
	case IOMMU_WO:
		return VIOMMU_WRITE;
	default:
		return VIOMMU_READ;
	}
}

/*
 * Interrupts of devices come this way too: what the model forwards to
 * FEE0_0000h-FEEF_FFFFh reaches the local APICs through system memory.
 */
static IOMMUTLBEntry viommu_region_translate(IOMMUMemoryRegion *region, hwaddr addr,
					     IOMMUAccessFlags flag, int index)
{
	struct viommu_space *space = container_of(region, struct viommu_space, region);
	struct viommu_request request = { .address = addr, .access = viommu_access_of(flag) };
	struct viommu_translation out;
	IOMMUTLBEntry entry = {
		.target_as = &address_space_memory,
		.iova = addr & ~0xfffULL,
		.translated_addr = addr & ~0xfffULL,
		.addr_mask = 0xfff,
		.perm = IOMMU_NONE,
	};

	/* Somebody who only looks does no access. */
	if (flag == IOMMU_NONE || !viommu_space_translate(space, &request, &out))
		return entry;
	entry.iova = addr & ~out.mask;
	entry.translated_addr = out.address & ~out.mask;
	entry.addr_mask = out.mask;
	entry.perm = IOMMU_ACCESS_FLAG(out.read, out.write);
	return entry;
}

static int viommu_region_notify(IOMMUMemoryRegion *region, IOMMUNotifierFlag old,
				IOMMUNotifierFlag new, Error **errp)
{
	if (new == IOMMU_NOTIFIER_NONE)
		return 0;
	error_setg(errp, TYPE_AMD_VIOMMU_HW " does not tell anybody of changes: no VFIO or vhost");
	return -EINVAL;
}

static struct viommu_space *viommu_new_space(AmdViommuHw *s, PCIBus *bus, int devfn)
{
	struct viommu_space *space = g_new0(struct viommu_space, 1);
	char name[32];

	snprintf(name, sizeof(name), TYPE_AMD_VIOMMU_HW "-%02x.%x", PCI_SLOT(devfn),
		 PCI_FUNC(devfn));
	space->viommu = s;
	space->bus = bus;
	space->devfn = devfn;
	memory_region_init_iommu(&space->region, sizeof(space->region),
				 TYPE_AMD_VIOMMU_REGION, OBJECT(s), name, UINT64_MAX);
	address_space_init(&space->as, MEMORY_REGION(&space->region), name);
	g_ptr_array_add(viommu_spaces, space);
	return space;
}

/* The bus, not its number: numbers are given later, and change. */
static AddressSpace *viommu_address_space(PCIBus *bus, void *opaque, int devfn)
{
	AmdViommuHw *s = opaque;
	struct viommu_space *space;
	unsigned int i;

	/* An IOMMU's own requests are not translated. */
	if (bus->devices[devfn] &&
	    object_dynamic_cast(OBJECT(bus->devices[devfn]), TYPE_AMD_VIOMMU_HW))
		return &address_space_memory;
	for (i = 0; i < viommu_spaces->len; i++) {
		space = g_ptr_array_index(viommu_spaces, i);
		if (space->viommu == s && space->bus == bus && space->devfn == devfn)
			return &space->as;
	}
	return &viommu_new_space(s, bus, devfn)->as;
}

static const PCIIOMMUOps viommu_ops = {
	.get_address_space = viommu_address_space,
};

struct viommu_space *viommu_space_of(PCIDevice *dev)
{
	AddressSpace *as = pci_device_iommu_address_space(dev);
	struct viommu_space *space;
	unsigned int i;

	for (i = 0; viommu_spaces && i < viommu_spaces->len; i++) {
		space = g_ptr_array_index(viommu_spaces, i);
		if (&space->as == as)
			return space;
	}
	return NULL;
}

/*
 * The device.
 */

static const struct viommu_machine viommu_machine = {
	.read = viommu_memory_read,
	.write = viommu_memory_write,
	.compare_exchange = viommu_memory_exchange,
	.now = viommu_now,
	.wake = viommu_wake,
};

/* The next pointer, which pci_add_capability has set, stays. */
static bool viommu_add_capability(PCIDevice *dev, uint8_t id, uint8_t offset,
				  const uint32_t words[6], Error **errp)
{
	uint8_t *config = dev->config + offset;
	unsigned int i;

	if (pci_add_capability(dev, id, offset, CAP_SIZE, errp) < 0)
		return false;
	pci_set_word(config + 2, words[0] >> 16);
	for (i = 1; i < CAP_SIZE / 4; i++)
		pci_set_long(config + 4 * i, words[i]);
	return true;
}

static bool viommu_add_capabilities(AmdViommuHw *s, Error **errp)
{
	PCIDevice *dev = PCI_DEVICE(s);
	uint32_t words[CAP_SIZE / 4];

	viommu_model_capability(s->model, s->mmio, words);
	if (!viommu_add_capability(dev, CAP_ID_IOMMU, CAP_IOMMU, words, errp))
		return false;
	if (msi_init(dev, CAP_MSI, 1, true, false, errp) < 0)
		return false;
	return !viommu_model_vendor_specific(s->model, words) ||
	       viommu_add_capability(dev, PCI_CAP_ID_VNDR, CAP_VENDOR, words, errp);
}

static bool viommu_set(AmdViommuHw *s, const char *name, const char *value, Error **errp)
{
	char error[ERROR_SIZE];

	if (viommu_model_set(s->model, name, value, error, sizeof(error)))
		return true;
	error_setg(errp, TYPE_AMD_VIOMMU_HW ": %s", error);
	return false;
}

static bool viommu_default_aperture(AmdViommuHw *s, enum viommu_window number,
				    const char *name, uint64_t base, Error **errp)
{
	char value[32];

	snprintf(value, sizeof(value), "0x%" PRIx64, base);
	return viommu_model_aperture(s->model, number) || viommu_set(s, name, value, errp);
}

/* Addresses that nobody has chosen: one step on for each IOMMU. */
static bool viommu_default_addresses(AmdViommuHw *s, Error **errp)
{
	static unsigned int instances;
	unsigned int n = instances++;
	uint32_t words[CAP_SIZE / 4];

	if (!s->mmio)
		s->mmio = MMIO_BASE + n * MMIO_SIZE;
	if (!viommu_model_vendor_specific(s->model, words))
		return true;
	return viommu_default_aperture(s, VIOMMU_VF, "vf", VF_BASE + n * VF_STRIDE, errp) &&
	       viommu_default_aperture(s, VIOMMU_VF_CONTROL, "vf-control",
				       VF_CONTROL_BASE + n * VF_STRIDE, errp);
}

static bool viommu_place_windows(AmdViommuHw *s, Error **errp)
{
	uint64_t vf = viommu_model_aperture(s->model, VIOMMU_VF);
	uint64_t control = viommu_model_aperture(s->model, VIOMMU_VF_CONTROL);

	if (!viommu_place_window(s, VIOMMU_MMIO, s->mmio, MMIO_SIZE, errp))
		return false;
	if (vf && !viommu_place_window(s, VIOMMU_VF, vf, VF_SIZE, errp))
		return false;
	return !control ||
	       viommu_place_window(s, VIOMMU_VF_CONTROL, control, VF_CONTROL_SIZE, errp);
}

/* The root bus whose devices are translated. */
static PCIBus *viommu_root(AmdViommuHw *s, Error **errp)
{
	PCIBus *bus = pci_get_bus(PCI_DEVICE(s));
	bool ambiguous = false;

	if (s->root)
		bus = (PCIBus *)object_resolve_path_type(s->root, TYPE_PCI_BUS, &ambiguous);
	if (!bus || ambiguous || !pci_bus_is_root(bus)) {
		error_setg(errp, "'%s' is not the root bus of a PCI host bridge",
			   s->root ? s->root : "bus");
		return NULL;
	}
	if (bus->iommu_ops) {
		error_setg(errp, "the bus '%s' has an IOMMU already", BUS(bus)->name);
		return NULL;
	}
	return bus;
}

static void viommu_dump(AmdViommuHw *s, Error **errp)
{
	char error[ERROR_SIZE];

	if (!viommu_model_dump(s->model, error, sizeof(error)))
		error_setg(errp, TYPE_AMD_VIOMMU_HW ": %s", error);
}

static void viommu_exit(Notifier *notifier, void *data)
{
	AmdViommuHw *s = container_of(notifier, AmdViommuHw, exit);
	Error *err = NULL;

	viommu_dump(s, &err);
	if (err)
		error_report_err(err);
}

static void viommu_realize(PCIDevice *dev, Error **errp)
{
	AmdViommuHw *s = AMD_VIOMMU_HW(dev);
	struct viommu_machine machine = viommu_machine;
	PCIBus *root = viommu_root(s, errp);
	char error[ERROR_SIZE];

	if (!root || !viommu_default_addresses(s, errp))
		return;
	machine.opaque = s;
	s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, viommu_timer, s);
	s->bh = qemu_bh_new(viommu_deliver, s);
	if (!viommu_model_power_on(s->model, &machine, pci_get_bdf(dev), error, sizeof(error))) {
		error_setg(errp, TYPE_AMD_VIOMMU_HW ": %s", error);
		return;
	}
	if (!viommu_add_capabilities(s, errp) || !viommu_place_windows(s, errp))
		return;
	if (!viommu_spaces)
		viommu_spaces = g_ptr_array_new();
	pci_setup_iommu(root, &viommu_ops, s);
	s->exit.notify = viommu_exit;
	qemu_add_exit_notifier(&s->exit);
}

static void viommu_reset(DeviceState *dev)
{
	AmdViommuHw *s = AMD_VIOMMU_HW(dev);

	timer_del(s->timer);
	viommu_model_reset(s->model);
	msi_reset(PCI_DEVICE(s));
}

static void viommu_instance_init(Object *obj)
{
	AMD_VIOMMU_HW(obj)->model = viommu_model_new();
}

static void viommu_set_property(Object *obj, Visitor *visitor, const char *name,
				void *opaque, Error **errp)
{
	char *value = NULL;

	if (visit_type_str(visitor, name, &value, errp))
		viommu_set(AMD_VIOMMU_HW(obj), name, value, errp);
	g_free(value);
}

static void viommu_set_dump(Object *obj, bool value, Error **errp)
{
	if (value)
		viommu_dump(AMD_VIOMMU_HW(obj), errp);
}

static const Property viommu_properties[] = {
	DEFINE_PROP_STRING("root", AmdViommuHw, root),
	DEFINE_PROP_UINT64("mmio", AmdViommuHw, mmio, 0),
};

static const VMStateDescription viommu_vmstate = {
	.name = TYPE_AMD_VIOMMU_HW,
	.unmigratable = 1,
};

static void viommu_class_init(ObjectClass *class, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(class);
	PCIDeviceClass *k = PCI_DEVICE_CLASS(class);
	char name[32];
	size_t n;

	k->vendor_id = PCI_VENDOR_ID_AMD;
	k->device_id = DEVICE_ID;
	/* QEMU's own would say that this is an IOMMU of QEMU's. */
	k->subsystem_vendor_id = PCI_VENDOR_ID_AMD;
	k->subsystem_id = DEVICE_ID;
	k->class_id = CLASS_ID_IOMMU;
	k->realize = viommu_realize;
	dc->desc = "AMD IOMMU with HW-vIOMMU (a model)";
	dc->hotpluggable = false;
	dc->vmsd = &viommu_vmstate;
	set_bit(DEVICE_CATEGORY_MISC, dc->categories);
	device_class_set_legacy_reset(dc, viommu_reset);
	device_class_set_props(dc, viommu_properties);
	object_class_property_add_bool(class, "dump-stats", NULL, viommu_set_dump);
	for (n = 0; viommu_model_setting(n, name, sizeof(name)); n++)
		object_class_property_add(class, name, "str", NULL, viommu_set_property,
					  NULL, NULL);
}

static const TypeInfo viommu_info = {
	.name = TYPE_AMD_VIOMMU_HW,
	.parent = TYPE_PCI_DEVICE,
	.instance_size = sizeof(AmdViommuHw),
	.instance_init = viommu_instance_init,
	.class_init = viommu_class_init,
	.interfaces = (InterfaceInfo[]) {
		{ INTERFACE_CONVENTIONAL_PCI_DEVICE },
		{ },
	},
};

static void viommu_region_class_init(ObjectClass *class, void *data)
{
	IOMMUMemoryRegionClass *imrc = IOMMU_MEMORY_REGION_CLASS(class);

	imrc->translate = viommu_region_translate;
	imrc->notify_flag_changed = viommu_region_notify;
}

static const TypeInfo viommu_region_info = {
	.name = TYPE_AMD_VIOMMU_REGION,
	.parent = TYPE_IOMMU_MEMORY_REGION,
	.class_init = viommu_region_class_init,
};

static void viommu_register_types(void)
{
	type_register_static(&viommu_info);
	type_register_static(&viommu_region_info);
}

type_init(viommu_register_types);

/*
 * A binary that was built otherwise than the headers say would be corrupted
 * silently. Its types know how large they are: TypeImpl begins so.
 */
struct viommu_type {
	const char *name;
	size_t class_size;
	size_t instance_size;
};

static void viommu_check_type(const char *name, size_t class_size, size_t instance_size)
{
	ObjectClass *class = object_class_by_name(name);
	const struct viommu_type *type = class ? (const void *)class->type : NULL;

	if (type && !strcmp(type->name, name) && type->class_size == class_size &&
	    type->instance_size == instance_size)
		return;
	error_report(TYPE_AMD_VIOMMU_HW
		     ": this QEMU is not built as the headers it was compiled with say ('%s' differs)",
		     name);
	exit(1);
}

static void viommu_check_build(void)
{
	viommu_check_type(TYPE_DEVICE, sizeof(DeviceClass), sizeof(DeviceState));
	viommu_check_type(TYPE_PCI_DEVICE, sizeof(PCIDeviceClass), sizeof(PCIDevice));
	viommu_check_type(TYPE_PCI_BUS, sizeof(PCIBusClass), sizeof(PCIBus));
	viommu_check_type(TYPE_MEMORY_REGION, sizeof(MemoryRegionClass), sizeof(MemoryRegion));
	viommu_check_type(TYPE_IOMMU_MEMORY_REGION, sizeof(IOMMUMemoryRegionClass),
			  sizeof(IOMMUMemoryRegion));
}

/* Runs when all types are known, and before any of ours is made. */
block_init(viommu_check_build);
