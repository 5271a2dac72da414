# SPDX-License-Identifier: GPL-2.0
# The parts of "make witness": kernels that nobody here has written run their own IOMMU driver on the hardware
# that the project has made.
#
# A witness is SERIES-FORMAT-MODE-ORDER: the kernel, the format of its page tables (v1, v2), when it
# invalidates (strict, lazy), and whether the hardware answers at once (sync) or after random delays (async).

all_witnesses=({7.3,6.12}-{v1,v2}-{strict,lazy}-{sync,async})
# Half of them, such that any three of the four choices meet in all combinations.
chosen_witnesses=(
	7.3-v1-{strict-sync,lazy-async} 7.3-v2-{lazy-sync,strict-async}
	6.12-v1-{lazy-sync,strict-async} 6.12-v2-{strict-sync,lazy-async}
)
# What QEMU's own IOMMU can do.
stock_witnesses=({7.3,6.12}-v1-{strict,lazy}-sync)

# The witnesses of this run.
list_witnesses()
{
	case $hw/${FULL:-} in
	stock/*) printf '%s\n' "${stock_witnesses[@]}" ;;
	*/) printf '%s\n' "${chosen_witnesses[@]}" ;;
	*) printf '%s\n' "${all_witnesses[@]}" ;;
	esac
}

is_witness()
{
	printf '%s\n' "${all_witnesses[@]}" | grep -qxF -e "$1"
}

# Sets $kernel, $stock_dir and $base_dir for a kernel series.
use_kernel()
{
	if [ "$1" = "$kernel_series" ]; then
		find_kernel
		need_stock_kernel
	else
		find_older_kernel "$1"
		need_kernel_image "$1"
	fi
	need_initramfs_base
}

# The release of the newest kernel of a series, which may have been rebuilt for the release (+deb13.1). That of
# Debian 12 is 6.1.0, with a number that counts its changes.
find_older_kernel()
{
	local kernel_pattern="linux-image-${1//./\\.}\\.([0-9]+\\+deb13(\\.[0-9]+)?|0-[0-9]+)-amd64"
	find_kernel
}

# Sets $stock_dir to a folder like that of need_stock_kernel with nothing in it but what boots the test VM.
need_kernel_image()
{
	local version
	version=$(mirror_versions "linux-image-$kernel")
	artefact "kernel-image-$1" "$(key_of "$(declare -f make_kernel_image vm_modules)" "$version" "@$scripts/guest/modules")" \
		make_kernel_image
	stock_dir=$artefact
}

make_kernel_image()
{
	local modules=usr/lib/modules/$kernel deb=$1/.deb file
	say "kernel: $kernel"
	mkdir "$deb"
	logged kernel-image download "$deb" "linux-image-$kernel"
	dpkg -x "$deb"/*.deb "$deb"
	mkdir -p "$1/$modules"
	# Before /lib was a link of the distribution's, packages had modules there.
	if [ -d "$deb/lib" ]; then
		mkdir -p "$deb/usr/lib"
		mv "$deb/lib/modules" "$deb/usr/lib/"
		rmdir "$deb/lib"
	fi
	ln -s usr/lib "$1/lib"
	ln -s usr/lib "$deb/lib"
	in_root depmod -b "$deb" "$kernel"

	cp "$deb/boot/vmlinuz-$kernel" "$1/$modules/vmlinuz"
	cp "$deb/$modules"/modules.{order,builtin,builtin.modinfo} "$1/$modules/"
	vm_modules "$deb" | while read -r file; do
		install -D -m 644 "$file" "$1/$modules/${file#*/modules/"$kernel"/}"
	done
	rm -r "$deb"
	find "$1/$modules" -name '*.ko.xz' -print0 | in_root xargs -0 -r xz -d
	in_root depmod -b "$1" "$kernel"
}

# Sets $initramfs: the kernel's, and the programs.
make_witness_initramfs()
{
	local tree=$build/initramfs
	rm -rf "$tree"
	mkdir -p "$tree/usr/lib"
	cp -a "$programs" "$tree/usr/lib/amd-viommu"
	pack "$tree" "$build/project.cpio"
	initramfs=$build/initramfs.cpio
	cat "$base_dir/base.cpio" "$build/project.cpio" >"$initramfs"
}

# witness NAME: one boot, judged.
witness()
{
	local name=witness-$1 series format mode order append type remapping statistics status=0
	IFS=- read -r series format mode order <<<"$1"
	use_kernel "$series"
	make_witness_initramfs
	describe_kernel "$format" "$mode"
	describe_hardware "$name" "$series" "$format-$mode" "$order"

	run_vm "$name" "$append" "/usr/lib/amd-viommu/demo/witness.sh $format $type $remapping" 600 >/dev/null || status=$?
	in_root "$scripts/judge-witness" "$1" "$logs/$name.out" "$statistics" "$scripts/witness.d/permitted" || status=1
	"$scripts/check-log" "$logs/$name.kernel.log" || status=1
	[ "$status" = 0 ] || why_witness_failed "$name"
	return "$status"
}

why_witness_failed()
{
	if ! grep -a FAILED "$logs/$1.out"; then
		echo "  the end of build/logs/$1.kernel.log:"
		tail -n 20 "$logs/$1.kernel.log"
	fi
}

# Sets $append (the kernel's command line) and $type (the type of domain that it asks for). The kernel counts the ticks
# of the timer for a moment at boot. On a busy machine an emulator loses some, and a kernel that remaps interrupts then
# panics.
# describe_kernel FORMAT MODE
describe_kernel()
{
	append="iommu.passthrough=0 no_timer_check" type=DMA
	case $2/$hw in
	strict/*) append+=" iommu.strict=1" ;;
	# QEMU's IOMMU says that it caches what is not present; that makes the kernel strict, whatever is asked.
	lazy/stock) append+=" iommu.strict=0" ;;
	lazy/*) append+=" iommu.strict=0" type=DMA-FQ ;;
	esac
	[ "$1" = v1 ] || append+=" amd_iommu=pgtbl_v2"
}

# Sets $MODEL (settings of the model), $statistics (the file that it leaves, or "-") and $remapping (whether the kernel
# has to remap interrupts: 7.3 does not trust the chipset that QEMU's own IOMMU comes with). Those with v1 tables and
# lazy invalidation run on a part without guest APIC: the entries of interrupt tables have 32 bits there, 128 elsewhere.
# (On such a part Linux does not believe the features in the IVRS, and therefore does not use v2 tables.)
# describe_hardware NAME SERIES FORMAT-MODE ORDER
describe_hardware()
{
	statistics=- remapping=on
	if [ "$hw" = stock ]; then
		[ "$2" != 7.3 ] || remapping=off
		return
	fi
	statistics=$(model_statistics "$1")
	[ "$4" = sync ] || MODEL=async=1${MODEL:+,$MODEL}
	[ "$3" != v1-lazy ] || MODEL=preset=v2${MODEL:+,$MODEL}
}
