# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# A guest whose devices reach none of its memory, because its IOMMU driver gave them page tables that there are not. Sourced
# after parts.sh and built-in.sh.

# What a drive does not answer is given up after so many seconds, not after a minute.
patience=3

see_blocked()
{
	stage "loading nvme: the drives find no command in memory"
	modprobe nvme_core admin_timeout=$patience io_timeout=$patience || failure "modprobe nvme_core"
	modprobe nvme || failure "modprobe nvme"
	dmesg | grep ' nvme nvme' | sed 's/^[^]]*] //' | detail
	for device in /sys/bus/pci/drivers/nvme/0*; do
		[ ! -e "$device" ] || failure "$(basename "$device") works"
	done
	see_blocked_card
	see_life
}

# The card's registers are no memory, so its driver is content with it.
see_blocked_card()
{
	stage "loading e1000e: no packet leaves, and none comes"
	modprobe e1000e || failure "modprobe e1000e"
	card=$(ls /sys/bus/pci/drivers/e1000e/0*/net)
	ip link set "$card" up || failure "'$card' cannot be used"
	ip address add 10.0.2.15/24 dev "$card" || failure "'$card' has no address"
	if ping -c 1 -W 2 10.0.2.2 >"$work/out" 2>&1; then
		failure "an echo came back"
	fi
	detail <"$work/out"
	ip link set "$card" down
}

# What needs no device works.
see_life()
{
	stage "writing and reading memory"
	dd if=/dev/urandom of="$work/random" bs=1M count=16 2>/dev/null
	cp "$work/random" "$work/copy"
	cmp "$work/random" "$work/copy" || failure "the copy differs"
	rm "$work/random" "$work/copy"
}
