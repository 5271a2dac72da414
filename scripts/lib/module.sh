# SPDX-License-Identifier: GPL-2.0
# Building this project's code in the tools' root.

# The module built last.
module=$build/module-stock/amd_viommu.ko

# Sets $module: the module for the stock kernel.
build_stock_module()
{
	say "module: for $kernel"
	build_module stock "$metadata_dir" "${stock_flags[@]}" KERNELRELEASE="$kernel"
}

# Sets $module: the module for the sanitizer kernel.
build_debug_module()
{
	say "module: for the sanitizer kernel"
	build_module debug "$debug_dir" "${debug_flags[@]}"
}

# build_module NAME KERNEL-BUILD MAKE-ARGUMENT...: each kernel gets a copy of the sources, so that the
# objects of one never meet those of another.
build_module()
{
	local name=$1 kdir=$2 copy=$build/module-$1 kept
	shift 2

	kept=(--exclude={target,'*.o','*.ko','.*','*.mod','*.mod.c','*.rmeta','*_generated.rs','*.symvers','*.order'})
	mkdir -p "$copy"
	in_root rsync -a --delete "${kept[@]}" "$top"/{Kbuild,drivers,rust} "$copy/"
	logged "module-$name" in_root make -C "$kdir" M="$copy" "$@" -j"$jobs" modules
	grep -E '^(warning|error)|warning:' "$logs/module-$name.log" || true
	module=$copy/amd_viommu.ko
	[ -e "$module" ] || die "the build made no amd_viommu.ko; see $logs/module-$name.log"
}

# Sets $programs: the kselftests and the demo as installed.
build_programs()
{
	say "user programs: selftests"
	programs=$build/programs
	logged programs in_root make -C "$top/selftests" KSRC="$source_dir" O="$build/selftests" \
		CC="gcc -static" INSTALL_PATH="$programs" -j"$jobs" install
	install "$scripts"/guest/{run-tests,look-for-leaks} "$programs/"
}
