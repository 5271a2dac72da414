# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# A device of the guest forges interrupts of the host, by plain writes to the address that stands for them. The host's IOMMU
# refuses each of them. Sourced after built-in.sh.

# forge ADDRESS DATA WHAT
forge()
{
	if ! ./stray "$requester" write "0x$1" "0x$2" >"$work/out" 2>&1; then
		failure "$3 was not refused"
		detail <"$work/out"
		return
	fi
	detail <"$work/out"
	forged=$((forged + 1))
}

# The device has no driver, so that none of its host's interrupts is its own.
forge_interrupts()
{
	requester=$(test_device)
	if [ -z "$requester" ]; then
		failure "no device that can forge interrupts"
		return
	fi
	stage "$requester: interrupts that it has not been given"
	forged=0
	forge fee00000 f2 "a vector of the host's first processor"
	forge feeff000 1 "an interrupt of another device, for everybody"
	forge fee00000 400 "an NMI"
	result forged $forged
}
