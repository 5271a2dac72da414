// SPDX-License-Identifier: GPL-2.0
/*
 * -device amd-viommu-fch: what there is to see at 00:14.0 of a machine with an AMD
 * chipset, an SMBus controller. It does nothing. But its requester ID is that of the
 * I/O APIC in the same chip, and Linux remaps interrupts only if it finds both there
 * (older releases: the I/O APIC in the IVRS; newer ones: this class of function too).
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "hw/pci/pci_device.h"
#include "migration/vmstate.h"

#define TYPE_AMD_VIOMMU_FCH	"amd-viommu-fch"

/* No device of AMD's, so that no driver takes it for one. */
#define DEVICE_ID		0x0a14

static const VMStateDescription fch_vmstate = {
	.name = TYPE_AMD_VIOMMU_FCH,
	.unmigratable = 1,
};

static void fch_class_init(ObjectClass *class, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(class);
	PCIDeviceClass *k = PCI_DEVICE_CLASS(class);

	k->vendor_id = PCI_VENDOR_ID_QEMU;
	k->device_id = DEVICE_ID;
	k->class_id = PCI_CLASS_SERIAL_SMBUS;
	dc->desc = "SMBus function that the I/O APIC shares its requester ID with";
	dc->hotpluggable = false;
	dc->vmsd = &fch_vmstate;
	set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo fch_info = {
	.name = TYPE_AMD_VIOMMU_FCH,
	.parent = TYPE_PCI_DEVICE,
	.instance_size = sizeof(PCIDevice),
	.class_init = fch_class_init,
	.interfaces = (InterfaceInfo[]) {
		{ INTERFACE_CONVENTIONAL_PCI_DEVICE },
		{ },
	},
};

static void fch_register_types(void)
{
	type_register_static(&fch_info);
}

type_init(fch_register_types);
