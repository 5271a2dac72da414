# SPDX-License-Identifier: GPL-2.0
# Progress lines with the time since the first script of this run started.

export VIOMMU_START=${VIOMMU_START:-$EPOCHSECONDS}

say()
{
	printf '[%4ds] %s\n' $((EPOCHSECONDS - VIOMMU_START)) "$*"
}

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# Runs a long command with its output in build/logs/NAME.log; every 20 s the last line of
# the log shows how far it is. On failure the end of the log is shown.
logged()
{
	local name=$1 log=$logs/$1.log status=0 ticker
	shift

	tick "$log" &
	ticker=$!
	"$@" >"$log" 2>&1 </dev/null || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	[ "$status" = 0 ] && return

	tail -n 40 "$log" >&2
	die "$name failed (status $status); the whole log: $log"
}

tick()
{
	local fd never
	# Locks belong to the script alone.
	for fd in "/proc/$BASHPID/fd"/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || exec {fd}>&-
	done
	# Waits without a process of its own, which would outlive this one.
	exec {never}<> <(:)
	while ! read -rt 20 -u "$never"; do
		# The script may have been killed, with nobody left to end this loop.
		kill -0 $$ 2>/dev/null || return 0
		say "  ... $(tail -n 1 "$1" | tr -d '\r' | cut -c 1-90)"
	done
}
