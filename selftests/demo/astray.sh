# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# A device of the guest goes astray, and the guest's own IOMMU driver says so: its event log has interrupted it, since it
# does not look by itself. Sourced after built-in.sh.

# How often the IOMMU has interrupted.
iommu_interrupts()
{
	awk '/AMD-Vi/ { for (n = 2; n <= NF && $n ~ /^[0-9]+$/; n++) sum += $n } END { print sum + 0 }' /proc/interrupts
}

# astray ADDRESS: the driver has to name the device and the address.
astray()
{
	line="$requester.*IO_PAGE_FAULT.* address=0x0*$1"
	./stray "$requester" write "0x$1" >"$work/out" 2>&1 || failure "a write to 0x$1 was not refused"
	detail <"$work/out"
	tries=0
	while [ $tries -lt 50 ] && ! dmesg | grep -q "$line"; do
		usleep 100000
		tries=$((tries + 1))
	done
	dmesg | grep "$line" | detail
	dmesg | grep -q "$line" || failure "the driver says nothing of 0x$1"
}

go_astray()
{
	requester=$(test_device)
	if [ -z "$requester" ]; then
		failure "no device that can go astray"
		return
	fi
	stage "$requester: writes where the guest has mapped nothing"
	before=$(iommu_interrupts)
	astray 12345678
	astray 23456780
	result iommu_interrupts $(($(iommu_interrupts) - before))
}
