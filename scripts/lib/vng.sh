# SPDX-License-Identifier: GPL-2.0
# A virtme-ng VM on the sanitizer kernel: its root file system is that of the tools, read-only.

vng_version='virtme-ng>=1.42,<2'

# Sets $vng_dir.
need_vng()
{
	artefact virtme-ng "$(key_of "$(declare -f make_vng)" "$vng_version")" make_vng
	vng_dir=$artefact
}

make_vng()
{
	say "virtme-ng: $vng_version from PyPI"
	logged virtme-ng in_root pip3 install --root-user-action=ignore --target="$1" "$vng_version"
}

# run_vng NAME APPEND COMMAND LIMIT: like run_vm.
run_vng()
{
	local job=$build/vng-job
	need_qemu
	describe_devices "$1"
	printf 'VIOMMU_KO=%q\nexport VIOMMU_KO\n%s\n' "$module" "$3" >"$job"
	watch_vm "$1" "$4" "$logs/$1.kernel.log" env PYTHONPATH="$vng_dir" PATH="$vng_dir/bin:$PATH" vng --run "$debug_dir" --qemu "$qemu" \
		--disable-kvm --disable-microvm --force-9p --user root --cpus "$vm_cpus" --memory "${vm_memory}M" \
		--rwdir "$build" --cwd "$build" \
		--verbose --append "amd_iommu=off loglevel=7 $qemu_append $2" \
		--qemu-opts="-cpu $vm_cpu ${devices[*]} ${vm_extra[*]}" \
		--exec "sh $scripts/guest/vng-run $job $logs/$1.out"
}
