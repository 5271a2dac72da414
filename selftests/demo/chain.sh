#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# chain.sh SERIES IOMMU SCENARIO: the host in the chain. It runs this module, gives its drives and its network card to a
# guest with the kernel of that series, and shows what the guest says. IOMMU is "none" or "viommu". SCENARIO is "once",
# "reboot" (of the guest), "kill" (of the emulator, while the guest's devices work; then the host works with them), "v1" (a
# guest older than 7.x that nobody told to take v2 page tables), "hostile" (a guest whose IOMMU driver is out for harm), or
# "shell" (in the guest, on the console).
# Ends with lines "result host.NAME VALUE"; the exit status is 0 only if everything held. Where it writes "mark WORD", the
# machine around it keeps what its hardware has counted (scripts/lib/marks.sh).

cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/demo/parts.sh
. ./parts.sh
# shellcheck source=selftests/demo/built-in.sh
. ./built-in.sh
# shellcheck source=selftests/demo/events.sh
. ./events.sh
# shellcheck source=selftests/demo/vmm.sh
. ./vmm.sh
machine=host
series=$1
iommu=$2
scenario=$3
module=${VIOMMU_KO:-/lib/modules/$(uname -r)/updates/amd_viommu.ko}
device_statistics=/tmp/viommu.json

load_modules()
{
	stage "$(uname -r), loading amd_viommu, vfio-pci and kvm-amd"
	insmod "$module" || failure "insmod"
	dmesg | grep 'amd_viommu 0' | sed 's/^[^]]*] //' | head -n 5 | detail
	modprobe vfio_iommu_type1 || failure "modprobe vfio_iommu_type1"
	modprobe vfio-pci || failure "modprobe vfio-pci"
	modprobe kvm-amd || failure "modprobe kvm-amd"
}

# What must not happen while the guest's devices work: an exit because of an address of its IOMMU; a call of this module;
# a change of what VFIO maps (VFIO_IOMMU_MAP_DMA, VFIO_IOMMU_UNMAP_DMA).
count_costs()
{
	count_events kvm/kvm_mmio gpa "gpa >= 0xfed80000 && gpa <= 0xfed83fff"
	count_events syscalls/sys_enter_ioctl cmd
}

# Lines "NAME NUMBER". The numbers of this module's calls have b9 in their second byte.
costs()
{
	echo "exits $(events kvm/kvm_mmio)"
	echo "ioctls $(events_like syscalls/sys_enter_ioctl '.*b9..')"
	echo "vfio_maps $(events_like syscalls/sys_enter_ioctl '3b71|3b72')"
}

# What the module says of guests, in a file.
module_guests()
{
	cat /sys/kernel/debug/amd_viommu/ivhd0/guests >"$work/guests" || failure "the module does not say which guests it has"
}

# mark WORD
mark()
{
	echo "mark $1"
	read -r _ </dev/ttyS1
}

on_mark()
{
	case $1 in
	begin)
		mark begin
		costs >"$work/costs.begin"
		if [ "$iommu" != none ]; then
			stage "the module's guests"
			module_guests
			detail <"$work/guests"
		fi
		;;
	end)
		costs >"$work/costs.end" && costs_at_work
		mark end
		;;
	completions) mark completions ;;
	working) kill_at_work & ;;
	esac
}

# The marks tell that the devices worked in the last seconds.
kill_at_work()
{
	sleep 3
	mark begin
	sleep 2
	mark end
	stage "killing QEMU"
	kill_vmm
}

# cost FILE NAME: the sum of the lines of this name.
cost()
{
	awk -v name="$2" '$1 == name { sum += $2 } END { print sum + 0 }' "$work/costs.$1"
}

# A guest that boots twice works twice.
costs_at_work()
{
	for name in exits ioctls vfio_maps; do
		echo "$name $(($(cost end $name) - $(cost begin $name)))" >>"$work/costs.at_work"
	done
}

# result_costs: what was counted in all, and between the marks, if they were ever reached.
result_costs()
{
	costs >"$work/costs.all"
	for name in exits ioctls vfio_maps; do
		result $name "$(cost all $name)"
		[ ! -e "$work/costs.at_work" ] || result ${name}_at_work "$(cost at_work $name)"
	done
}

# The guest's IOMMU driver takes v2 page tables by itself, or because it is told to.
guest_options()
{
	case $series/$scenario in
	*/hostile) echo "amd_iommu=off iomem=relaxed memmap=16M\$0x10000000" ;;
	7.*/* | */v1) echo "" ;;
	*) echo "amd_iommu=pgtbl_v2" ;;
	esac
}

# What QEMU's device has counted, "NAME { count: NUMBER, [...]" and "NAME NUMBER", as results.
result_device()
{
	[ -e $device_statistics ] || failure "QEMU's device left no statistics"
	tr -d '":,' <$device_statistics | awk '$2 == "{" && $3 == "count" { print $1, $4 } NF == 2 { print }' >"$work/device"
	while read -r name value; do
		result "device.$name" "$value"
	done <"$work/device"
}

