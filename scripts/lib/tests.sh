# SPDX-License-Identifier: GPL-2.0
# The parts of "make test".

# test_crate SUBJECT FOLDER: cargo's tests of a crate.
test_crate()
{
	local subject=cargo/$1 log=$logs/cargo-$1.log begin=$EPOCHSECONDS status=0 passed failed skipped
	say "cargo test: $2"
	in_root env CARGO_TARGET_DIR="$build/cargo" CARGO_TERM_COLOR=never \
		cargo test --locked --no-fail-fast --manifest-path "$top/$2/Cargo.toml" >"$log" 2>&1 || status=$?
	read -r passed failed skipped < <(awk '/^test result:/ { p += $4; f += $6; s += $8 }
		END { print p + 0, f + 0, s + 0 }' "$log")
	if [ "$status" != 0 ] || [ "$passed" = 0 ]; then
		tail -n 60 "$log"
		[ "$failed" != 0 ] || failed=1
	fi
	add_result "$subject" "$passed" "$failed" "$skipped" $((EPOCHSECONDS - begin))
}

# The boots of the stock kernel on this hardware: one for each file in scripts/boots and its folder for the hardware,
# and one for each broken IVRS table, which describe QEMU's own machine.
list_boots()
{
	local folders=("$scripts/boots")
	[ ! -d "$scripts/boots/$hw" ] || folders+=("$scripts/boots/$hw")
	find "${folders[@]}" -maxdepth 1 -name '*.conf' -printf '%f\n' | sed 's/\.conf$//' | sort
	[ "$hw" = stock ] || return 0
	find "$programs/ivrs" -name '*.aml' -printf 'ivrs-%f\n' | sed 's/\.aml$//' | sort
}

# read_boot NAME: sets $append (kernel command line), $acpi (a table to replace the machine's IVRS), $subjects
# (kselftests to run), $settings (of the hardware model) and $vm_iommus.
read_boot()
{
	local file=$scripts/boots/$hw/$1.conf
	[ -e "$file" ] || file=$scripts/boots/$1.conf
	append='' acpi='' subjects='' settings='' vm_iommus=1
	case $1 in
	ivrs-*)
		acpi=$programs/ivrs/${1#ivrs-}.aml
		subjects=ivrs
		;;
	*)
		# shellcheck source=/dev/null
		. "$file"
		;;
	esac
}

# test_boot NAME: one start of the stock kernel.
test_boot()
{
	local status=0 MODEL=${MODEL:-}
	read_boot "$1"
	MODEL+=${settings:+${MODEL:+,}$settings}
	say "VM: boot '$hw_prefix$1': $subjects"
	make_initramfs "$acpi"
	boot_once "$1" || status=$?
	if lost_timer "$hw_prefix$1"; then
		say "VM: the emulator has lost a processor's timer; once more (the first log: $hw_prefix$1.lost.kernel.log)"
		mv "$logs/$hw_prefix$1.kernel.log" "$logs/$hw_prefix$1.lost.kernel.log"
		add_result "$hw_prefix$1/timer-of-the-emulator" 0 0 1 -
		status=0
		boot_once "$1" || status=$?
	fi
	count_boot "$hw_prefix$1" "$status"
}

boot_once()
{
	run_vm "$hw_prefix$1" "$append" "/usr/lib/amd-viommu/run-tests $subjects" 1200 >/dev/null
}

# lost_timer BOOT: whether a virtual processor stopped getting its timer, as happens under TCG once in some hundred
# boots. The kernel says so, and this driver is in no call trace. Shown as a skipped test; twice is a failure.
lost_timer()
{
	local log=$logs/$1.kernel.log
	grep -q 'Possible timer handling issue on cpu' "$log" && ! grep -q '\[amd_viommu\]' "$log"
}

# test_debug_boot NAME: the same for the sanitizer kernel, with debug/NAME.conf.
test_debug_boot()
{
	local status=0 MODEL=${MODEL:-}
	read_boot "debug/$1"
	MODEL+=${settings:+${MODEL:+,}$settings}
	say "VM: boot '$hw_prefix$1' of the sanitizer kernel: $subjects"
	run_vng "${hw_prefix}debug-$1" "$append" "$programs/run-tests $subjects" 2400 >/dev/null || status=$?
	count_boot "${hw_prefix}debug-$1" "$status"
}

# count_boot NAME STATUS: what a VM that has ended says.
count_boot()
{
	local boot=$1 status=$2
	"$scripts/ktap-count" -v boot="$boot" "$logs/$boot.out" >>"$results"
	case $status in
	124 | 125)
		echo "FAILED $boot: the VM hung or died; the end of its log:"
		tail -n 30 "$logs/$boot.kernel.log"
		add_result "$boot/vm-ends-in-order" 0 1 0 -
		;;
	esac
	check "$boot/kernel-log-is-clean" "$scripts/check-log" "$logs/$boot.kernel.log"
	if [ "$hw" = model ]; then
		check "$boot/no-violations" check_model "$boot"
	fi
}
