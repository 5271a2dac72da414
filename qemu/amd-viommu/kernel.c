// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/amd-viommu as functions. What fails is reported once for each call and
 * error: a guest can provoke most errors as often as it likes.
 */
#include "amd-viommu.h"
#include <sys/ioctl.h>
#include <linux/amd-viommu.h>
#include "qapi/error.h"
#include "qemu/error-report.h"

#define NODE	"/dev/amd-viommu"

static const char * const viommu_call_names[VIOMMU_CALLS] = {
	"GET_INFO", "VM_INIT", "VM_DESTROY", "VM_RESET", "VM_RUN", "DEVICE_ATTACH",
	"DEVICE_DETACH", "DOMAIN_ATTACH", "DOMAIN_DETACH", "MMIO_ACCESS",
	"CMDBUF_MAP_UPDATE", "SET_EVENTFD",
};

const char *viommu_call_name(unsigned int number)
{
	return viommu_call_names[number];
}

static int viommu_call(AmdViommu *s, unsigned long number, void *argument)
{
	if (viommu_is_gone(s))
		return -ENODEV;
	viommu_count_call(s, _IOC_NR(number));
	return ioctl(s->fd, number, argument) < 0 ? -errno : 0;
}

/* Errno 63 stands for all that are larger. */
static int viommu_complain(AmdViommu *s, unsigned long number, int ret, const char *what)
{
	unsigned int call = _IOC_NR(number);
	uint64_t bit = 1ULL << MIN(-ret, 63);

	if (ret == -ENODEV)
		viommu_set_gone(s);
	else if (ret < 0 && !(qatomic_fetch_or(&s->reported[call], bit) & bit))
		error_report(TYPE_AMD_VIOMMU ": %s%s: %s (said once)", viommu_call_names[call],
			     what, strerror(-ret));
	return ret;
}

/* The host IOMMU that the user names, or else the first that can serve guests. */
static bool viommu_is_wanted(AmdViommu *s, const struct amd_viommu_info *info)
{
	const PCIHostDeviceAddress *host = &s->host;

	if (host->domain == ~0U)
		return info->modes & AMD_VIOMMU_MODE_GPA;
	return info->host == (host->domain << 16 | host->bus << 8 |
			      PCI_DEVFN(host->slot, host->function));
}

static void viommu_no_such_host(AmdViommu *s, int ret, Error **errp)
{
	const PCIHostDeviceAddress *host = &s->host;

	if (ret != -ENODEV)
		error_setg_errno(errp, -ret, TYPE_AMD_VIOMMU ": GET_INFO");
	else if (host->domain == ~0U)
		error_setg(errp, TYPE_AMD_VIOMMU ": the host has no IOMMU that can serve guests");
	else
		error_setg(errp, TYPE_AMD_VIOMMU ": host=%04x:%02x:%02x.%x is no IOMMU of the host",
			   host->domain, host->bus, host->slot, host->function);
}

static bool viommu_get_info(AmdViommu *s, Error **errp)
{
	struct amd_viommu_info info = {};
	uint32_t index;
	int ret;

	for (index = 0;; index++) {
		info = (struct amd_viommu_info){ .size = sizeof(info), .index = index };
		ret = viommu_call(s, AMD_VIOMMU_GET_INFO, &info);
		if (ret) {
			viommu_no_such_host(s, ret, errp);
			return false;
		}
		if (viommu_is_wanted(s, &info))
			break;
	}
	if (!(info.modes & AMD_VIOMMU_MODE_GPA)) {
		error_setg(errp, TYPE_AMD_VIOMMU ": the host IOMMU cannot serve guests");
		return false;
	}
	s->host_id = info.host;
	snprintf(s->host_name, sizeof(s->host_name), "%04x:%02x:%02x.%x", info.host >> 16,
		 info.host >> 8 & 0xff, PCI_SLOT(info.host), PCI_FUNC(info.host));
	s->efr = info.guest_efr;
	s->efr2 = info.guest_efr2;
	return true;
}

bool viommu_open(AmdViommu *s, Error **errp)
{
	s->fd = qemu_open(NODE, O_RDWR, errp);
	return s->fd >= 0 && viommu_get_info(s, errp);
}

static bool viommu_map_page(AmdViommu *s, uint64_t offset, uint64_t length, Error **errp)
{
	void *page = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, offset);

	if (page == MAP_FAILED) {
		error_setg_errno(errp, errno, TYPE_AMD_VIOMMU ": mapping the VF page");
		return false;
	}
	if (length != VIOMMU_PAGE) {
		error_setg(errp, TYPE_AMD_VIOMMU ": the VF page has %" PRIu64 " bytes", length);
		munmap(page, length);
		return false;
	}
	s->vf_page = page;
	return true;
}

