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
. "$scripts/lib/vm.sh"
. "$scripts/lib/vng.sh"
. "$scripts/lib/results.sh"
. "$scripts/lib/tests.sh"
