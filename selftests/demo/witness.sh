#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# witness.sh FORMAT TYPE REMAPPING: the kernel's built-in IOMMU driver, with an NVMe drive and an e1000e card behind
# it. FORMAT is that of its page tables, v1 or v2; TYPE is what the domains of both devices have to be, DMA or DMA-FQ;
# REMAPPING is whether it has to remap interrupts, on or off.
# Ends with lines "result NAME VALUE"; the exit status is 0 only if everything held.

cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/demo/parts.sh
. ./parts.sh
# shellcheck source=selftests/demo/built-in.sh
. ./built-in.sh
format=$1
type=$2
remapping=$3
faults=0
forged=0

# stray read|write ADDRESS FLAGS: the device touches an address without mapping; the driver has to say so in one
# line with the right device, address and flags. The requests have no PASID, so the event names the domain, with
# GN = 0, behind a v2 table too (hardware.md 3.5).
stray()
{
	line="pci $requester: AMD-Vi: Event logged \[IO_PAGE_FAULT domain=0x0*[1-9a-f][0-9a-f]* address=$2 flags=$3\]"
	./stray "$requester" "$1" "$2" >"$work/out" 2>&1 || failure "$1 at $2 was not refused"
	detail <"$work/out"
	tries=0
	while [ $tries -lt 50 ] && ! dmesg | grep -q "$line"; do
		usleep 100000
		tries=$((tries + 1))
	done
	dmesg | grep 'AMD-Vi: Event logged' | tail -n 1 | detail
	[ "$(dmesg | grep -c "$line")" = 1 ] || failure "no line, or more than one, like: $line"
	faults=$((faults + 1))
	[ "$(dmesg | grep -c 'AMD-Vi: Event logged')" = $faults ] || failure "there are other events"
}

see_faults()
{
	requester=$(test_device)
	if [ -z "$requester" ]; then
		stage "no device that can go astray"
		return
	fi
	stage "$requester: reads and writes where nothing is mapped"
	# RW; PR is 0, for nothing is there.
	stray write 0x12345678 0x0020
	stray read 0x40000000 0x0000
	# I: the device has no interrupt of its own, let alone this one.
	stray write 0xfee00000 0x0008
	forged=1
}

built_in_driver
table_format
load_drivers
use_files
use_drive
use_network
domain_types
stage "interrupts: remapping is to be $remapping"
interrupts_remapped "$remapping"
io_apic_remapped "$remapping"
see_faults

bytes_verified
result kernel "$(uname -r)"
result bytes $((file_bytes + drive_bytes + network_bytes))
result type "$has"
result format "$used"
result remapping "$remapping"
result faults $faults
result forged $forged
verdict
