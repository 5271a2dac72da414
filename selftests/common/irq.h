/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/interrupts, and where interrupts go. */
#ifndef VIOMMU_IRQ_H
#define VIOMMU_IRQ_H

#include <stdbool.h>
#include <linux/types.h>

#define IRQ_LIST_MAX	32
#define IRQ_CPUS	8	/* Those beyond are not looked at. */

/* A vector that does nothing but be counted (POSTED_INTR_VECTOR), and that nobody uses on an AMD machine; its row. */
#define IRQ_HARMLESS_VECTOR	0xf2
#define IRQ_HARMLESS_ROW	"PIN"

struct irq {
	unsigned int number;
	__u64 count[IRQ_CPUS];
	char chip[64];		/* "IR-PCI-MSIX-0000:00:12.0" */
	char name[48];		/* "nvme0q1" */
};

struct irq_list {
	unsigned int count;
	struct irq irq[IRQ_LIST_MAX];
};

/* The interrupts whose chip has this in its name, for example that of a PCI function. */
void irq_find(struct irq_list *list, const char *chip);
/* Whether all interrupts of the list, and at least one, are remapped. */
bool irq_remapped(const struct irq_list *list);
/* How often the CPUs have got an interrupt that belongs to no device ("LOC"); -ENOENT if the kernel has none such. */
long long irq_special(const char *row);
/*
 * How often in a row this interrupt has come without being handled, as the kernel sees it; a negative errno on failure. At
 * 100,000 it switches the interrupt off.
 */
long long irq_unhandled(unsigned int number);
/* Interrupts that came with a vector that nobody has. */
unsigned int irq_stray_lines(int kmsg);

/* CPUs that the machine has, online or not. */
unsigned int cpu_count(void);
int irq_move(unsigned int number, unsigned int cpu);
/* The CPUs that an interrupt may go to, and those that it goes to: a bit for each of the first 32. */
__u32 irq_allowed(unsigned int number);
__u32 irq_target(unsigned int number);
int cpu_online(unsigned int cpu, bool online);

#endif
