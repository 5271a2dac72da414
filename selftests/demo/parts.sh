# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0
# NVMe and e1000e at work, with every byte verified. Sourced in the folder of demo_client; what is
# verified is counted in $file_bytes, $drive_bytes and $network_bytes, the devices' interrupts in $raised, what went wrong in
# $failed. $machine says whose work it is, where there is more than one machine.

here=$(pwd)
work=/tmp/viommu-demo
mnt=$work/drive
begin=$(cut -d . -f 1 /proc/uptime)
failed=0
file_bytes=0
drive_bytes=0
network_bytes=0
raised=0

stage()
{
	printf '[%3ds] %s\n' $(($(cut -d . -f 1 /proc/uptime) - begin)) "${machine:+$machine: }$*"
}

detail()
{
	sed 's/^/         /'
}

failure()
{
	failed=$((failed + 1))
	stage "FAILED: $*"
}

# Runs demo_client and sets result_NAME for each of its results.
client()
{
	result_bytes=0 result_expected=0 result_seen=0
	"$here/demo_client" "$1" >"$work/out" 2>&1 || failure "demo_client $1"
	grep -v '^result ' "$work/out" | detail
	while read -r word name value; do
		case $word/$name in
		result/bytes) result_bytes=$value ;;
		result/expected) result_expected=$value ;;
		result/seen) result_seen=$value ;;
		esac
	done <"$work/out"
}

size_of()
{
	wc -c <"$1"
}

# data_drive: waits for the drive with the known files.
data_drive()
{
	tries=0
	while [ $tries -lt 100 ]; do
		for serial in /sys/class/nvme/*/serial; do
			if grep -q '^data ' "$serial" 2>/dev/null; then
				name=$(basename "$(dirname "$serial")")
				[ ! -b "/dev/${name}n1" ] || {
					echo "/dev/${name}n1"
					return
				}
			fi
		done
		usleep 100000
		tries=$((tries + 1))
	done
}

use_files()
{
	stage "NVMe: mounting, reading known files"
	drive=$(data_drive)
	mkdir -p "$mnt"
	mount -t ext4 -o noatime "$drive" "$mnt" 2>&1 || {
		failure "mount of '$drive'"
		return
	}
	(cd "$mnt" && sha256sum -c SHA256SUMS) >"$work/out" 2>&1 || failure "checksums"
	detail <"$work/out"
	for file in one-byte page odd-size large deep/file; do
		file_bytes=$((file_bytes + $(size_of "$mnt/$file")))
	done

	stage "NVMe: writing a copy, forgetting it, reading it back"
	cp "$mnt/large" "$mnt/copy" && sync
	echo 3 >/proc/sys/vm/drop_caches
	if cmp "$mnt/large" "$mnt/copy"; then
		file_bytes=$((file_bytes + $(size_of "$mnt/copy")))
	else
		failure "the copy differs"
	fi
	rm -f "$mnt/copy"
	umount "$mnt" || failure "umount"
}

use_drive()
{
	stage "NVMe: random writes and reads of four threads"
	client drive
	drive_bytes=$result_bytes
}

use_network()
{
	stage "e1000e: echoes and a file over the network"
	cd "$work" || exit 1
	client network
	cd "$here" || exit 1
	network_bytes=$result_bytes
	(cd "$work" && grep ' odd-size$' SHA256SUMS | sha256sum -c) >"$work/out" 2>&1 ||
		failure "checksum of the fetched file"
	detail <"$work/out"
}

# interrupts_remapped on|off: every interrupt of these drivers' devices goes through the IOMMU, and there were some; or
# none does. The name of the chip says so, and the device.
interrupts_remapped()
{
	chip=PCI-MSI
	[ "$1" = off ] || chip=IR-PCI-MSI
	for device in /sys/bus/pci/drivers/nvme/0* /sys/bus/pci/drivers/e1000e/0*; do
		[ -e "$device" ] || continue
		name=$(basename "$device")
		grep -E "PCI-MSIX?-$name" /proc/interrupts | awk -v "chip=$chip" '
			{ for (n = 2; n <= NF && $n ~ /^[0-9]+$/; n++) sum += $n }
			$n !~ "^" chip { other = $n }
			END {
				print NR " interrupts, raised " sum + 0 " times, by " (other ? other : chip)
				exit !(sum && !other)
			}' >"$work/out" || failure "the interrupts of $name are not all those of $chip"
		detail <"$work/out"
		raised=$((raised + $(awk '{ print $4 }' "$work/out")))
	done
}

# io_apic_remapped on|off: the same for the interrupt of the terminal that this is written to, which is the I/O APIC's.
io_apic_remapped()
{
	chip=IO-APIC
	[ "$1" = off ] || chip=IR-IO-APIC
	grep ttyS1 /proc/interrupts | awk -v "chip=$chip" '
		{ for (n = 2; n <= NF && $n ~ /^[0-9]+$/; n++) sum += $n; has = $n }
		END {
			print "ttyS1: raised " sum + 0 " times, by " has
			exit !(sum && has == chip)
		}' >"$work/out" || failure "the interrupt of ttyS1 is not one of $chip"
	detail <"$work/out"
}

mkdir -p $work
