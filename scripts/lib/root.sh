# SPDX-License-Identifier: GPL-2.0
# The tools. On the release that the kernel was built with the machine's own are used; anywhere else
# a small root of that release is made, and commands run in it with the project and the cache at
# the same paths as outside.

root=

# need_tools LIST...: makes the tools of scripts/packages/LIST usable through in_root.
need_tools()
{
	local key names
	if on_same_release; then
		mapfile -t names < <(package_list "$@")
		need_packages "${names[@]}"
		return
	fi

	[ "$EUID" = 0 ] ||
		die "only on Debian 13 can this be done without root; here a build root has to be made and entered"
	need_packages mmdebstrap
	look_at_mirror
	mapfile -t names < <(package_list "$@")
	key=$(key_of "$(declare -f make_root)" "$(mirror_versions "${names[@]}")")
	artefact "root-$(IFS=-; echo "$*")" "$key" make_root "${names[@]}"
	root=$artefact
}

on_same_release()
{
	[ -z "${VIOMMU_BUILD_ROOT:-}" ] && grep -qx "VERSION_CODENAME=$suite" /etc/os-release
}

make_root()
{
	local names=("${@:1:$#-1}") target=${!#} include
	include=$(IFS=,; echo "${names[*]}")

	say "build root: $suite with ${#names[@]} packages and what they need (about a minute)"
	logged root isolated mmdebstrap --mode=root --variant=apt --include="$include" \
		--skip=check/empty --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"$suite" "$target" "$cache/apt/sources.list"
	# Places for what enter_root mounts.
	mkdir -p "$target$top" "$target$cache"
	touch "$target/etc/resolv.conf"
}

# Runs a command with the tools, in the current folder.
in_root()
{
	(exec_in_root "$@")
}

exec_in_root()
{
	local env=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$cache/home" LC_ALL=C.UTF-8 TERM="${TERM:-dumb}"
		CARGO_HOME="$cache/home/cargo")

	mkdir -p "$cache/home/cargo"
	if [ -z "$root" ]; then
		exec_isolated env -i "${env[@]}" "$@"
	else
		exec_isolated bash "$scripts/lib/enter-root.sh" "$root" "$top" "$cache" \
			env -i "${env[@]}" "$@"
	fi
}
