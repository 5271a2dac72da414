// SPDX-License-Identifier: GPL-2.0
/*
 * Which devices are behind the IOMMU: those that the user names, or all VFIO devices
 * of its bus. Only the root bus: numbers of other buses are the guest's choice, and
 * known too late for the ACPI tables. For the same reason no device can join later.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "hw/pci/pci_bus.h"
#include "hw/vfio/pci.h"

/* The name of a VFIO device is that of the host's device. */
static bool viommu_host_of(VFIOPCIDevice *vfio, uint32_t *host, Error **errp)
{
	unsigned int domain, bus, slot, function;

	if (sscanf(vfio->vbasedev.name, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4) {
		error_setg(errp, "'%s' is no device of the host", vfio->vbasedev.name);
		return false;
	}
	*host = domain << 16 | bus << 8 | PCI_DEVFN(slot, function);
	return true;
}

static bool viommu_is_suitable(AmdViommu *s, VFIOPCIDevice *vfio, Error **errp)
{
	PCIDevice *pci = &vfio->pdev;

	if (pci_get_bus(pci) != pci_get_bus(PCI_DEVICE(s))) {
		error_setg(errp, "'%s' is not on the bus of the " TYPE_AMD_VIOMMU,
			   vfio->vbasedev.name);
		return false;
	}
	/* The right to a device is proved by its group. */
	if (!vfio->vbasedev.group) {
		error_setg(errp, "'%s': only devices opened through a VFIO group, not iommufd",
			   vfio->vbasedev.name);
		return false;
	}
	/* What VFIO maps for it is decided when it is made. */
	if (vfio->vbasedev.bcontainer->space->as != viommu_space()) {
		error_setg(errp, "'%s' must come after the " TYPE_AMD_VIOMMU " on the command line",
			   vfio->vbasedev.name);
		return false;
	}
	return true;
}

static bool viommu_add_device(AmdViommu *s, VFIOPCIDevice *vfio, Error **errp)
{
	PCIDevice *pci = &vfio->pdev;
	struct viommu_device device = {};

	if (!viommu_is_suitable(s, vfio, errp) || !viommu_host_of(vfio, &device.host, errp))
		return false;
	device.name = g_strdup(vfio->vbasedev.name);
	device.group_fd = vfio->vbasedev.group->fd;
	device.guest_id = PCI_BUILD_BDF(pci_bus_num(pci_get_bus(pci)), pci->devfn);
	g_array_append_val(s->devices, device);
	return true;
}

static bool viommu_add_named(AmdViommu *s, Error **errp)
{
	g_auto(GStrv) names = g_strsplit(s->device_ids, ":", 0);
	DeviceState *dev;
	char **name;

	for (name = names; *name; name++) {
		dev = qdev_find_recursive(sysbus_get_default(), *name);
		if (!dev || !object_dynamic_cast(OBJECT(dev), TYPE_VFIO_PCI)) {
			error_setg(errp, "devices=: '%s' is no VFIO device", *name);
			return false;
		}
		if (!viommu_add_device(s, VFIO_PCI(dev), errp))
			return false;
	}
	return true;
}

static bool viommu_add_all(AmdViommu *s, Error **errp)
{
	PCIBus *bus = pci_get_bus(PCI_DEVICE(s));
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(bus->devices); n++) {
		if (bus->devices[n] &&
		    object_dynamic_cast(OBJECT(bus->devices[n]), TYPE_VFIO_PCI) &&
		    !viommu_add_device(s, VFIO_PCI(bus->devices[n]), errp))
			return false;
	}
	return true;
}

/*
 * Called for each VFIO device when it is made. In a place of which the guest's firmware
 * has said that the IOMMU is before it, a device that is not would reach all memory.
 */
bool viommu_may_join(AmdViommu *s, PCIBus *bus, int devfn, Error **errp)
{
	if (bus != pci_get_bus(PCI_DEVICE(s))) {
		warn_report("the VFIO device %02x.%x of the bus '%s' is not behind the "
			    TYPE_AMD_VIOMMU ": it reaches all memory of the guest",
			    PCI_SLOT(devfn), PCI_FUNC(devfn), BUS(bus)->name);
		return true;
	}
	if (s->opened) {
		error_setg(errp, "the guest runs: no device can come behind the " TYPE_AMD_VIOMMU);
		return false;
	}
	return true;
}

bool viommu_find_devices(AmdViommu *s, Error **errp)
{
	if (!(s->device_ids ? viommu_add_named(s, errp) : viommu_add_all(s, errp)))
		return false;
	if (!s->devices->len) {
		error_setg(errp, TYPE_AMD_VIOMMU " has no VFIO device behind it");
		return false;
	}
	return true;
}
