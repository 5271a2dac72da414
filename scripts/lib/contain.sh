# SPDX-License-Identifier: GPL-2.0
# Runs a command so that nothing of it outlives this script. Both end in exec, so that the command is
# this script's own child: call them in a subshell.

# The command goes when the script does, even by SIGKILL.
exec_contained()
{
	exec setpriv --pdeathsig KILL -- "$@"
}

# The same in a process and mount namespace of its own: with the command go all the processes that it
# started and all the mounts that it made. Needs root.
exec_isolated()
{
	exec_contained unshare --mount --pid --fork --kill-child --propagation private -- "$@"
}

isolated()
{
	(exec_isolated "$@")
}
