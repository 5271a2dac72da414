#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# speed.sh TYPE: reads of the scratch drive, each when it is asked for by a line "sequential MS" or "random MS" on
# ttyS1; "end" ends it. TYPE is the domain that the drive has to be in, or "none" for a machine without IOMMU, where the
# module is not loaded.

cd "$(dirname "$0")" || exit 1
type=$1

fail()
{
	echo "FAILED: $*"
	exit 1
}

# Sets $drive and its $controller.
find_drive()
{
	tries=0
	while [ $tries -lt 200 ]; do
		for controller in /sys/class/nvme/*; do
			drive=/dev/$(basename "$controller")n1
			if grep -q '^scratch ' "$controller/serial" 2>/dev/null && [ -b "$drive" ]; then
				return
			fi
		done
		usleep 100000
		tries=$((tries + 1))
	done
	fail "no scratch drive"
}

if [ "$type" != none ]; then
	insmod "$VIOMMU_KO" || fail "insmod"
fi
modprobe nvme || fail "modprobe nvme"
find_drive
has=$(cat "$controller/device/iommu_group/type" 2>/dev/null)
[ "${has:-none}" = "$type" ] || fail "the drive's domain is '$has'"

# The first reads are slower: the emulator has not translated their code yet.
for order in sequential random; do
	./speed "$drive" $order 1000 >/dev/null || fail "$order"
done
echo "ready: $drive, domain $type"
while read -r order ms; do
	[ "$order" != end ] || exit 0
	./speed "$drive" "$order" "$ms" || fail "$order"
done </dev/ttyS1
fail "nobody asks"
