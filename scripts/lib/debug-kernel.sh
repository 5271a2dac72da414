# SPDX-License-Identifier: GPL-2.0
# The kernel of "make test-debug": built with clang from the distribution's source.

debug_flags=(ARCH=x86 LLVM=-19)

# Sets $debug_dir, an output folder with bzImage and modules.
need_debug_kernel()
{
	local tools
	need_source
	tools=$(in_root dpkg-query -W clang-19 rustc bindgen)
	artefact debug-kernel "$(key_of "$(declare -f make_debug_kernel)" "@$scripts/kernel/debug.config" "$source_dir" \
		"$tools")" make_debug_kernel
	debug_dir=$artefact
}

make_debug_kernel()
{
	local make=(make -C "$source_dir" O="$1" "${debug_flags[@]}" -j"$jobs")
	say "sanitizer kernel: configuring"
	logged debug-config in_root "${make[@]}" KCONFIG_ALLCONFIG="$scripts/kernel/debug.config" allnoconfig
	check_config "$1/.config"
	say "sanitizer kernel: building (some minutes)"
	logged debug-kernel in_root "${make[@]}" bzImage modules
	relocate_output "$1"
}

# An option whose dependencies are not met is dropped silently; here it is an error.
check_config()
{
	local lost
	lost=$(grep '^CONFIG_' "$scripts/kernel/debug.config" | grep -vxFf "$1" || true)
	[ -z "$lost" ] || die "the kernel's configuration does not take: ${lost//$'\n'/ }"
}

# Everything that a run on the sanitizer kernel stands on.
prepare_debug()
{
	need_tools build debug
	find_kernel
	need_debug_kernel
	need_vng
	need_disk
}

# Sets $kernel, $stock_dir and $base_dir, as use_kernel does, for the sanitizer kernel.
use_debug_kernel()
{
	kernel=$(cat "$debug_dir/include/config/kernel.release")
	artefact debug-image "$(key_of "$(declare -f make_debug_image)" "$debug_dir")" make_debug_image
	stock_dir=$artefact
	need_initramfs_base
}

make_debug_image()
{
	logged debug-image in_root make -C "$debug_dir" "${debug_flags[@]}" INSTALL_MOD_PATH="$1/usr" modules_install
	cp "$debug_dir/arch/x86/boot/bzImage" "$1/usr/lib/modules/$kernel/vmlinuz"
	ln -s usr/lib "$1/lib"
}
