# SPDX-License-Identifier: GPL-2.0
# The chain: the test VM is the host of a guest of its own. Its file system holds the same QEMU as the machine
# around it, and for each guest a distribution's kernel with an initramfs like its own.

guests=$build/guests

# Sets $vmm_dir: a cpio with the emulator, the libraries that it needs and its firmware, at the places where the
# tools have them.
need_vmm()
{
	local version
	# Libraries come from everywhere.
	version=$(in_root dpkg-query -W)
	artefact vmm "$(key_of "$(declare -f make_vmm vmm_files pack)" "$version")" make_vmm
	vmm_dir=$artefact
}

make_vmm()
{
	local tree=$1/tree file
	say "QEMU for the host in the chain"
	vmm_files | sort -u | while read -r file; do
		install -D "$root$file" "$tree$file"
	done
	pack "$tree" "$1/vmm.cpio"
	rm -r "$tree"
}

# The firmware is what a machine without display, disk and network boot asks for.
vmm_files()
{
	local emulator=/usr/bin/qemu-system-x86_64
	printf '%s\n' "$emulator" /usr/share/qemu/{kvmvapic,linuxboot_dma}.bin /usr/share/seabios/bios-256k.bin
	in_root ldd "$emulator" | grep -o '/[^ ]*'
}

is_guest()
{
	[[ $1 =~ ^(7\.3|6\.12|6\.1)$ ]]
}

# need_guest SERIES: makes $guests/SERIES with "vmlinuz", "base.cpio" and "release".
need_guest()
{
	local kernel kernel_pattern=$kernel_pattern stock_dir base_dir guest=$guests/$1
	use_kernel "$1"
	mkdir -p "$guest"
	cp "$stock_dir/usr/lib/modules/$kernel/vmlinuz" "$base_dir/base.cpio" "$guest/"
	echo "$kernel" >"$guest/release"
}

# Sets $initramfs: that of the test VM, with an emulator, the device "viommu" for it, or "none", and the guest of a series.
# make_chain_initramfs SERIES IOMMU
make_chain_initramfs()
{
	local tree=$build/chain place=$build/chain/usr/lib/amd-viommu-guests
	rm -rf "$tree"
	mkdir -p "$place"
	need_guest "$1"
	cp -al "$guests/$1" "$place/"
	if [ "$2" != none ]; then
		need_viommu_device
		cp "$viommu_device" "$place/amd-viommu.so"
	fi
	pack "$tree" "$build/chain.cpio"
	make_initramfs '' "$vmm_dir/vmm.cpio" "$build/chain.cpio"
}

# The machine of the host in the chain, for the VM of this name.
chain_machine()
{
	vm_cpu=EPYC,+svm,+npt vm_memory=3072
	# shellcheck disable=SC2054
	vm_extra=(
		-device virtio-serial-pci,bus=pcie.0,addr=0x17
		-chardev "file,id=guest,path=$logs/$1.guest.kernel.log" -device virtserialport,chardev=guest
	)
	: >"$logs/$1.guest.kernel.log"
}

# run_chain NAME SERIES IOMMU SCENARIO: one boot of the host, which runs demo/chain.sh with these arguments. The
# guest's kernel log is in build/logs/NAME.guest.kernel.log.
run_chain()
{
	local vm_cpu vm_memory vm_extra vm_input answers monitor answerer status=0
	chain_machine "$1"
	open_marks "$1"
	answer_marks "$1" &
	answerer=$!
	run_vm "$1" "" "/usr/lib/amd-viommu/demo/chain.sh ${*:2} && /usr/lib/amd-viommu/look-for-leaks" 1500 || status=$?
	kill "$answerer" 2>/dev/null || true
	wait "$answerer" 2>/dev/null || true
	exec {answers}>&- {monitor}>&-
	return "$status"
}

# chain_shell SERIES IOMMU: a shell in the guest on this terminal.
chain_shell()
{
	local vm_cpu vm_memory vm_extra
	chain_machine shell
	exec {build_lock}>&-
	vm_shell "quiet viommu.tty=ttyS0 viommu.run=/usr/lib/amd-viommu/demo/chain.sh $* shell"
}

# judge_chain NAME SERIES IOMMU SCENARIO: the table, and whether all of it is as it should be.
judge_chain()
{
	local status=0 marked
	mapfile -t marked < <(list_marked_statistics "$1")
	in_root "$scripts/judge-chain" "${@:2}" "$logs/$1.out" "$(model_statistics "$1")" "${marked[@]}" || status=1
	"$scripts/check-log" "$logs/$1.kernel.log" || status=1
	"$scripts/check-log" "$logs/$1.guest.kernel.log" || status=1
	if ! [ -s "$logs/$1.guest.kernel.log" ]; then
		echo "FAILED the guest's kernel left no log"
		status=1
	fi
	return "$status"
}
