// SPDX-License-Identifier: GPL-2.0
/*
 * -device amd-viommu-dma: a DMA engine for tests, whose requests reach the IOMMU with
 * everything that a request can carry. Behind another IOMMU than amd-viommu-hw, or
 * none, it does plain reads and writes.
 *
 * Vendor 1234h, device 0A11h. BAR 0 (32 KiB, 32- and 64-bit aligned accesses):
 *
 *   00  RO  "VDMA" 31:0, version 1 63:32
 *   08  RW  ADDRESS of the first byte
 *   10  RW  LENGTH in bytes 31:0, OFFSET in the buffer 63:32; cut to the buffer
 *   18  RW  PASID 19:0, PASID_VALID 31
 *   20  RW  CONTROL: START 0 (reads 0), OPERATION 2:1 (0 memory to buffer, 1 buffer to
 *           memory, 2 atomic: 8 bytes of the buffer are added to memory, which is
 *           returned in the buffer; 3 as 0, executing), PRIVILEGED 3, INTERRUPT 4
 *   28  RO  STATUS: DONE 0, ABORTED 1 (a request ended in an abort; DMA stopped there)
 *   30  RO  bytes moved
 *   4000-7FFF  the buffer
 *
 * What is written to FEE0_0000h-FEEF_FFFFh are interrupts, forged if need be: one for
 * each aligned 32 bits. A request with other bytes is refused as a whole.
 *
 * START does the whole transfer, in requests that do not cross a 4 KiB boundary, before
 * the write returns. With INTERRUPT, MSI-X message 0 (table in BAR 1) follows.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "exec/address-spaces.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "amd-viommu-space.h"

#define TYPE_AMD_VIOMMU_DMA	"amd-viommu-dma"
OBJECT_DECLARE_SIMPLE_TYPE(AmdViommuDma, AMD_VIOMMU_DMA)

#define DEVICE_ID		0x0a11
#define ID			(0x414d4456ULL | 1ULL << 32)
#define BAR_SIZE		0x8000
#define BUFFER			0x4000
#define BUFFER_SIZE		0x4000
#define PAGE			0x1000ULL

#define REG_ID			0x00
#define REG_ADDRESS		0x08
#define REG_LENGTH		0x10
#define REG_PASID		0x18
#define REG_CONTROL		0x20
#define REG_STATUS		0x28
#define REG_MOVED		0x30

#define PASID_MASK		0xfffffU
#define PASID_VALID		(1U << 31)
#define CONTROL_START		(1U << 0)
#define CONTROL_OPERATION(c)	((c) >> 1 & 3)
#define CONTROL_PRIVILEGED	(1U << 3)
#define CONTROL_INTERRUPT	(1U << 4)
#define CONTROL_MASK		0x1eU
#define STATUS_DONE		(1U << 0)
#define STATUS_ABORTED		(1U << 1)

#define ATS_CAP			PCI_CONFIG_SPACE_SIZE
#define PASID_CAP_SIZE		8
#define PASID_CAP_FLAGS		(2 | 4 | 20 << 8)	/* Execute, privileged, 20 bits. */
#define PASID_CONTROL_MASK	7

enum operation { OP_READ, OP_WRITE, OP_ATOMIC, OP_EXECUTE };

struct AmdViommuDma {
	PCIDevice parent_obj;

	MemoryRegion bar;
	bool ats;
	bool pasid_cap;
	uint64_t address;
	uint32_t length;
	uint32_t offset;
	uint32_t pasid;
	uint32_t control;
	uint32_t status;
	uint64_t moved;
	uint8_t buffer[BUFFER_SIZE];
};

static enum viommu_access access_of(enum operation operation)
{
	switch (operation) {
	case OP_WRITE:
		return VIOMMU_WRITE;
	case OP_ATOMIC:
		return VIOMMU_READ_WRITE;
	case OP_EXECUTE:
		return VIOMMU_EXECUTE;
	default:
		return VIOMMU_READ;
	}
}

static struct viommu_request request_of(AmdViommuDma *s, uint64_t addr)
{
	return (struct viommu_request){
		.address = addr,
		.access = access_of(CONTROL_OPERATION(s->control)),
		.pasid = s->pasid & PASID_MASK,
		.has_pasid = s->pasid & PASID_VALID,
		.privileged = s->control & CONTROL_PRIVILEGED,
	};
}

