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
# (kselftests to run), $settings (of the hardware model), $vm_cpu, $vm_cpus, $vm_queues, $vm_iommus, $vm_claimed,
# $vm_expected and $vm_extra (devices).
read_boot()
{
	local file=$scripts/boots/$hw/$1.conf
	[ -e "$file" ] || file=$scripts/boots/$1.conf
	append='' acpi='' subjects='' settings='' chain='' vms=''
	vm_cpu=EPYC vm_cpus=2 vm_queues=64 vm_iommus=1 vm_claimed=0 vm_expected='' vm_extra=()
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

# test_boot NAME: one start of the stock kernel, which is that of a host with a guest if $chain says so, and two starts
# for the price of $vms VMs.
test_boot()
{
	local MODEL=${MODEL:-}
	read_boot "$1"
	MODEL+=${settings:+${MODEL:+,}$settings}
	if [ -n "$chain" ]; then
		test_chain "$hw_prefix$1"
	elif [ -n "$vms" ]; then
		say "VM: boot '$hw_prefix$1': the price of VMs"
		make_initramfs ''
		check "$hw_prefix$1" test_vms "$hw_prefix$1"
	else
		test_subjects "$hw_prefix$1"
	fi
}

test_subjects()
{
	local status=0
	say "VM: boot '$1': $subjects"
	make_initramfs "$acpi"
	run_vm "$1" "$append" "/usr/lib/amd-viommu/run-tests $subjects" 1200 >/dev/null || status=$?
	count_boot "$1" "$status"
}

# test_chain NAME: one run of the chain, as $chain says.
test_chain()
{
	local words
	read -ra words <<<"$chain"
	say "VM: boot '$1': guest ${words[*]}"
	need_vmm
	make_chain_initramfs "${words[@]:0:2}"
	check "$1" chain "$1" "${words[@]}"
}

# chain NAME SERIES IOMMU SCENARIO: runs it without a word, but for the table of what host, guest and hardware have
# counted, and for what is not as it should be.
chain()
{
	local status=0
	run_chain "$@" >/dev/null || status=$?
	[ "$status" = 0 ] || grep -a FAILED "$logs/$1.out" || tail -n 20 "$logs/$1.out" "$logs/$1".*kernel.log
	judge_chain "$@" && [ "$status" = 0 ]
}

# test_vms NAME: what making $vms VMs more than one costs hardware and memory.
test_vms()
{
	local count statistics=()
	for count in 1 $((vms + 1)); do
		run_vm "$1-$count" "$append" "/usr/lib/amd-viommu/viommu/viommu_hold $count" 300
		check_model "$1-$count"
		"$scripts/check-log" "$logs/$1-$count.kernel.log"
		statistics+=("$(model_statistics "$1-$count")")
	done
	in_root "$scripts/judge-vms" "${statistics[@]}" "$logs/$1-$count.out" "$vms"
}

# test_debug_boot NAME: the same for the sanitizer kernel, with debug/NAME.conf.
test_debug_boot()
{
	local MODEL=${MODEL:-} kernel=$kernel stock_dir base_dir
	read_boot "debug/$1"
	MODEL+=${settings:+${MODEL:+,}$settings}
	if [ -n "$chain" ]; then
		use_debug_kernel
		need_qemu
		test_chain "${hw_prefix}debug-${1##*/}"
	else
		test_debug_subjects "${hw_prefix}debug-${1##*/}"
	fi
}

test_debug_subjects()
{
	local status=0
	say "VM: boot '$1' of the sanitizer kernel: $subjects"
	run_vng "$1" "$append" "$programs/run-tests $subjects" 2400 >/dev/null || status=$?
	count_boot "$1" "$status"
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
