# SPDX-License-Identifier: GPL-2.0
# The root file system of the test VM: a cpio that rarely changes (busybox, the kernel's modules), made
# once, and one with the project's own files, made each time; the kernel unpacks both.

# Sets $base_dir.
need_initramfs_base()
{
	artefact initramfs-base "$(key_of "$(declare -f make_initramfs_base vm_modules)" "@$scripts/guest/modules" "@$scripts/guest/init" \
		"$stock_dir" "$root")" make_initramfs_base
	base_dir=$artefact
}

make_initramfs_base()
{
	local tree=$1/tree modules=$1/tree/lib/modules/$kernel file
	say "initramfs: busybox and the kernel's modules"
	mkdir -p "$tree/bin" "$modules"
	cp "$root/bin/busybox" "$tree/bin/"
	ln -s busybox "$tree/bin/sh"
	cp "$scripts/guest/init" "$tree/init"
	chmod +x "$tree/init"

	cp "$stock_dir/lib/modules/$kernel"/modules.{order,builtin,builtin.modinfo} "$modules/"
	vm_modules "$stock_dir" | while read -r file; do
		install -D -m 644 "$file" "$modules/${file#*/modules/"$kernel"/}"
	done
	in_root depmod -b "$tree" "$kernel"
	pack "$tree" "$1/base.cpio"
	cp "$modules/modules.dep" "$1/"
	rm -r "$tree"
}

# vm_modules FOLDER: the files of the modules that the VM has, in the order of their names; FOLDER has those of
# the whole kernel.
vm_modules()
{
	local name
	for name in $(package_list ../guest/modules); do
		in_root modprobe -d "$1" -S "$kernel" --show-depends "$name"
	done | awk '$1 == "insmod" { print $2 }' | sort -u
}

# pack FOLDER FILE
pack()
{
	in_root sh -c "cd '$1' && find . | cpio --quiet -o -H newc -R 0:0 >'$2'"
}

# Sets $initramfs, for the module and the programs built last.
# make_initramfs [ACPI-TABLE [CPIO...]]: the table replaces the firmware's of the same name; the archives come last.
make_initramfs()
{
	local tree=$build/initramfs
	rm -rf "$tree"
	mkdir -p "$tree/lib/modules/$kernel/updates" "$tree/usr/lib"
	cp "$base_dir/modules.dep" "$tree/lib/modules/$kernel/"
	if [ -e "$module" ]; then
		cp "$module" "$tree/lib/modules/$kernel/updates/"
		echo "updates/amd_viommu.ko:" >>"$tree/lib/modules/$kernel/modules.dep"
	fi
	if [ -d "$build/programs" ]; then
		cp -a "$build/programs" "$tree/usr/lib/amd-viommu"
	fi
	pack "$tree" "$build/project.cpio"

	initramfs=$build/initramfs.cpio
	: >"$initramfs"
	if [ -n "${1:-}" ]; then
		# The kernel looks for tables in the first archive only, and wants it not compressed.
		mkdir -p "$build/acpi/kernel/firmware/acpi"
		cp "$1" "$build/acpi/kernel/firmware/acpi/ivrs.aml"
		pack "$build/acpi" "$initramfs"
	fi
	cat "$base_dir/base.cpio" "$build/project.cpio" "${@:2}" >>"$initramfs"
}