# What QEMU has to say: of each device with a v1 table that it is blocked, and why; of what it is refused, as the kernel
# reports, five lines; of the test device, which has no reset, that it cannot be reset; of everything else nothing. A hostile
# guest may also move its table where there is no memory, make entries that nobody can use, and stop its queues.
judge_words()
{
	blocked="amd-viommu: 00:1[2345]\.0 is blocked: page table of version 1 \(guest without amd_iommu=pgtbl_v2\)\$"
	refused="amd-viommu: device 00:1[2345]\.0 of the guest was refused 0x[0-9a-f]* by the host \(event 2, flags 0x[0-9a-f]*\)\$"
	# Of which there are five lines at most, and then one that says so.
	no_more="amd-viommu: no more of these are shown \(counted as event-device\)\$"
	reported="$refused|$no_more"
	no_reset="vfio: Cannot reset device $stray_device, no available reset mechanism\.\$"
	said=
	if [ "$scenario" = hostile ]; then
		said="|amd-viommu: (the guest's device table is not in its memory|DOMAIN_ATTACH: Invalid argument \(said once\))\$"
		reported="$reported|amd-viommu: device 00:1[2345]\.0 of the guest (was refused .*|has caused too many events)\$"
		reported="$reported|amd-viommu: (an error of the guest has stopped its queue|the guest's queue has stopped, the host does not say why|the host's IOMMU failed for the guest .*)\$"
		reported="$reported|^The queues of the guest's IOMMU rest until its driver starts over\.\$"
		reported="$reported|amd-viommu: no more of these are shown \(counted as event-(queue|hardware|hushed)\)\$"
		reported="$reported|amd-viommu: reports of the kernel were lost \(said once, counted as events-[a-z]*\)\$"
	fi
	result blocked "$(grep -cE "$blocked" $vmm_log)"
	result refused "$(grep -cE "$refused" $vmm_log)"
	result no_more "$(grep -cE "$no_more" $vmm_log)"
	result other_words "$(grep -vcE "$blocked|$reported|$no_reset$said" $vmm_log)"
	result repeated_words "$(grep -vE "$blocked|$reported|$no_reset" $vmm_log | tr -d 0-9 | sort | uniq -d | wc -l)"
}

# How many interrupts of the test device the host's log says were refused. Other devices have not forged any.
logged_forgeries()
{
	dmesg | grep -E 'IO_PAGE_FAULT device=.* flags=\[([A-Z]+ )*I( [A-Z]+)*\]' >"$work/forged"
	detail <"$work/forged"
	result forged_logged "$(grep -c "device=$stray_device " "$work/forged")"
	! grep -qv "device=$stray_device " "$work/forged" || failure "the log names another device for a forged interrupt"
}

# guest START: the guest with its program; START is one of the functions that begin one.
guest()
{
	case $scenario in
	once | reboot | shell | hostile) program=$scenario ;;
	kill) program=endless ;;
	v1) program=blocked ;;
	esac
	format=none type=none options=
	if [ "$iommu" != none ]; then
		format=v2 type=DMA options=$(guest_options)
		case $scenario in
		v1) format=v1 ;;
		hostile) format=none type=none ;;
		esac
	fi
	append="$options viommu.run=$here/guest.sh $program $format $type"
	[ "$scenario" != shell ] || append=$options
	set -- "$1" "$series" "$append"
	# Interrupts of its IOMMU come to a guest with 6.12 as where KVM cannot send them.
	no_kvm_msi=off
	[ "$series" != 6.12 ] || no_kvm_msi=on
	[ "$iommu" = none ] || set -- "$@" -device \
		"amd-viommu,id=viommu,host=0000:00:0f.0,stats=$device_statistics,x-no-kvm-msi=$no_kvm_msi"
	[ "$scenario" = reboot ] || set -- "$@" -no-reboot
	"$@"
}

run_guest()
{
	guest start_guest
	follow_guest
	status=$?
	judge_words
	if [ "$iommu" != none ]; then
		module_guests
		[ ! -s "$work/guests" ] || failure "the module still has: $(cat "$work/guests")"
	fi
	if [ "$scenario" = kill ]; then
		if [ ! -e /tmp/vmm.killed ] || [ "$(cat /tmp/vmm.status)" != 137 ]; then
			failure "QEMU was not killed, but ended with $(cat /tmp/vmm.status)"
		fi
		work_with_devices
	else
		[ $status = 0 ] || failure "the guest's status is $status"
		[ "$(cat /tmp/vmm.status)" = 0 ] || failure "QEMU's status is $(cat /tmp/vmm.status)"
		result_costs
		logged_forgeries
		[ "$iommu" = none ] || result_device
	fi
}

# The devices that the guest had, with the host's drivers.
work_with_devices()
{
	stage "the devices are back: nvme, e1000e"
	load_drivers
	give_back
	use_files
	use_drive
	use_network
	bytes_verified
	result bytes $((file_bytes + drive_bytes + network_bytes))
}

load_modules
give_to_vfio
make_guest_initrd "$series"
stage "starting a guest with $(cat "$guests/$series/release")"
if [ "$scenario" = shell ]; then
	guest guest_shell </dev/console
	exit
fi
count_costs
run_guest
verdict
