# SPDX-License-Identifier: GPL-2.0
# Packages of the machine itself.

# package_list FILE...: names, without comments.
package_list()
{
	(cd "$scripts/packages" && grep -hvE '^(#|$)' "$@")
}

missing_packages()
{
	local name
	for name; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s ' "$name"
	done
}

# Makes sure the machine has these packages: installs them as root, names them otherwise.
need_packages()
{
	local missing
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0

	[ "$EUID" = 0 ] || die "missing packages; as root: apt-get install ${missing% }"
	say "packages: installing ${missing% }"
	logged packages install_packages "$missing"
}

install_packages()
{
	local lock names
	read -ra names <<<"$1"
	# dpkg has a lock of its own, but apt gives up instead of waiting for it.
	exec {lock}>"$cache/lock/packages"
	flock "$lock"
	apt-get update -q &&
		DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${names[@]}"
}
