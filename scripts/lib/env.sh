# SPDX-License-Identifier: GPL-2.0
# Where things are. Sourced first by every script.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scripts=$top/scripts
build=$top/build
logs=$build/logs
cache=${XDG_CACHE_HOME:-$HOME/.cache}/amd-viommu
jobs=$(nproc)

# The flavour of the distribution kernel that the stock tests run on.
kernel_series=7.3
kernel_pattern="linux-image-$kernel_series.[0-9]+\\+deb13-amd64"

# The Debian release whose compilers built that kernel.
suite=trixie
# The one before it, for the kernels of guests only.
older_suite=bookworm

mkdir -p "$build" "$logs" "$cache/lock" "$cache/tmp"

. "$scripts/lib/say.sh"
. "$scripts/lib/contain.sh"
. "$scripts/lib/artefact.sh"
. "$scripts/lib/packages.sh"
. "$scripts/lib/mirror.sh"
. "$scripts/lib/root.sh"
. "$scripts/lib/kernel.sh"
. "$scripts/lib/debug-kernel.sh"
. "$scripts/lib/module.sh"
. "$scripts/lib/initramfs.sh"
. "$scripts/lib/qemu.sh"
. "$scripts/lib/vm.sh"
. "$scripts/lib/marks.sh"
. "$scripts/lib/vng.sh"
. "$scripts/lib/results.sh"
. "$scripts/lib/tests.sh"
. "$scripts/lib/witness.sh"
. "$scripts/lib/chain.sh"

# choose_hw NAME: the IOMMU of the test VM: "stock" is QEMU's own, "model" is that of model/. Sets $hw, and
# $hw_prefix: what the names of logs and results begin with.
choose_hw()
{
	case $1 in
	stock) hw_prefix= ;;
	model) hw_prefix=model- ;;
	*) die "HW=$1: it is stock or model" ;;
	esac
	hw=$1
}
choose_hw "${HW:-stock}"
