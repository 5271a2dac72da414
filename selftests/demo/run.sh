#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the module does, shown on a machine with an NVMe drive, an e1000e card and edu devices
# behind an AMD IOMMU. The last lines are a table; the exit status is 0 only if everything held.

cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/demo/parts.sh
. ./parts.sh
module=${VIOMMU_KO:-/lib/modules/$(uname -r)/updates/amd_viommu.ko}
stats=/sys/kernel/debug/amd_viommu/ivhd0/stats
log_lines=0

# count NAME: one of the module's counters; "-" when there is no module to ask.
count()
{
	value=$(sed -n "s/^$1 //p" $stats 2>/dev/null)
	echo "${value:--}"
}

load_module()
{
	log_lines=$(dmesg | wc -l)
	if [ -n "$(ls /sys/class/iommu 2>/dev/null)" ]; then
		stage "an IOMMU driver is running already: $(echo /sys/class/iommu/*)"
		return
	fi
	stage "loading amd_viommu on a kernel that runs without an IOMMU driver"
	insmod "$module" || failure "insmod"
	dmesg | tail -n +$((log_lines + 1)) | grep -i 'viommu' | head -n 5 | detail
}

load_clients()
{
	stage "loading the client drivers: nvme, e1000e, vfio-pci"
	for name in nvme ext4 e1000e vfio-pci vfio_iommu_type1; do
		modprobe "$name" || failure "modprobe $name"
	done
}

# One line for each PCI device that has a group, or a driver.
devices_table()
{
	printf '  %-14s %-10s %-12s %5s  %s\n' device class driver group domain
	for device in /sys/bus/pci/devices/*; do
		driver=- group=- type=-
		[ ! -e "$device/driver" ] || driver=$(basename "$(readlink "$device/driver")")
		if [ -e "$device/iommu_group" ]; then
			group=$(basename "$(readlink "$device/iommu_group")")
			type=$(cat "$device/iommu_group/type")
		fi
		[ "$driver$group" = "--" ] ||
			printf '  %-14s %-10s %-12s %5s  %s\n' "$(basename "$device")" \
				"$(cat "$device/class")" "$driver" "$group" "$type"
	done
}

# The drives' and the card's interrupts are gone when the programs end: to be called while their drivers are bound.
show_interrupts()
{
	stage "interrupts go through the IOMMU's tables"
	interrupts_remapped on
	[ $raised -gt 0 ] || failure "no interrupt was raised"
}

log_is_clean()
{
	dmesg | tail -n +$((log_lines + 1)) |
		grep -E 'WARNING:|BUG:|Oops|Call Trace|KASAN|UBSAN|COMMAND_.*ERROR|timed out' |
		grep -v 'clocksource' >"$work/out"
	[ ! -s "$work/out" ] || {
		detail <"$work/out"
		failure "the kernel log has complaints"
	}
}

summary()
{
	stage "done"
	devices_table
	printf '  %-34s %s\n' \
		"bytes verified, files" "$file_bytes" \
		"bytes verified, drive under load" "$drive_bytes" \
		"bytes verified, network" "$network_bytes" \
		"bytes verified, edu to user memory" "$edu_bytes" \
		"commands to the IOMMU" "$(count commands)" \
		"completion waits" "$(count completion_waits)" \
		"waits that timed out" "$(count completion_timeouts)" \
		"interrupts remapped" "$raised" \
		"faults expected" "$result_expected" \
		"faults seen" "$result_seen"
}

load_module
load_clients
use_files

use_drive
use_network
show_interrupts

stage "VFIO: an edu device does DMA into a user program"
client edu
edu_bytes=$result_bytes

stage "VFIO: the device touches an address that nobody mapped"
client fault
[ "$result_expected" = "$result_seen" ] || failure "faults"

log_is_clean
for bytes in "$file_bytes" "$drive_bytes" "$network_bytes" "$edu_bytes"; do
	[ "${bytes:-0}" -gt 0 ] || failure "a part verified nothing"
done
timeouts=$(count completion_timeouts)
[ "$timeouts" = 0 ] || [ "$timeouts" = - ] || failure "$timeouts waits timed out"
summary
if [ $failed = 0 ]; then
	stage "everything held"
else
	stage "$failed parts FAILED"
	exit 1
fi
