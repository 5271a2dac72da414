# SPDX-License-Identifier: GPL-2.0
# Heavy things are made once and kept in the cache folder under NAME-KEY, where the key is
# a hash of all that went into them. An artefact is built in a folder beside its place and renamed
# into it, under a lock: it is there whole or not at all, and parallel runs wait for one another.

# The key of an artefact: a hash of the arguments; an argument @FILE stands for its content.
key_of()
{
	local arg
	for arg; do
		case $arg in
		@*) cat "${arg#@}" ;;
		*) printf '%s\n' "$arg" ;;
		esac
	done | sha256sum | cut -c 1-12
}

# artefact NAME KEY MAKE...: sets $artefact to the folder, and calls "MAKE... FOLDER" to fill it if
# there is none.
artefact()
{
	local id=$1-$2 name=$1 lock
	shift 2

	artefact=$cache/$id
	if [ ! -d "$artefact" ]; then
		exec {lock}>"$cache/lock/$id"
		if ! flock -n "$lock"; then
			say "$name: another run is making it; waiting"
			flock "$lock"
		fi
		[ -d "$artefact" ] || make_artefact "$id" "$@"
		exec {lock}>&-
	fi
	# The age tells what is still in use.
	touch -c "$artefact"
}

make_artefact()
{
	local id=$1 tmp=$cache/tmp/$1
	shift

	remove_leftovers
	# We hold the lock, so whoever made this folder is gone.
	rm -rf --one-file-system "$tmp"
	mkdir "$tmp"
	"$@" "$tmp"
	mv -T "$tmp" "$cache/$id"
	remove_unused
}

# Half-made artefacts of runs that were killed.
remove_leftovers()
{
	local left
	for left in "$cache"/tmp/*; do
		[ -d "$left" ] && remove_if_free "$left"
	done
	return 0
}

# Artefacts that no run has touched for two weeks: their key has changed.
remove_unused()
{
	local old
	find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +14 \
		-not -name tmp -not -name lock -not -name home -not -name apt |
		while read -r old; do
			remove_if_free "$old"
		done
}

remove_if_free()
{
	local lock
	exec {lock}>"$cache/lock/$(basename "$1")"
	if flock -n "$lock"; then
		rm -rf --one-file-system "$1"
	fi
	exec {lock}>&-
}

# Holds the lock of this source tree's build folder until the script ends.
lock_build()
{
	exec {build_lock}>"$build/.lock"
	if ! flock -n "$build_lock"; then
		say "another run is using $build; waiting"
		flock "$build_lock"
	fi
}