/* Where a request goes in system memory; false if it is aborted. */
static bool translate(AmdViommuDma *s, struct viommu_space *space, uint64_t *addr)
{
	enum operation operation = CONTROL_OPERATION(s->control);
	struct viommu_request request = request_of(s, *addr);
	struct viommu_translation out;

	if (!viommu_space_translate(space, &request, &out))
		return false;
	*addr = out.address;
	return (out.read || operation == OP_WRITE) &&
	       (out.write || operation == OP_READ || operation == OP_EXECUTE);
}

static bool fetch_add(uint64_t addr, uint8_t *operand)
{
	uint64_t add = ldq_le_p(operand), expected = 0, found;

	while (viommu_memory_exchange(NULL, addr, expected, expected + add, &found)) {
		if (found == expected) {
			stq_le_p(operand, found);
			return true;
		}
		expected = found;
	}
	return false;
}

/* An interrupt for each 32 bits, whatever they say. */
static bool raise_interrupts(AmdViommuDma *s, struct viommu_space *space, uint64_t addr,
			     const uint8_t *buf, size_t len)
{
	struct viommu_request request = request_of(s, addr);
	struct viommu_message message;
	size_t done;

	if ((addr | len) & 3) {
		viommu_space_refuse(space, &request);
		return false;
	}
	for (done = 0; done < len; done += 4) {
		message = (struct viommu_message){
			.address = addr + done,
			.data = ldl_le_p(buf + done),
			.pasid = s->pasid & PASID_MASK,
			.has_pasid = s->pasid & PASID_VALID,
		};
		if (!viommu_space_interrupt(space, &message))
			return false;
	}
	return true;
}

static bool move(AmdViommuDma *s, uint64_t addr, uint8_t *buf, size_t len)
{
	enum operation operation = CONTROL_OPERATION(s->control);
	struct viommu_space *space = viommu_space_of(PCI_DEVICE(s));
	AddressSpace *as = &address_space_memory;

	if (space && operation == OP_WRITE && viommu_is_interrupt(addr))
		return raise_interrupts(s, space, addr, buf, len);
	if (!space)
		as = pci_get_address_space(PCI_DEVICE(s));
	else if (!translate(s, space, &addr))
		return false;
	if (operation == OP_ATOMIC)
		return space && fetch_add(addr, buf);
	return address_space_rw(as, addr, MEMTXATTRS_UNSPECIFIED, buf, len,
				operation == OP_WRITE) == MEMTX_OK;
}

static void start(AmdViommuDma *s)
{
	uint64_t left = s->length;
	size_t len;

	s->status = 0;
	s->moved = 0;
	if (CONTROL_OPERATION(s->control) == OP_ATOMIC)
		left = sizeof(uint64_t);
	if (s->offset > BUFFER_SIZE - sizeof(uint64_t))
		left = 0;
	left = MIN(left, BUFFER_SIZE - s->offset);
	while (left) {
		len = MIN(left, PAGE - ((s->address + s->moved) & (PAGE - 1)));
		if (!move(s, s->address + s->moved, s->buffer + s->offset + s->moved, len)) {
			s->status |= STATUS_ABORTED;
			break;
		}
		s->moved += len;
		left -= len;
	}
	s->status |= STATUS_DONE;
	if (s->control & CONTROL_INTERRUPT)
		msix_notify(PCI_DEVICE(s), 0);
}

static uint64_t get(AmdViommuDma *s, hwaddr reg)
{
	switch (reg) {
	case REG_ID:
		return ID;
	case REG_ADDRESS:
		return s->address;
	case REG_LENGTH:
		return s->length | (uint64_t)s->offset << 32;
	case REG_PASID:
		return s->pasid;
	case REG_CONTROL:
		return s->control;
	case REG_STATUS:
		return s->status;
	case REG_MOVED:
		return s->moved;
	default:
		return 0;
	}
}

static void set(AmdViommuDma *s, hwaddr reg, uint64_t value)
{
	switch (reg) {
	case REG_ADDRESS:
		s->address = value;
		break;
	case REG_LENGTH:
		s->length = value;
		s->offset = value >> 32;
		break;
	case REG_PASID:
		s->pasid = value & (PASID_VALID | PASID_MASK);
		break;
	case REG_CONTROL:
		s->control = value & CONTROL_MASK;
		if (value & CONTROL_START)
			start(s);
		break;
	}
}

static uint64_t bar_read(void *opaque, hwaddr addr, unsigned int size)
{
	AmdViommuDma *s = opaque;

	if (addr >= BUFFER)
		return ldn_le_p(s->buffer + addr - BUFFER, size);
	return extract64(get(s, addr & ~7ULL), 8 * (addr & 7), 8 * size);
}

