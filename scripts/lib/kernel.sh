# SPDX-License-Identifier: GPL-2.0
# The distribution's kernel: its source, its binaries, and the Rust metadata that its headers package
# lacks.

# The release, such as 7.3.4+deb13-amd64; set by find_kernel.
kernel=

find_kernel()
{
	look_at_mirror
	kernel=$(newest_kernel)
	[ -n "$kernel" ] || die "the mirror has no package that matches $kernel_pattern"
}

# Sets $source_dir.
need_source()
{
	local version
	version=$(mirror_versions "linux-source-$kernel_series")
	artefact "linux-source-$kernel_series" "$(key_of "$(declare -f make_source)" "$version")" make_source
	source_dir=$artefact
}

make_source()
{
	local package=linux-source-$kernel_series
	say "kernel source: $package"
	mkdir "$1/.deb"
	logged kernel-source download "$1/.deb" "$package"
	dpkg -x "$1"/.deb/*.deb "$1/.deb"
	# What is left out is neither read by the build for this architecture nor a Kconfig or Makefile.
	in_root tar -C "$1" --strip-components=1 -I 'xz -T0' --wildcards \
		--exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/media/*.[ch]' \
		--exclude='*/sound/*.[ch]' --exclude="$package/arch/[!x]*.[chS]" --exclude="$package/arch/[!x]*.dts*" \
		--exclude='*/Documentation/*.rst' --exclude='*/Documentation/*.yaml' \
		-xf "$1/.deb/usr/src/$package.tar.xz"
	rm -r "$1/.deb"
}

# Sets $stock_dir: the unpacked packages of the kernel, with its modules unpacked as well.
need_stock_kernel()
{
	local names version
	names=("linux-headers-$kernel" "linux-base-$kernel" "linux-modules-$kernel" "$(kernel_image_package)")
	version=$(mirror_versions "${names[@]}")
	artefact "stock-kernel" "$(key_of "$(declare -f make_stock_kernel)" "$version")" make_stock_kernel "${names[@]}"
	stock_dir=$artefact
}

# The package with vmlinuz: linux-image itself, or the one that it stands on.
kernel_image_package()
{
	local name
	for name in "linux-binary-$kernel" "linux-binary-unsigned-$kernel" "linux-image-$kernel"; do
		if project_apt apt-cache show "$name" >/dev/null 2>&1; then
			echo "$name"
			return
		fi
	done
}

make_stock_kernel()
{
	local names=("${@:1:$#-1}") target=${!#} deb
	say "stock kernel: $kernel"
	mkdir "$target/.deb"
	logged stock-kernel download "$target/.deb" "${names[@]}"
	for deb in "$target"/.deb/*.deb; do
		dpkg -x "$deb" "$target"
	done
	rm -r "$target/.deb"
	ln -s usr/lib "$target/lib"
	find "$target/usr/lib/modules" -name '*.ko.xz' -print0 | in_root xargs -0 -r -P "$jobs" -n 64 xz -d
	in_root depmod -b "$target" "$kernel"
}

# Sets $metadata_dir: what a build of modules for the stock kernel needs. The kernel's own
# build makes it from the configuration in the headers package, with the compilers that built the
# kernel.
need_metadata()
{
	local tools
	need_source
	need_stock_kernel
	tools=$(in_root dpkg-query -W gcc-14 rustc bindgen pahole)
	artefact "kernel-metadata" "$(key_of "$(declare -f make_metadata)" "$source_dir" "$stock_dir" "$tools")" make_metadata
	metadata_dir=$artefact
}

make_metadata()
{
	local headers=$stock_dir/usr/src/linux-headers-$kernel
	say "kernel metadata: preparing the tree for modules in Rust (about a minute)"
	cp "$headers/.config" "$headers/Module.symvers" "$stock_dir/usr/lib/modules/$kernel/System.map" "$1/"
	logged kernel-metadata in_root make -C "$source_dir" O="$1" "${stock_flags[@]}" \
		KERNELRELEASE="$kernel" -j"$jobs" olddefconfig prepare modules_prepare
	relocate_output "$1"
}

# An output folder names itself in its Makefile; it is about to be renamed.
relocate_output()
{
	sed -i "s|^export KBUILD_OUTPUT = .*|export KBUILD_OUTPUT = $cache/$(basename "$1")|" "$1/Makefile"
}

# The compilers by the names that the distribution's build used: the configuration depends on them.
stock_flags=(ARCH=x86 CROSS_COMPILE=x86_64-linux-gnu- CC=x86_64-linux-gnu-gcc-14)

# Everything that a build for the stock kernel stands on.
prepare_stock()
{
	need_tools build
	find_kernel
	need_metadata
}
