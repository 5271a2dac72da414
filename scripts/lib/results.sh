# SPDX-License-Identifier: GPL-2.0
# Counting. Results are lines "subject <tab> passed <tab> failed <tab> skipped <tab> seconds" in a file of
# build/results.

# start_results NAME: an empty file $results. finish_results shows it, and says that nothing is missing in it.
start_results()
{
	mkdir -p "$build/results"
	results=$build/results/$1
	rm -f "$results.complete"
	: >"$results"
}

# add_result SUBJECT PASSED FAILED SKIPPED SECONDS
add_result()
{
	local IFS=$'\t'
	echo "$*" >>"$results"
}

# check SUBJECT COMMAND...: one test, which holds if the command succeeds. A step that gives up ends its
# subshell only; as a condition the command would not even do that.
check()
{
	local subject=$1 begin=$EPOCHSECONDS status
	shift
	set +e
	(
		set -e
		"$@"
	)
	status=$?
	set -e
	if [ "$status" = 0 ]; then
		add_result "$subject" 1 0 0 $((EPOCHSECONDS - begin))
	else
		echo "FAILED $subject"
		add_result "$subject" 0 1 0 $((EPOCHSECONDS - begin))
	fi
}

finish_results()
{
	touch "$results.complete"
	show_results "$results"
}

# show_results FILE...: a table, and the sums as the last line. The status tells whether all is well.
show_results()
{
	awk -F '\t' '
		BEGIN { printf "\n%-44s %7s %7s %7s %8s\n", "", "passed", "failed", "skipped", "seconds" }
		{
			printf "%-44s %7d %7d %7d %8s\n", $1, $2, $3, $4, $5
			passed += $2; failed += $3; skipped += $4
		}
		END {
			printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped
			exit failed > 0 || passed == 0
		}' "$@"
}
