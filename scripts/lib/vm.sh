# SPDX-License-Identifier: GPL-2.0
# The test VM: an AMD machine emulated by stock QEMU.

vm_cpus=2
vm_memory=1536
vm_cpu=EPYC
# Keeps the kernel's own driver away from the IOMMU.
vm_no_builtin=amd_iommu=off
# I/O queues that the scratch drive has to offer.
vm_queues=64
# IOMMUs of the hardware model, one or two.
vm_iommus=1
# Features that firmware claims for it besides those that it has: bits of the register.
vm_claimed=0
# What the driver cannot but do wrong then, as scripts/check-model puts it.
vm_expected=

# Sets $iommu: the hardware that is to be tested, for the VM of this name. The IOMMU of the model is described
# by a table of ours, and brings a device whose requests can carry everything that it looks at.
describe_iommu_stock()
{
	iommu=(-device "amd-iommu,intremap=on")
}

describe_iommu_model()
{
	local settings=preset=genoa${MODEL:+,$MODEL} preset table=$build/qemu/ivrs.aml efr efr2 features words
	# The I/O APIC as part of the chipset, or Linux does not remap interrupts.
	local ioapic=ioapic=0,00:14.0
	preset=${settings##*preset=}
	read -r efr efr2 < <(in_root "$build/cargo-qemu/release/features" "${preset%%,*}")
	features=("efr=$(printf '0x%x' $((efr | vm_claimed)))" "efr2=$efr2")
	words=("iommu=00:0f.0,0xfed80000" "${features[@]}" all "$ioapic")
	iommu=(-device "amd-viommu-hw,id=iommu,addr=0xf,bus=pcie.0,stats=$(model_statistics "$1"),$settings")
	if [ "$vm_iommus" = 2 ]; then
		words=(
			"iommu=00:0f.0,0xfed80000" "${features[@]}" "range=00:00.0,3f:1f.7" "$ioapic"
			"iommu=00:0e.0,0xfed84000" "${features[@]}" "range=40:00.0,4f:1f.7"
		)
		second_host_bridge "stats=$(model_statistics "$1-second"),$settings"
	fi
	"$top/selftests/ivrs/make-tables" "${words[@]}" >"$table"
	iommu+=(
		-acpitable "file=$table" -device "amd-viommu-fch,bus=pcie.0,addr=0x14"
		-device "amd-viommu-dma,bus=pcie.0,addr=0x16,ats=on,pasid=on"
	)
}

# second_host_bridge SETTINGS: adds a host bridge with an IOMMU of its own, and puts the scratch drive there.
second_host_bridge()
{
	# shellcheck disable=SC2054
	iommu+=(
		-device pxb-pcie,id=pxb1,bus=pcie.0,bus_nr=0x40,addr=0xd
		-device "amd-viommu-hw,addr=0xe,bus=pcie.0,root=pxb1,$1"
		-device pcie-root-port,id=port2,bus=pxb1,slot=2,chassis=2
	)
	scratch_at=bus=port2
}

# For a boot's description: a second DMA engine of the model, alone behind its root port, so that it can be reset. Having
# ATS, it is blocked by the kernel meanwhile.
add_dma_engine()
{
	vm_extra+=(-device "pcie-root-port,id=port3,slot=3,chassis=3,bus=pcie.0,addr=0x18" -device "amd-viommu-dma,bus=port3,ats=on")
}

# The same behind the second IOMMU, for a boot with two.
add_far_dma_engine()
{
	vm_extra+=(-device "pcie-root-port,id=port4,slot=4,chassis=4,bus=pxb1" -device "amd-viommu-dma,bus=port4,ats=on")
}

# Where the model leaves what it counted.
model_statistics()
{
	echo "$logs/$1.model.json"
}

# check_model NAME: whether the model saw the driver do nothing that it must not.
check_model()
{
	local files=("$(model_statistics "$1")")
	[ "$vm_iommus" = 1 ] || files+=("$(model_statistics "$1-second")")
	in_root "$scripts/check-model" ${vm_expected:+--expect "$vm_expected"} "${files[@]}"
}

# Sets $devices: the IOMMU and what is behind it. Nothing survives a run: writes to the disks go to
# temporary files. The slots are above those that virtme-ng takes for itself.
# describe_devices NAME
describe_devices()
{
	local edu=edu,dma_mask=0xffffffffffffffff scratch_at=bus=pcie.0,addr=0x19
	"describe_iommu_$hw" "$1"
	# shellcheck disable=SC2054
	devices=(
		"${iommu[@]}"
		-device "$edu,bus=pcie.0,addr=0x10"
		-device "$edu,bus=pcie.0,addr=0x11"
		-drive "if=none,id=data,format=raw,snapshot=on,file=$disk_dir/ext4.img"
		-device nvme,serial=data,drive=data,bus=pcie.0,addr=0x12
		-netdev "user,id=net,tftp=$disk_dir/files"
		# A free function beside one that has a driver.
		-device e1000e,netdev=net,bus=pcie.0,addr=0x13.0,multifunction=on
		-device "$edu,bus=pcie.0,addr=0x13.1"
		-drive "if=none,id=scratch,format=raw,snapshot=on,file=$disk_dir/scratch.img"
		-device "nvme,serial=scratch,drive=scratch,max_ioqpairs=$vm_queues,$scratch_at"
		# Two functions behind a conventional bridge share its requester ID.
		-device pcie-root-port,id=port1,slot=1,chassis=1,bus=pcie.0,addr=0x15
		-device pcie-pci-bridge,id=bridge1,bus=port1
		-device "$edu,bus=bridge1,addr=1"
		-device "$edu,bus=bridge1,addr=2"
	)
}

# Sets $machine: the stock kernel on that hardware, with the initramfs made last.
# describe_machine NAME APPEND
describe_machine()
{
	describe_devices "$1"
	# shellcheck disable=SC2054
	machine=(
		-M q35 -accel tcg,thread=multi -cpu "$vm_cpu" -smp "$vm_cpus" -m "$vm_memory"
		-nodefaults -no-user-config -display none -no-reboot
		"${devices[@]}" "${vm_extra[@]}"
		-kernel "$stock_dir/usr/lib/modules/$kernel/vmlinuz" -initrd "$initramfs"
		-append "console=ttyS0 panic=-1 $vm_no_builtin $qemu_append $2"
	)
}

# Sets $disk_dir: a disk image with an ext4 of known files and their checksums; the same files are what
# the VM's network serves by TFTP.
need_disk()
{
	artefact disk "$(key_of "@$scripts/lib/disk.sh")" in_root bash "$scripts/lib/disk.sh"
	disk_dir=$artefact
}

# More options for QEMU.
vm_extra=()
# Where the program's input comes from, if it has any: a pipe.
vm_input=

# run_vm NAME APPEND PROGRAM LIMIT: boots the stock kernel and runs a program in it. The kernel log is
# in build/logs/NAME.kernel.log, the program's output in build/logs/NAME.out and on the terminal. The status is
# the program's; 124 when nothing was written for vm_silence seconds or the limit was reached; 125
# when the VM ended without the program having ended.
vm_silence=120
run_vm()
{
	describe_machine "$1" "$2 viommu.run=$3"
	watch_vm "$1" "$4" "$logs/$1.qemu.log" "$qemu" "${machine[@]}" \
		-chardev file,id=klog,path="$logs/$1.kernel.log" -serial chardev:klog \
		-chardev file,id=out,path="$logs/$1.out${vm_input:+,input-path=$vm_input}" -serial chardev:out
}

# watch_vm NAME LIMIT MESSAGES COMMAND...: the part of run_vm that does not depend on how the VM is started. The
# command's standard error goes to the file MESSAGES, through a pipe: virtme-ng opens it more than once.
watch_vm()
{
	local name=$1 limit=$2 messages=$3 pid show status
	local klog=$logs/$1.kernel.log out=$logs/$1.out
	shift 3

	: >"$klog"
	: >"$out"
	rm -f "$(model_statistics "$name")" "$(model_statistics "$name-second")"
	(exec_in_root "$@" </dev/null >/dev/null 2> >(exec cat >"$messages")) &
	pid=$!
	(exec_contained tail --pid="$pid" -s 0.2 -n +1 -f "$out") &
	show=$!
	wait_for_vm "$pid" "$limit" "$klog" "$out"
	wait "$show" || true

	status=$(sed -n 's/^VM-EXIT-STATUS \([0-9]*\)\r*$/\1/p' "$out" | tail -n 1)
	return "${status:-$vm_ended}"
}

# Waits for the VM; ends it when it hangs. Sets $vm_ended to the status to give if the program left none.
wait_for_vm()
{
	local pid=$1 limit=$2 started=$SECONDS size last_size=0 last_change=$SECONDS
	shift 2

	vm_ended=125
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.3
		size=$(cat "$@" | wc -c)
		if [ "$size" != "$last_size" ]; then
			last_size=$size last_change=$SECONDS
		fi
		if [ $((SECONDS - last_change)) -ge "$vm_silence" ]; then
			say "VM: nothing written for $vm_silence s: it hangs"
		elif [ $((SECONDS - started)) -ge "$limit" ]; then
			say "VM: not ready after $limit s"
		else
			continue
		fi
		vm_ended=124
		kill -KILL "$pid" 2>/dev/null || true
		break
	done
	wait "$pid" 2>/dev/null || true
}

# All that run_vm needs besides an initramfs.
need_vm()
{
	need_qemu
	need_initramfs_base
	need_disk
}

# vm_shell APPEND: the kernel's console on this terminal, and a shell on it. What the emulated processor lacks is not for
# people.
vm_shell()
{
	describe_machine shell "$1"
	in_root "$qemu" "${machine[@]}" -serial mon:stdio 2> >(grep --line-buffered -v "TCG doesn't support" >&2)
}
