/* SPDX-License-Identifier: GPL-2.0 */
/* A network card on QEMU's user network, which answers by itself. */
#ifndef VIOMMU_NET_H
#define VIOMMU_NET_H

#include <stddef.h>
#include <linux/types.h>

/* The e1000e of the test machine. */
#define NIC_VENDOR	0x8086
#define NIC_DEVICE	0x10d3

#define NET_GUEST	"10.0.2.15"
#define NET_GATEWAY	"10.0.2.2"

/* The interface of a PCI device; waits for its driver to make it. */
int net_find(const char *pci, char *name, size_t len, unsigned int timeout_ms);
/* Address, netmask and link up. */
int net_up(const char *name);
int net_down(const char *name);
/*
 * Echo requests with changing sizes and random content. Returns the number of
 * replies whose content was right, or a negative errno; -EILSEQ for a reply
 * that came back altered. *bytes counts the content in both directions.
 */
int net_ping(unsigned int count, __u64 *bytes);
/*
 * Echoes from several threads, each of which has one on its way at all times. None is sent a second time: the
 * first without a reply ends its thread.
 */
struct net_load {
	unsigned int threads;
	int stop;
	__u64 echoes;
	__u64 bytes;
	int error;			/* Negative errno; -EILSEQ for an altered reply. */
};

/* Waits for a reply, and begins. */
struct net_load_handle;
struct net_load_handle *net_load_start(struct net_load *load);
int net_load_finish(struct net_load_handle *handle);

/* Fetches a file from the gateway by TFTP. Returns its size. */
long long net_tftp(const char *remote, const char *local);

#endif
