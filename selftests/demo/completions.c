// SPDX-License-Identifier: GPL-2.0
/*
 * completions: in a guest that boots as for "hostile", a driver of its AMD IOMMU that has COMPLETION_WAIT
 * interrupt it, which Linux never does. The interrupt goes through all that one of the event log goes through,
 * but for the bit that allows it, and its vector is one that does nothing but be counted.
 *
 * As often the bit is off, and nothing may come. Ends with "result guest.completions NUMBER", the commands that have
 * been executed, and "result guest.completion_interrupts NUMBER"; status 1 if anything is not as it should be.
 */
#include <stdio.h>
#include <unistd.h>

#include "hostile_driver.h"
#include "irq.h"
#include "msi.h"
#include "pci.h"

/* Of the whole. */
#define PROGRAM_S	240
#define ROUNDS		2
#define WAITS		10
/* A machine that others use too may take as long. What comes too late is not counted. */
#define PATIENCE_MS	20000
#define SETTLE_MS	1000
#define MESSAGE_ADDRESS	0xfee00000ULL
#define VECTOR		0xf2		/* POSTED_INTR_VECTOR */
#define ROW		"PIN"

static unsigned int completions;
static long long before;

static long long interrupts(void)
{
	return irq_special(ROW) - before;
}

static bool set_message(bool enabled)
{
	struct msi_message message = { .address = MESSAGE_ADDRESS, .data = VECTOR, .enabled = enabled };
	struct pci_list list;

	pci_find_iommus(&list);
	if (list.count == 1 && !msi_write(list.name[0], &message))
		return true;
	fail("the message of the IOMMU cannot be set");
	return false;
}

/* The status bit has to be 0, or the next one does not interrupt. */
static bool wait_for_completion(void)
{
	__u64 deadline = now_ms() + PATIENCE_MS;

	write64(STATUS, COM_WAIT_INT);
	if (!execute(COMPLETION_INTERRUPT, COMPLETION_WAIT))
		return false;
	while (!(read64(STATUS) & COM_WAIT_INT)) {
		if (now_ms() > deadline) {
			fail("the status says of no completion");
			return false;
		}
	}
	completions++;
	return true;
}

static bool silent(void)
{
	long long had = interrupts();
	unsigned int n;

	for (n = 0; n < WAITS; n++) {
		if (!wait_for_completion())
			return false;
	}
	if (interrupts() == had)
		return true;
	fail("an interrupt that is off");
	return false;
}

static bool interrupting(void)
{
	long long had = interrupts();
	__u64 deadline;
	unsigned int n;

	for (n = 1; n <= WAITS; n++) {
		if (!wait_for_completion())
			return false;
		deadline = now_ms() + PATIENCE_MS;
		while (interrupts() < had + n && now_ms() < deadline)
			sleep_ms(1);
		if (interrupts() != had + n) {
			fail("not one interrupt for a completion");
			return false;
		}
	}
	return true;
}

/* The queue runs all the time. */
static void play(void)
{
	const __u64 off = IOMMU_EN | EVENT_LOG_EN | CMD_BUF_EN;
	unsigned int n;

	for (n = 0; n < ROUNDS; n++) {
		say("completions that may not interrupt");
		write64(CONTROL, off);
		if (!silent())
			return;
		say("completions that interrupt");
		write64(CONTROL, off | COM_WAIT_INT_EN);
		if (!interrupting())
			return;
	}
	sleep_ms(SETTLE_MS);
}

int main(void)
{
	before = irq_special(ROW);
	if (map_machine()) {
		perror("FAILED: /dev/mem");
		return 1;
	}
	alarm(PROGRAM_S);
	if (before < 0) {
		fail("the kernel has no vector for it");
	} else if (set_message(true)) {
		start_over(QUEUE_LENGTH);
		play();
		switch_off();
		set_message(false);
	}
	say("ready");
	printf("result guest.completions %u\n", completions);
	printf("result guest.completion_interrupts %lld\n", interrupts());
	return failed != 0;
}
