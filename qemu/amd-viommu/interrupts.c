// SPDX-License-Identifier: GPL-2.0
/*
 * The interrupt of the guest's IOMMU. The kernel signals an eventfd, and KVM turns that
 * into the MSI that the guest has set up, without asking here. While the guest has none,
 * or without such a KVM, it comes here and is an MSI like that of any device.
 */
#include "amd-viommu.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "hw/pci/msi.h"
#include "system/kvm.h"

static void viommu_interrupt(EventNotifier *notifier)
{
	AmdViommu *s = container_of(notifier, AmdViommu, interrupt);
	PCIDevice *dev = PCI_DEVICE(s);

	if (event_notifier_test_and_clear(notifier) && msi_enabled(dev))
		msi_notify(dev, 0);
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

void viommu_update_interrupt(AmdViommu *s)
{
	PCIDevice *dev = PCI_DEVICE(s);

	if (!s->interrupts || !kvm_msi_via_irqfd_enabled())
		return;
	if (!msi_enabled(dev)) {
		if (s->route >= 0)
			viommu_by_us(s);
	} else if (s->route < 0) {
		viommu_by_kvm(s);
	} else {
		kvm_irqchip_update_msi_route(kvm_state, s->route, msi_get_message(dev, 0), dev);
		kvm_irqchip_commit_routes(kvm_state);
	}
}

/* On a host that does not remap interrupts the guest's driver finds events when it looks. */
bool viommu_interrupts_start(AmdViommu *s, Error **errp)
{
	int ret = event_notifier_init(&s->interrupt, 0);

	s->route = -1;
	if (ret) {
		error_setg_errno(errp, -ret, TYPE_AMD_VIOMMU ": eventfd");
		return false;
	}
	ret = viommu_set_eventfd(s, event_notifier_get_fd(&s->interrupt));
	if (ret) {
		warn_report(TYPE_AMD_VIOMMU ": no interrupts from the guest's IOMMU: %s",
			    strerror(-ret));
		event_notifier_cleanup(&s->interrupt);
		return true;
	}
	s->interrupts = true;
	event_notifier_set_handler(&s->interrupt, viommu_interrupt);
	return true;
}