bool viommu_init_vm(AmdViommu *s, const struct viommu_device *first, Error **errp)
{
	struct amd_viommu_vm_init init = {
		.size = sizeof(init),
		.host = s->host_id,
		.device = first->host,
		.group_fd = first->group_fd,
	};
	int ret = viommu_call(s, AMD_VIOMMU_VM_INIT, &init);

	if (ret) {
		error_setg_errno(errp, -ret, TYPE_AMD_VIOMMU
				 ": VM_INIT on the host's IOMMU %s with device '%s'",
				 s->host_name, first->name);
		return false;
	}
	s->handle = init.handle;
	s->opened = true;
	return viommu_map_page(s, init.mmap_offset, init.mmap_len, errp);
}

static int viommu_vm_call(AmdViommu *s, unsigned long number, uint32_t flags)
{
	struct amd_viommu_vm vm = { .size = sizeof(vm), .flags = flags, .handle = s->handle };

	if (!s->opened)
		return 0;
	return viommu_complain(s, number, viommu_call(s, number, &vm), "");
}

int viommu_reset_vm(AmdViommu *s)
{
	int ret = viommu_vm_call(s, AMD_VIOMMU_VM_RESET, 0);

	if (!ret)
		s->failed = false;
	return ret;
}

int viommu_run(AmdViommu *s, bool run)
{
	return viommu_vm_call(s, AMD_VIOMMU_VM_RUN, run ? AMD_VIOMMU_RUN : 0);
}

int viommu_attach_device(AmdViommu *s, const struct viommu_device *device)
{
	struct amd_viommu_device attach = {
		.size = sizeof(attach),
		.handle = s->handle,
		.guest_id = device->guest_id,
		.device = device->host,
		.group_fd = device->group_fd,
	};

	return viommu_call(s, AMD_VIOMMU_DEVICE_ATTACH, &attach);
}

/* Version 1 page tables in the guest are no error of this program: the caller says more. */
int viommu_attach_entry(AmdViommu *s, uint16_t guest_id, const uint64_t entry[4])
{
	struct amd_viommu_domain attach = {
		.size = sizeof(attach),
		.handle = s->handle,
		.guest_id = guest_id,
	};
	int ret;

	memcpy(attach.dte, entry, sizeof(attach.dte));
	ret = viommu_call(s, AMD_VIOMMU_DOMAIN_ATTACH, &attach);
	return ret == -EOPNOTSUPP ? ret : viommu_complain(s, AMD_VIOMMU_DOMAIN_ATTACH, ret, "");
}

void viommu_detach_entry(AmdViommu *s, uint16_t guest_id)
{
	struct amd_viommu_domain detach = {
		.size = sizeof(detach),
		.handle = s->handle,
		.guest_id = guest_id,
	};

	viommu_complain(s, AMD_VIOMMU_DOMAIN_DETACH,
			viommu_call(s, AMD_VIOMMU_DOMAIN_DETACH, &detach), "");
}

uint64_t viommu_read_register(AmdViommu *s, uint32_t offset, unsigned int size)
{
	struct amd_viommu_mmio access = {
		.size = sizeof(access),
		.handle = s->handle,
		.offset = offset,
		.length = size,
	};
	int ret = viommu_call(s, AMD_VIOMMU_MMIO_ACCESS, &access);

	viommu_complain(s, AMD_VIOMMU_MMIO_ACCESS, ret, " (read)");
	/* An IOMMU that has gone reads as all ones. */
	return ret ? UINT64_MAX : access.value;
}

void viommu_write_register(AmdViommu *s, uint32_t offset, unsigned int size, uint64_t value)
{
	struct amd_viommu_mmio access = {
		.size = sizeof(access),
		.flags = AMD_VIOMMU_MMIO_WRITE,
		.handle = s->handle,
		.offset = offset,
		.length = size,
		.value = value,
	};

	viommu_complain(s, AMD_VIOMMU_MMIO_ACCESS,
			viommu_call(s, AMD_VIOMMU_MMIO_ACCESS, &access), " (write)");
}

void viommu_map_queue(AmdViommu *s, uint32_t queue, uint64_t address, uint64_t length)
{
	struct amd_viommu_queue map = {
		.size = sizeof(map),
		.handle = s->handle,
		.queue = queue,
		.address = address,
		.length = length,
	};

	viommu_complain(s, AMD_VIOMMU_CMDBUF_MAP_UPDATE,
			viommu_call(s, AMD_VIOMMU_CMDBUF_MAP_UPDATE, &map), "");
}

/* What this means to the guest the caller says. */
int viommu_set_eventfd(AmdViommu *s, int fd)
{
	struct amd_viommu_eventfd eventfd = {
		.size = sizeof(eventfd),
		.handle = s->handle,
		.interrupt = AMD_VIOMMU_INTERRUPT_EVENT,
		.fd = fd,
	};

	return viommu_call(s, AMD_VIOMMU_SET_EVENTFD, &eventfd);
}
