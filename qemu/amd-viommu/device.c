// SPDX-License-Identifier: GPL-2.0
/*
 * -device amd-viommu: an AMD IOMMU for the guest that the host's IOMMU serves itself.
 * The guest's driver has its queues and page tables in the hardware, through
 * /dev/amd-viommu; what remains here is its first register page and its device table.
 * Documentation/qemu.md says how it is used.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "hw/pci/pci_bus.h"
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#include "migration/vmstate.h"
#include "system/kvm.h"
#include "system/system.h"

#define DEVICE_ID		0x1419
#define CLASS_ID_IOMMU		0x0806
#define CAP_ID_IOMMU		0x0f
#define CAP_SIZE		0x18
#define CAP_MSI			0x60
#define MMIO_BASE		0xfed80000ULL

/* Capability type IOMMU, revision 1, extended features; nothing not present is remembered. */
#define CAP_HEADER		(3 | 1 << 3 | 1 << 11)
#define CAP_ENABLE		1
/* Sizes of guest virtual (48), physical and virtual addresses. */
#define CAP_MISC		(2 << 5 | 48 << 8 | 64 << 15)

static bool viommu_add_capabilities(AmdViommu *s, Error **errp)
{
	PCIDevice *dev = PCI_DEVICE(s);
	uint8_t *config = dev->config + VIOMMU_CAP;

	if (pci_add_capability(dev, CAP_ID_IOMMU, VIOMMU_CAP, CAP_SIZE, errp) < 0)
		return false;
	pci_set_word(config + 2, CAP_HEADER);
	pci_set_long(config + 4, s->mmio | CAP_ENABLE);
	pci_set_long(config + 8, s->mmio >> 32);
	pci_set_long(config + 0x10, CAP_MISC);
	return msi_init(dev, CAP_MSI, 1, true, false, errp) >= 0;
}

static bool viommu_attach_devices(AmdViommu *s, Error **errp)
{
	struct viommu_device *device;
	unsigned int n;
	int ret;

	for (n = 0; n < s->devices->len; n++) {
		device = &g_array_index(s->devices, struct viommu_device, n);
		ret = viommu_attach_device(s, device);
		if (ret) {
			error_setg_errno(errp, -ret, TYPE_AMD_VIOMMU ": DEVICE_ATTACH of '%s'",
					 device->name);
			return false;
		}
	}
	return true;
}

static bool viommu_start(AmdViommu *s, Error **errp)
{
	if (!viommu_find_devices(s, errp) ||
	    !viommu_init_vm(s, &g_array_index(s->devices, struct viommu_device, 0), errp) ||
	    !viommu_attach_devices(s, errp))
		return false;
	viommu_place_vf_page(s);
	viommu_expect_going(s);
	return viommu_events_start(s, errp) && viommu_interrupts_start(s, errp) &&
	       viommu_watch_start(s, errp) && viommu_add_ivrs(s, errp);
}

/*
 * VFIO devices exist only now. QEMU builds the ACPI tables in a notifier, too: later,
 * because the last one added is the first to be called.
 */
static void viommu_ready(Notifier *notifier, void *data)
{
	AmdViommu *s = container_of(notifier, AmdViommu, ready);
	Error *err = NULL;

	if (viommu_start(s, &err))
		return;
	error_report_err(err);
	exit(1);
}

static void viommu_exit(Notifier *notifier, void *data)
{
	AmdViommu *s = container_of(notifier, AmdViommu, exit);
	Error *err = NULL;

	viommu_write_stats(s, &err);
	if (err)
		error_report_err(err);
}

