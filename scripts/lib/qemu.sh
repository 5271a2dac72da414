# SPDX-License-Identifier: GPL-2.0
# The emulator: the distribution's own binary, with something of ours preloaded. Which hardware it shows is
# decided by HW (see env.sh).

# Sets $qemu, and $qemu_append: what the kernel's command line has to say about it.
need_qemu()
{
	qemu=$build/qemu/qemu-system-x86_64-$hw qemu_append=
	mkdir -p "$build/qemu"
	need_qemu_headers
	logged qemu-tcg build_qemu_device "$build/qemu/tcg.so" "$top"/qemu/tcg/*.c
	"need_qemu_$hw"
}

# preload_qemu OBJECT...: makes $qemu, the emulator with these objects, and what is wrong with TCG repaired.
preload_qemu()
{
	local IFS=: objects=("$build/qemu/tcg.so" "$@")
	printf '#!/bin/sh\nLD_PRELOAD=%s exec /usr/bin/qemu-system-x86_64 "$@"\n' "${objects[*]}" >"$qemu"
	chmod +x "$qemu"
}

# QEMU's IOMMU blocks what it has to, but never reports an event; what qemu/amdvi-events.c adds when preloaded
# does. Without that file the tests are told so on the kernel's command line.
need_qemu_stock()
{
	local object=$build/qemu/amdvi-events.so addition=$top/qemu/amdvi-events.c
	if [ ! -e "$addition" ]; then
		qemu_append=viommu.faults=0
		preload_qemu
		return
	fi
	logged qemu in_root gcc -O2 -Wall -Werror -shared -fPIC -o "$object" "$addition"
	preload_qemu "$object"
}

# The hardware model: qemu/amd-viommu-hw and model/ as one object.
need_qemu_model()
{
	say "hardware model: building the QEMU device"
	logged qemu-model-rust build_model_library
	logged qemu-model build_model_device
	preload_qemu "$build/qemu/amd-viommu-hw.so"
}

# No dependencies, so no network.
build_model_library()
{
	in_root env CARGO_TARGET_DIR="$build/cargo-qemu" CARGO_TERM_COLOR=never \
		cargo build --release --locked --offline --manifest-path "$top/qemu/amd-viommu-hw/Cargo.toml"
}

build_model_device()
{
	build_qemu_device "$build/qemu/amd-viommu-hw.so" "$top"/qemu/amd-viommu-hw/*.c \
		"$build/cargo-qemu/release/libamd_viommu_hw.a" -Wl,--exclude-libs,ALL
}

# Sets $viommu_device: qemu/amd-viommu as an object to be preloaded by the VMM.
need_viommu_device()
{
	need_qemu_headers
	say "VMM side: building the QEMU device"
	viommu_device=$build/qemu/amd-viommu.so
	mkdir -p "$build/qemu"
	logged qemu-viommu build_qemu_device "$viommu_device" "-I$top/include/uapi" "$top"/qemu/amd-viommu/*.c
}

# build_qemu_device OBJECT ARGUMENT...: with the flags that QEMU compiles its own devices with, as far as they
# change code. Rust's library, if there is one, stays inside the object.
build_qemu_device()
{
	local headers=$qemu_headers flags
	flags=(
		-m64 -mcx16 -msse2 -std=gnu11 -O2 -fPIC -fno-strict-aliasing -fno-common -fwrapv
		-Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
		-Wstrict-prototypes -Wmissing-prototypes -Werror
		-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_LARGEFILE_SOURCE -DCOMPILING_PER_TARGET
		'-DCONFIG_TARGET="x86_64-softmmu-config-target.h"'
		'-DCONFIG_DEVICES="x86_64-softmmu-config-devices.h"'
		"-isystem$headers"/{build,source/target/i386,source/linux-headers}
		"-iquote$headers"/{build,source,source/{include,host/include/x86_64,host/include/generic}}
	)
	# shellcheck disable=SC2016
	in_root sh -c 'gcc "$@" $(pkg-config --cflags glib-2.0)' gcc "${flags[@]}" -shared -o "$@"
}

# Sets $qemu_headers: folders "source" and "build" with the headers that the distribution's binary was compiled
# with, those that its build generates included.
need_qemu_headers()
{
	local version
	# shellcheck disable=SC2016
	version=$(in_root dpkg-query -W -f '${source:Version}' qemu-system-x86)
	artefact qemu-headers "$(key_of "$(declare -f make_qemu_headers configure_qemu)" "$version")" \
		make_qemu_headers "$version"
	qemu_headers=$artefact
}

make_qemu_headers()
{
	local version=$1 work=$2/.work
	say "QEMU headers: source of $version"
	mkdir "$work"
	logged qemu-source download_source "$work" qemu "$version"
	logged qemu-unpack in_root sh -c "dpkg-source --no-check -x '$work'/*.dsc '$work/source'"
	say "QEMU headers: configuring"
	mkdir "$work/build"
	logged qemu-configure configure_qemu "$work/source" "$work/build" "$version"
	# Links become what they point to: the folder is about to move.
	logged qemu-headers in_root rsync -aL --prune-empty-dirs --exclude=/source/{roms,tests,subprojects,pc-bios} \
		--exclude=/build/pyvenv --include='*/' --include='*.h' --include='*.inc' --exclude='*' "$work"/{source,build} "$2/"
	rm -r "$work"
}

# configure_qemu SOURCE BUILD VERSION: the distribution's options, except those that only bring in a library: what they
# change is no part of a device. The object compares the sizes of structures when it is loaded.
configure_qemu()
{
	# shellcheck disable=SC2016
	in_root sh -e -c '
		source=$1
		options=$(cd "$source" && sh debian/extract-config-opts linux-amd64 debian/control | grep -x -e "--disable-.*")
		cd "$2"
		"$source/configure" --target-list=x86_64-softmmu --with-pkgversion="Debian $3" --disable-download \
			--disable-docs --disable-containers --disable-relocatable --disable-install-blobs --disable-xen \
			--disable-user --disable-tools --disable-guest-agent --enable-modules --enable-module-upgrades \
			--enable-kvm --enable-vhost-net $options
		ninja $(ninja -t targets all | sed -n "s/^\(qapi\/[^:]*\.h\): CUSTOM.*/\1/p") qemu-version.h config-poison.h
	' configure "$@"
}
