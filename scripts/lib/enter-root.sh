# SPDX-License-Identifier: GPL-2.0
# enter-root.sh ROOT TOP CACHE COMMAND...: runs inside a private mount namespace (see contain.sh).

set -euo pipefail

root=$1 top=$2 cache=$3
shift 3

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root$top" "$root$cache"
mount --bind "$top" "$root$top"
mount --bind "$cache" "$root$cache"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
# The machine may trust authorities of its own.
if [ -e /etc/ssl/certs/ca-certificates.crt ] && [ -e "$root/etc/ssl/certs/ca-certificates.crt" ]; then
	mount --bind /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi

# shellcheck disable=SC2016
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
