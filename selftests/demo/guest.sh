#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# guest.sh SCENARIO FORMAT TYPE: a guest at work with an NVMe drive and an e1000e card that its host has passed through.
# FORMAT is that of the page tables of its IOMMU driver, "none" for a machine without IOMMU; TYPE is what the domains of the
# devices have to be. SCENARIO is "once", "reboot" (the same twice, with a reboot between), "endless" (I/O
# until somebody ends it), "blocked" (devices that reach no memory, and a guest that goes on), or "hostile" (a program that
# has the IOMMU interrupt for completions, one that does to it what no driver does, then I/O without it). Ends with lines
# "result guest.NAME VALUE"; the exit status is 0 only if everything held.

cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/demo/parts.sh
. ./parts.sh
# shellcheck source=selftests/demo/built-in.sh
. ./built-in.sh
# shellcheck source=selftests/demo/events.sh
. ./events.sh
# shellcheck source=selftests/demo/blocked.sh
. ./blocked.sh
# shellcheck source=selftests/demo/astray.sh
. ./astray.sh
# shellcheck source=selftests/demo/forge.sh
. ./forge.sh
machine=guest
scenario=$1
format=$2
type=$3

# mark NAME: the host does what it has to do at this point before the guest goes on.
mark()
{
	echo "mark $1"
	read -r _ </dev/hvc1
}

# What the guest counts lies between the marks, so the hardware may have seen more of it, but not less.
count_begin()
{
	[ "$format" != none ] || return 0
	maps=$(events iommu/map)
	unmaps=$(events iommu/unmap)
}

count_end()
{
	[ "$format" != none ] || return 0
	result maps $(($(events iommu/map) - maps))
	result unmaps $(($(events iommu/unmap) - unmaps))
}

# Domains get the type that is asked for while their devices have no driver.
choose_type()
{
	for group in /sys/kernel/iommu_groups/*; do
		class=$(cat "$group"/devices/*/class)
		case $class in
		0x010802 | 0x020000) echo "$type" >"$group/type" || failure "type of $group" ;;
		esac
	done
}

# What was written before the reboot is there after it. The first boot ends here.
boot_again()
{
	drive=$(data_drive)
	mount -t ext4 "$drive" "$mnt" || failure "mount of '$drive'"
	if [ -e "$mnt/rebooted" ]; then
		stage "this is the second boot"
		umount "$mnt"
		return
	fi
	: >"$mnt/rebooted"
	umount "$mnt"
	if [ $failed != 0 ]; then
		verdict
	fi
	stage "rebooting"
	sync
	reboot -f
	sleep 60
	failure "the reboot did not come"
}

stage "$(uname -r), command line '$(cat /proc/cmdline)'"
if [ "$format" != none ]; then
	built_in_driver
	table_format
	choose_type
	count_events iommu/map common_pid
	count_events iommu/unmap common_pid
fi
result kernel "$(uname -r)"
if [ "$scenario" = blocked ]; then
	see_blocked
	result format "$used"
	verdict
	exit
fi
if [ "$scenario" = hostile ]; then
	stage "driving the IOMMU by interrupts"
	./completions || failure "completions: status $?"
	mark completions
	stage "playing a hostile IOMMU driver"
	./hostile || failure "hostile: status $?"
fi
load_drivers
if [ "$format" != none ]; then
	domain_types
	result format "$used"
	result type "$has"
fi
if [ "$scenario" = endless ]; then
	use_files
	# A guest that does not work ends here, which is not what its host expects.
	[ $failed = 0 ] || verdict
	mark working
	while :; do
		use_drive
		use_network
	done
fi
mark begin
count_begin
use_files
use_drive
use_network
count_end
mark end
[ "$format" = none ] || go_astray
forge_interrupts
bytes_verified
result bytes $((file_bytes + drive_bytes + network_bytes))
[ "$scenario" != reboot ] || boot_again
verdict
