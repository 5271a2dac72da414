// SPDX-License-Identifier: GPL-2.0
/*
 * -device amd-viommu-hw: an AMD IOMMU with HW-vIOMMU, which is the model behind
 * model.h. This file wires it to QEMU: a PCI function, register windows, its own
 * interrupts, and time. The address spaces of devices are in amd-viommu-space.c.
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
#include "hw/i386/e820_memory_layout.h"
#include "hw/i386/x86.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_bus.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "system/system.h"
#include "amd-viommu-hw.h"

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

/* The requester of the I/O APIC, which is part of the chipset of these machines. */
#define IOAPIC_DEVFN		PCI_DEVFN(0x14, 0)

#define ERROR_SIZE		256

/*
 * What the model sees of the machine.
 */

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
 * Interrupts of the function itself are sent as they are: Linux never makes it a bus
 * master, and they are not remapped.
 */
static void viommu_send(AmdViommuHw *s, const struct viommu_interrupt *interrupt)
{
	PCIDevice *dev = PCI_DEVICE(s);
	MSIMessage msg;

	if (interrupt->is_message) {
		viommu_send_message(interrupt->address, interrupt->data);
		return;
	}
	if (!msi_enabled(dev))
		return;
	msg = msi_get_message(dev, interrupt->number % msi_nr_vectors_allocated(dev));
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
void viommu_settle(AmdViommuHw *s)
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
 * The device.
 */

static const PCIIOMMUOps viommu_ops = {
	.get_address_space = viommu_address_space,
};

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
	pci_setup_iommu(root, &viommu_ops, s);
	if (pci_bus_num(root) == 0)
		X86_MACHINE(qdev_get_machine())->ioapic_as =
			viommu_address_space(root, s, IOAPIC_DEVFN);
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

static void viommu_register_types(void)
{
	type_register_static(&viommu_info);
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