static void viommu_realize(PCIDevice *dev, Error **errp)
{
	AmdViommu *s = AMD_VIOMMU(dev);
	PCIBus *bus = pci_get_bus(dev);
	bool ambiguous = false;

	if (!object_resolve_path_type("", TYPE_AMD_VIOMMU, &ambiguous) || ambiguous) {
		error_setg(errp, "there can be one " TYPE_AMD_VIOMMU);
		return;
	}
	if (!pci_bus_is_root(bus)) {
		error_setg(errp, TYPE_AMD_VIOMMU " belongs on the root bus");
		return;
	}
	if (!kvm_enabled()) {
		error_setg(errp, TYPE_AMD_VIOMMU " needs KVM (-accel kvm)");
		return;
	}
	if (!viommu_open(s, errp) || !viommu_add_capabilities(s, errp) ||
	    !viommu_place_window(s, errp) || !viommu_setup_space(s, bus, errp))
		return;
	s->ready.notify = viommu_ready;
	qemu_add_machine_init_done_notifier(&s->ready);
	s->exit.notify = viommu_exit;
	qemu_add_exit_notifier(&s->exit);
}

/*
 * The guest starts anew: no table, and devices reach all memory. In the last phase,
 * when they have been reset: what they do until then goes where the guest's tables say.
 */
static void viommu_reset_exit(Object *obj, ResetType type)
{
	AmdViommu *s = AMD_VIOMMU(obj);

	msi_reset(PCI_DEVICE(s));
	viommu_update_interrupt(s);
	/* What has failed until now is repaired by what follows. */
	viommu_read_waiting_events(s);
	QEMU_LOCK_GUARD(&s->table.lock);
	viommu_unwatch(s);
	memset(s->table.registers, 0, sizeof(s->table.registers));
	viommu_reset_vm(s);
	/* Whatever has failed before: a reset does not change whether queues may run. */
	viommu_let_run(s);
	viommu_run(s, true);
}

static void viommu_write_config(PCIDevice *dev, uint32_t address, uint32_t value, int length)
{
	pci_default_write_config(dev, address, value, length);
	viommu_update_interrupt(AMD_VIOMMU(dev));
}

static void viommu_instance_init(Object *obj)
{
	AmdViommu *s = AMD_VIOMMU(obj);

	s->host.domain = ~0U;
	s->fd = -1;
	s->devices = g_array_new(false, true, sizeof(struct viommu_device));
	qemu_mutex_init(&s->table.lock);
	qemu_mutex_init(&s->stats.lock);
}

static void viommu_set_dump(Object *obj, bool value, Error **errp)
{
	if (value)
		viommu_write_stats(AMD_VIOMMU(obj), errp);
}

static const Property viommu_properties[] = {
	DEFINE_PROP_PCI_HOST_DEVADDR("host", AmdViommu, host),
	DEFINE_PROP_STRING("devices", AmdViommu, device_ids),
	DEFINE_PROP_STRING("stats", AmdViommu, stats_path),
	DEFINE_PROP_UINT64("mmio", AmdViommu, mmio, MMIO_BASE),
	/* For tests: as if KVM sent no interrupts; vfio-pci has the same. */
	DEFINE_PROP_BOOL("x-no-kvm-msi", AmdViommu, no_kvm_msi, false),
};

static const VMStateDescription viommu_vmstate = {
	.name = TYPE_AMD_VIOMMU,
	.unmigratable = 1,
};

static void viommu_class_init(ObjectClass *class, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(class);
	PCIDeviceClass *k = PCI_DEVICE_CLASS(class);

	k->vendor_id = PCI_VENDOR_ID_AMD;
	k->device_id = DEVICE_ID;
	k->subsystem_vendor_id = PCI_VENDOR_ID_AMD;
	k->subsystem_id = DEVICE_ID;
	k->class_id = CLASS_ID_IOMMU;
	k->realize = viommu_realize;
	k->config_write = viommu_write_config;
	dc->desc = "AMD IOMMU for the guest, served by the host's IOMMU";
	dc->hotpluggable = false;
	dc->vmsd = &viommu_vmstate;
	set_bit(DEVICE_CATEGORY_MISC, dc->categories);
	RESETTABLE_CLASS(class)->phases.exit = viommu_reset_exit;
	device_class_set_props(dc, viommu_properties);
	object_class_property_add_bool(class, "dump-stats", NULL, viommu_set_dump);
}

static const TypeInfo viommu_info = {
	.name = TYPE_AMD_VIOMMU,
	.parent = TYPE_PCI_DEVICE,
	.instance_size = sizeof(AmdViommu),
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
