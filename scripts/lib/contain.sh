# SPDX-License-Identifier: GPL-2.0
# Runs a command so that nothing of it outlives this script: no process, and no mount.

# The command goes when the script does, even by SIGKILL. Ends in exec, so that the command is this script's
# own child: for use in a subshell.
exec_contained()
{
	exec setpriv --pdeathsig KILL -- "$@"
}

# The same in a process and mount namespace of its own: with the command go all the processes that it
# started and all the mounts that it made. Where no such namespace is to be had (some containers) only
# the first half is kept.
exec_isolated()
{
	local namespaces=(--mount --pid --fork --kill-child --mount-proc --propagation private)
	[ "$EUID" = 0 ] || namespaces+=(--user --map-current-user)

	if unshare "${namespaces[@]}" true 2>/dev/null; then
		exec_contained unshare "${namespaces[@]}" -- "$@"
	else
		exec_contained "$@"
	fi
}

isolated()
{
	(exec_isolated "$@")
}
