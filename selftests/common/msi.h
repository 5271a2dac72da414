/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The message that a device writes to raise its MSI, changed behind the back of
 * whoever has told it to the device: what a device does that lies.
 */
#ifndef VIOMMU_MSI_H
#define VIOMMU_MSI_H

#include <stdbool.h>
#include <linux/types.h>

struct msi_message {
	__u64 address;
	__u16 data;
	bool enabled;
};

/* The device's MSI must have addresses of 64 bits. */
int msi_read(const char *pci, struct msi_message *message);
int msi_write(const char *pci, const struct msi_message *message);

#endif
