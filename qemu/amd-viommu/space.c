// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that VFIO devices see: RAM and the PCI hole as they are, without the
 * overlays of firmware and of this device. So VFIO never maps a VF page, and has
 * nothing to map or unmap once the guest runs. All IOMMUs share it, because VFIO
 * makes a container, and with it a table in the host's IOMMU, for each address space.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "hw/pci/pci_bus.h"
#include "hw/vfio/pci.h"

#define MSI_BASE	0xfee00000ULL
#define MSI_SIZE	0x100000ULL

static AddressSpace viommu_as;
static MemoryRegion viommu_root;
static MemoryListener viommu_listener;

AddressSpace *viommu_space(void)
{
	return &viommu_as;
}

static void viommu_add_alias(AmdViommu *s, const char *name, MemoryRegion *from,
			     uint64_t offset, uint64_t address, uint64_t size, int priority)
{
	MemoryRegion *alias = g_new0(MemoryRegion, 1);

	if (!size)
		return;
	memory_region_init_alias(alias, OBJECT(s), name, from, offset, size);
	memory_region_add_subregion_overlap(&viommu_root, address, alias, priority);
}

static void viommu_add_ram(AmdViommu *s, MachineState *machine)
{
	X86MachineState *x86 = X86_MACHINE(machine);

	viommu_add_alias(s, "amd-viommu-ram-below-4g", machine->ram, 0, 0,
			 x86->below_4g_mem_size, 0);
	viommu_add_alias(s, "amd-viommu-ram-above-4g", machine->ram, x86->below_4g_mem_size,
			 x86->above_4g_mem_start, x86->above_4g_mem_size, 0);
	if (machine->device_memory)
		viommu_add_alias(s, "amd-viommu-dimms", &machine->device_memory->mr, 0,
				 machine->device_memory->base,
				 memory_region_size(&machine->device_memory->mr), 0);
}

/* Where RAM is, it hides what the bus has there. */
static void viommu_add_rest(AmdViommu *s, PCIBus *root)
{
	MemoryRegion *bus = root->address_space_mem;

	viommu_add_alias(s, "amd-viommu-pci", bus, 0, 0, memory_region_size(bus), -1);
	viommu_add_alias(s, "amd-viommu-msi", get_system_memory(), MSI_BASE, MSI_BASE,
			 MSI_SIZE, 1);
}

/* What VFIO's own listener would map or unmap. */
static void viommu_changed(MemoryListener *listener, MemoryRegionSection *section)
{
	bool ambiguous;
	Object *found = object_resolve_path_type("", TYPE_AMD_VIOMMU, &ambiguous);

	if (found && memory_region_is_ram(section->mr))
		viommu_count(AMD_VIOMMU(found), &AMD_VIOMMU(found)->stats.mapped);
}

static bool viommu_is_vfio(PCIBus *bus, int devfn)
{
	PCIDevice *dev = bus->devices[devfn];

	return dev && object_dynamic_cast(OBJECT(dev), TYPE_VFIO_PCI);
}

/* Devices that QEMU emulates do not know of the IOMMU: they are not in its table. */
static AddressSpace *viommu_get_address_space(PCIBus *bus, void *opaque, int devfn)
{
	return viommu_is_vfio(bus, devfn) ? &viommu_as : &address_space_memory;
}

static bool viommu_set_device(PCIBus *bus, void *opaque, int devfn, HostIOMMUDevice *dev,
			      Error **errp)
{
	return viommu_may_join(opaque, bus, devfn, errp);
}

static const PCIIOMMUOps viommu_iommu_ops = {
	.get_address_space = viommu_get_address_space,
	.set_iommu_device = viommu_set_device,
};

bool viommu_setup_space(AmdViommu *s, PCIBus *root, Error **errp)
{
	MachineState *machine = MACHINE(qdev_get_machine());

	if (root->iommu_ops) {
		error_setg(errp, "the bus '%s' has an IOMMU already", BUS(root)->name);
		return false;
	}
	if (!object_dynamic_cast(OBJECT(machine), TYPE_X86_MACHINE) || !machine->ram) {
		error_setg(errp, TYPE_AMD_VIOMMU ": the machine is no PC");
		return false;
	}
	memory_region_init(&viommu_root, OBJECT(s), "amd-viommu-space", UINT64_MAX);
	viommu_add_ram(s, machine);
	viommu_add_rest(s, root);
	address_space_init(&viommu_as, &viommu_root, "amd-viommu-space");
	viommu_listener.name = TYPE_AMD_VIOMMU;
	viommu_listener.region_add = viommu_changed;
	viommu_listener.region_del = viommu_changed;
	memory_listener_register(&viommu_listener, &viommu_as);
	pci_setup_iommu(root, &viommu_iommu_ops, s);
	return true;
}
