// SPDX-License-Identifier: GPL-2.0
/*
 * The address spaces of the devices behind amd-viommu-hw: their memory requests and
 * their interrupts.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "exec/address-spaces.h"
#include "hw/i386/apic_internal.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_bus.h"
#include "amd-viommu-hw.h"

#define TYPE_AMD_VIOMMU_REGION	"amd-viommu-hw-memory-region"

/* Writes here are interrupts. */
#define INTERRUPT_BASE		0xfee00000ULL
#define INTERRUPT_SIZE		0x100000ULL

/*
 * The address space of the devices that share a requester ID: translated memory,
 * and over it the range of interrupts, where it matters what is written.
 */
struct viommu_space {
	MemoryRegion root;
	IOMMUMemoryRegion region;
	MemoryRegion interrupts;
	AddressSpace as;
	AmdViommuHw *viommu;
	PCIBus *bus;
	int devfn;
};

/* All spaces of all IOMMUs, for devices that look for theirs. */
static GPtrArray *viommu_spaces;

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

/*
 * Interrupts of devices. The lock of the machine is held, as for any register.
 */

/* An x2APIC ID may reach into the upper half of the address. */
void viommu_send_message(uint64_t addr, uint32_t data)
{
	MSIMessage msg = { addr, data };

	apic_get_class(NULL)->send_msi(&msg);
}

bool viommu_space_interrupt(struct viommu_space *space,
			    struct viommu_message *message)
{
	bool send;

	message->requester = viommu_requester(space);
	send = viommu_model_remap(space->viommu->model, message);
	viommu_settle(space->viommu);
	if (send)
		viommu_send_message(message->address, message->data);
	return send;
}

/* To the model all that is no message is alike. */
void viommu_space_refuse(struct viommu_space *space, struct viommu_request *request)
{
	struct viommu_translation out;

	request->access = VIOMMU_READ_WRITE;
	viommu_space_translate(space, request, &out);
}

/* QEMU hands over the aligned parts of a write, of which only those of 4 bytes are messages. */
static MemTxResult viommu_interrupt_write(void *opaque, hwaddr addr, uint64_t value,
					  unsigned int size, MemTxAttrs attrs)
{
	struct viommu_message message = { .address = INTERRUPT_BASE + addr, .data = value };
	struct viommu_request request = { .address = INTERRUPT_BASE + addr };

	if (size != sizeof(message.data)) {
		viommu_space_refuse(opaque, &request);
		return MEMTX_DECODE_ERROR;
	}
	return viommu_space_interrupt(opaque, &message) ? MEMTX_OK : MEMTX_DECODE_ERROR;
}

/* Reads there are those of memory. */
static MemTxResult viommu_interrupt_read(void *opaque, hwaddr addr, uint64_t *value,
					 unsigned int size, MemTxAttrs attrs)
{
	struct viommu_request request = {
		.address = INTERRUPT_BASE + addr,
		.access = VIOMMU_READ,
	};
	struct viommu_translation out;
	uint8_t bytes[4] = {};

	if (!viommu_space_translate(opaque, &request, &out) || !out.read ||
	    !viommu_memory_read(NULL, out.address, bytes, size))
		return MEMTX_DECODE_ERROR;
	*value = ldl_le_p(bytes);
	return MEMTX_OK;
}

static const MemoryRegionOps viommu_interrupt_ops = {
	.read_with_attrs = viommu_interrupt_read,
	.write_with_attrs = viommu_interrupt_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
	.impl = { .min_access_size = 1, .max_access_size = 4 },
};

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
	memory_region_init(&space->root, OBJECT(s), name, UINT64_MAX);
	memory_region_init_iommu(&space->region, sizeof(space->region),
				 TYPE_AMD_VIOMMU_REGION, OBJECT(s), name, UINT64_MAX);
	memory_region_init_io(&space->interrupts, OBJECT(s), &viommu_interrupt_ops, space,
			      name, INTERRUPT_SIZE);
	memory_region_add_subregion(&space->root, 0, MEMORY_REGION(&space->region));
	memory_region_add_subregion_overlap(&space->root, INTERRUPT_BASE, &space->interrupts, 1);
	address_space_init(&space->as, &space->root, name);
	if (!viommu_spaces)
		viommu_spaces = g_ptr_array_new();
	g_ptr_array_add(viommu_spaces, space);
	return space;
}

/* The bus, not its number: numbers are given later, and change. */
AddressSpace *viommu_address_space(PCIBus *bus, void *opaque, int devfn)
{
	AmdViommuHw *s = opaque;
	struct viommu_space *space;
	unsigned int i;

	/* An IOMMU's own requests are not translated. */
	if (bus->devices[devfn] &&
	    object_dynamic_cast(OBJECT(bus->devices[devfn]), TYPE_AMD_VIOMMU_HW))
		return &address_space_memory;
	for (i = 0; viommu_spaces && i < viommu_spaces->len; i++) {
		space = g_ptr_array_index(viommu_spaces, i);
		if (space->viommu == s && space->bus == bus && space->devfn == devfn)
			return &space->as;
	}
	return &viommu_new_space(s, bus, devfn)->as;
}

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

static void viommu_space_register_types(void)
{
	type_register_static(&viommu_region_info);
}

type_init(viommu_space_register_types);