static void bar_write(void *opaque, hwaddr addr, uint64_t value, unsigned int size)
{
	AmdViommuDma *s = opaque;
	hwaddr reg = addr & ~7ULL;

	if (addr >= BUFFER)
		stn_le_p(s->buffer + addr - BUFFER, size, value);
	else
		set(s, reg, deposit64(get(s, reg), 8 * (addr & 7), 8 * size, value));
}

static const MemoryRegionOps bar_ops = {
	.read = bar_read,
	.write = bar_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8 },
	.impl = { .min_access_size = 1, .max_access_size = 8 },
};

static void add_express_capabilities(AmdViommuDma *s)
{
	PCIDevice *dev = PCI_DEVICE(s);
	uint16_t at = ATS_CAP;

	if (s->ats) {
		pcie_ats_init(dev, at, true);
		at += PCI_EXT_CAP_ATS_SIZEOF;
	}
	if (s->pasid_cap) {
		pcie_add_capability(dev, PCI_EXT_CAP_ID_PASID, 1, at, PASID_CAP_SIZE);
		pci_set_word(dev->config + at + PCI_PASID_CAP, PASID_CAP_FLAGS);
		pci_set_word(dev->wmask + at + PCI_PASID_CTRL, PASID_CONTROL_MASK);
	}
}

static void dma_realize(PCIDevice *dev, Error **errp)
{
	AmdViommuDma *s = AMD_VIOMMU_DMA(dev);

	memory_region_init_io(&s->bar, OBJECT(s), &bar_ops, s, TYPE_AMD_VIOMMU_DMA, BAR_SIZE);
	pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar);
	if (msix_init_exclusive_bar(dev, 1, 1, errp) < 0)
		return;
	msix_vector_use(dev, 0);
	if (pci_bus_is_express(pci_get_bus(dev))) {
		if (pcie_endpoint_cap_init(dev, 0) < 0) {
			error_setg(errp, TYPE_AMD_VIOMMU_DMA ": no room for its capabilities");
			return;
		}
		add_express_capabilities(s);
	} else if (s->ats || s->pasid_cap) {
		error_setg(errp, TYPE_AMD_VIOMMU_DMA ": ATS and PASID need an express bus");
	}
}

static void dma_exit(PCIDevice *dev)
{
	msix_uninit_exclusive_bar(dev);
}

static void dma_reset(DeviceState *dev)
{
	AmdViommuDma *s = AMD_VIOMMU_DMA(dev);

	s->address = 0;
	s->length = 0;
	s->offset = 0;
	s->pasid = 0;
	s->control = 0;
	s->status = 0;
	s->moved = 0;
	memset(s->buffer, 0, sizeof(s->buffer));
}

static void dma_instance_init(Object *obj)
{
	/* Decided before it is known what kind of bus it sits on. */
	PCI_DEVICE(obj)->cap_present |= QEMU_PCI_CAP_EXPRESS;
}

static const Property dma_properties[] = {
	DEFINE_PROP_BOOL("ats", AmdViommuDma, ats, false),
	DEFINE_PROP_BOOL("pasid", AmdViommuDma, pasid_cap, false),
};

static const VMStateDescription dma_vmstate = {
	.name = TYPE_AMD_VIOMMU_DMA,
	.unmigratable = 1,
};

static void dma_class_init(ObjectClass *class, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(class);
	PCIDeviceClass *k = PCI_DEVICE_CLASS(class);

	k->vendor_id = PCI_VENDOR_ID_QEMU;
	k->device_id = DEVICE_ID;
	k->class_id = PCI_CLASS_OTHERS;
	k->realize = dma_realize;
	k->exit = dma_exit;
	dc->desc = "DMA engine for tests of amd-viommu-hw";
	dc->vmsd = &dma_vmstate;
	set_bit(DEVICE_CATEGORY_MISC, dc->categories);
	device_class_set_legacy_reset(dc, dma_reset);
	device_class_set_props(dc, dma_properties);
}

static const TypeInfo dma_info = {
	.name = TYPE_AMD_VIOMMU_DMA,
	.parent = TYPE_PCI_DEVICE,
	.instance_size = sizeof(AmdViommuDma),
	.instance_init = dma_instance_init,
	.class_init = dma_class_init,
	.interfaces = (InterfaceInfo[]) {
		{ INTERFACE_CONVENTIONAL_PCI_DEVICE },
		{ INTERFACE_PCIE_DEVICE },
		{ },
	},
};

static void dma_register_types(void)
{
	type_register_static(&dma_info);
}

type_init(dma_register_types);
