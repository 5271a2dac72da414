# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# What the kernel's built-in IOMMU driver says of itself, and what the kernel says of its devices. Sourced after parts.sh;
# $format is what the page tables have to be, $type what the domains have to be.

built_in_driver()
{
	stage "the kernel's IOMMU driver: $(echo /sys/class/iommu/*)"
	[ -e /sys/class/iommu/ivhd0 ] || failure "the kernel runs without an IOMMU driver"
	dmesg | grep -E 'AMD-Vi|iommu: ' | sed 's/^[^]]*] //' | detail
}

# The driver falls back to v1 with a line in the log only.
table_format()
{
	used=v1
	dmesg | grep -q 'AMD-Vi: V2 page table enabled' && used=v2
	[ "$used" = "$format" ] || failure "page tables are $used"
}

load_drivers()
{
	stage "loading nvme, ext4, e1000e"
	# A module on some kernels, which ext4 asks for; but nothing loads by itself here.
	modprobe crc32c_generic 2>/dev/null
	for name in nvme ext4 e1000e; do
		modprobe "$name" || failure "modprobe $name"
	done
}

# Every device of one of these drivers is in a group of its own, and its domain is of the type that was asked for.
domain_types()
{
	found=0 groups=
	for device in /sys/bus/pci/drivers/nvme/0* /sys/bus/pci/drivers/e1000e/0*; do
		[ -e "$device" ] || continue
		found=$((found + 1))
		has=$(cat "$device/iommu_group/type" 2>/dev/null)
		group=$(basename "$(readlink "$device/iommu_group")")
		stage "$(basename "$device"): group $group, domain $has"
		case "$groups " in
		*" $group "*) failure "$(basename "$device") shares group $group" ;;
		esac
		groups="$groups $group"
		[ "$has" = "$type" ] || failure "the domain of $(basename "$device") is '$has'"
	done
	[ $found = 3 ] || failure "$found devices instead of 3 have their drivers"
}

# The test device amd-viommu-dma, if the machine has it.
test_device()
{
	for device in /sys/bus/pci/devices/*; do
		if [ "$(cat "$device/vendor" "$device/device" | tr '\n' ' ')" = "0x1234 0x0a11 " ]; then
			basename "$device"
		fi
	done
}

result()
{
	echo "result ${machine:+$machine.}$1 $2"
}

bytes_verified()
{
	for bytes in "$file_bytes" "$drive_bytes" "$network_bytes"; do
		[ "${bytes:-0}" -gt 0 ] || failure "a part verified nothing"
	done
}

# The last line, and the exit status.
verdict()
{
	if [ $failed = 0 ]; then
		stage "everything held"
	else
		stage "$failed parts FAILED"
		exit 1
	fi
}
