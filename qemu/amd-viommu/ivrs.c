// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI table that tells the guest of its IOMMU: exactly the devices behind it, no
 * interrupt controllers, and that version 1 page tables do not work (HATDIS), which
 * sends new kernels to version 2 tables by themselves (hardware.md 3.7).
 */
#include "amd-viommu.h"
#include "hw/acpi/acpi.h"
#include "qapi/error.h"
#include "qemu/config-file.h"
#include "qemu/memfd.h"
#include "qemu/option.h"

#define HEADER_SIZE	36
#define EFR_SUP		1
#define GVA_SIZE	(2 << 5)
#define PA_SIZE		(48 << 8)
#define VA_SIZE		(64 << 15)
#define COHERENT	0x20
#define HATDIS		1
#define SELECT		2

static void viommu_append(GByteArray *table, uint64_t value, unsigned int size)
{
	uint8_t bytes[8];

	stq_le_p(bytes, value);
	g_byte_array_append(table, bytes, size);
}

static uint32_t viommu_bits(uint64_t from, unsigned int shift, unsigned int width, unsigned int to)
{
	return (uint32_t)extract64(from, shift, width) << to;
}

/* What type 10h says of the features, in its own order. */
static uint32_t viommu_feature_word(uint64_t efr)
{
	return viommu_bits(efr, 2, 1, 0) | viommu_bits(efr, 3, 1, 1) |
	       viommu_bits(efr, 4, 1, 2) | viommu_bits(efr, 14, 2, 3) |
	       viommu_bits(efr, 6, 1, 5) | viommu_bits(efr, 7, 1, 6) |
	       viommu_bits(efr, 8, 1, 7) | viommu_bits(efr, 32, 5, 8) |
	       viommu_bits(efr, 12, 2, 28) | viommu_bits(efr, 10, 2, 30);
}

static void viommu_append_entries(AmdViommu *s, GByteArray *table)
{
	unsigned int n;

	for (n = 0; n < s->devices->len; n++) {
		viommu_append(table, SELECT, 1);
		viommu_append(table, g_array_index(s->devices, struct viommu_device, n).guest_id, 2);
		viommu_append(table, 0, 1);
	}
}

static void viommu_append_ivhd(AmdViommu *s, GByteArray *table, uint8_t type)
{
	unsigned int start = table->len;

	viommu_append(table, type, 1);
	viommu_append(table, COHERENT, 1);
	viommu_append(table, 0, 2);
	viommu_append(table, pci_get_bdf(PCI_DEVICE(s)), 2);
	viommu_append(table, VIOMMU_CAP, 2);
	viommu_append(table, s->mmio, 8);
	/* Segment and interrupt number. */
	viommu_append(table, 0, 4);
	viommu_append(table, type == 0x10 ? viommu_feature_word(s->efr) : HATDIS, 4);
	if (type != 0x10) {
		viommu_append(table, s->efr, 8);
		viommu_append(table, s->efr2, 8);
	}
	viommu_append_entries(s, table);
	stw_le_p(table->data + start + 2, table->len - start);
}

/* QEMU fills in the length and the checksum. */
static GByteArray *viommu_build_ivrs(AmdViommu *s)
{
	GByteArray *table = g_byte_array_new();

	g_byte_array_append(table, (const uint8_t *)"IVRS\0\0\0\0\1\0BOCHS BXPC    \1\0\0\0BXPC\1\0\0\0",
			    HEADER_SIZE);
	viommu_append(table, EFR_SUP | GVA_SIZE | PA_SIZE | VA_SIZE, 4);
	viommu_append(table, 0, 8);
	viommu_append_ivhd(s, table, 0x10);
	viommu_append_ivhd(s, table, 0x11);
	stl_le_p(table->data + 4, table->len);
	return table;
}

/* The only way to add a table is a file. */
static void viommu_add_table(int fd, Error **errp)
{
	g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
	QemuOpts *opts = qemu_opts_create(qemu_find_opts("acpi"), NULL, 0, &error_abort);

	qemu_opt_set(opts, "file", name, &error_abort);
	acpi_table_add(opts, errp);
	qemu_opts_del(opts);
}

bool viommu_add_ivrs(AmdViommu *s, Error **errp)
{
	g_autoptr(GByteArray) table = viommu_build_ivrs(s);
	Error *err = NULL;
	int fd;

	fd = qemu_memfd_create("ivrs", 0, false, 0, 0, errp);
	if (fd < 0)
		return false;
	if (qemu_write_full(fd, table->data, table->len) == table->len)
		viommu_add_table(fd, &err);
	else
		error_setg_errno(&err, errno, TYPE_AMD_VIOMMU ": ACPI table");
	close(fd);
	error_propagate(errp, err);
	return !err;
}
