// SPDX-License-Identifier: GPL-2.0
/*
 * The interrupt of the guest's IOMMU. The kernel signals an eventfd, and KVM turns that
 * into the MSI that the guest has set up, without asking here. While the guest has none,
 * or where KVM does not do that (kernel-irqchip=off, no route is free), it comes here.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "hw/i386/apic_internal.h"
#include "system/kvm.h"

/*
 * Not msi_notify(), which writes as the function does: Linux never makes an IOMMU a bus
 * master, and nothing would arrive.
 */
static void viommu_interrupt(EventNotifier *notifier)
{
	AmdViommu *s = container_of(notifier, AmdViommu, interrupt);
	PCIDevice *dev = PCI_DEVICE(s);
	MSIMessage msg;

	if (!event_notifier_test_and_clear(notifier) || !msi_enabled(dev))
		return;
	msg = msi_get_message(dev, 0);
	apic_get_class(NULL)->send_msi(&msg);
	viommu_count(s, &s->stats.sent);
}

static void viommu_by_kvm(AmdViommu *s)
{
	KVMRouteChange change = kvm_irqchip_begin_route_changes(kvm_state);
	int route = kvm_irqchip_add_msi_route(&change, 0, PCI_DEVICE(s));

	if (route < 0)
		return;
	kvm_irqchip_commit_route_changes(&change);
	event_notifier_set_handler(&s->interrupt, NULL);
	if (!kvm_irqchip_add_irqfd_notifier_gsi(kvm_state, &s->interrupt, NULL, route)) {
		s->route = route;
		s->routed = msi_get_message(PCI_DEVICE(s), 0);
		return;
	}
	kvm_irqchip_release_virq(kvm_state, route);
	event_notifier_set_handler(&s->interrupt, viommu_interrupt);
}

static void viommu_by_us(AmdViommu *s)
{
	kvm_irqchip_remove_irqfd_notifier_gsi(kvm_state, &s->interrupt, s->route);
	kvm_irqchip_release_virq(kvm_state, s->route);
	s->route = -1;
	event_notifier_set_handler(&s->interrupt, viommu_interrupt);
}

/* A new route is a change of all routes of the machine, which the guest's other writes are not worth. */
static void viommu_change_route(AmdViommu *s)
{
	PCIDevice *dev = PCI_DEVICE(s);
	MSIMessage msg = msi_get_message(dev, 0);

	if (msg.address == s->routed.address && msg.data == s->routed.data)
		return;
	s->routed = msg;
	kvm_irqchip_update_msi_route(kvm_state, s->route, msg, dev);
	kvm_irqchip_commit_routes(kvm_state);
}

void viommu_update_interrupt(AmdViommu *s)
{
	PCIDevice *dev = PCI_DEVICE(s);

	if (!s->interrupts || s->no_kvm_msi || !kvm_msi_via_irqfd_enabled())
		return;
	if (!msi_enabled(dev)) {
		if (s->route >= 0)
			viommu_by_us(s);
	} else if (s->route < 0) {
		viommu_by_kvm(s);
	} else {
		viommu_change_route(s);
	}
}

/*
 * A host that does not remap interrupts says EOPNOTSUPP. The guest's driver hears of no event then:
 * it does not look by itself. For completions it does. That may be for good, so the guest has to do
 * without; other errors, as ENOSPC of a host without vectors to spare, are for whoever starts QEMU to
 * mend, and it does not start.
 */
bool viommu_interrupts_start(AmdViommu *s, Error **errp)
{
	int ret = event_notifier_init(&s->interrupt, 0);

	s->route = -1;
	if (ret) {
		error_setg_errno(errp, -ret, TYPE_AMD_VIOMMU ": eventfd");
		return false;
	}
	ret = viommu_set_eventfd(s, event_notifier_get_fd(&s->interrupt));
	if (!ret) {
		s->interrupts = true;
		event_notifier_set_handler(&s->interrupt, viommu_interrupt);
		return true;
	}
	event_notifier_cleanup(&s->interrupt);
	if (ret != -EOPNOTSUPP) {
		error_setg_errno(errp, -ret, TYPE_AMD_VIOMMU ": SET_EVENTFD");
		return false;
	}
	warn_report(TYPE_AMD_VIOMMU ": the host does not remap interrupts: the guest's IOMMU has none, and its driver will not hear of faults");
	return true;
}
