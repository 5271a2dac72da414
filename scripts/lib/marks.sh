# SPDX-License-Identifier: GPL-2.0
# Marks: what the hardware model has counted up to a point that the program in the VM names. The program writes a line
# "mark WORD" and waits; the model leaves its counters in a file, and the program reads "go on".

# open_marks NAME: for the VM of this name. Sets $vm_input, and adds a monitor to $vm_extra.
open_marks()
{
	local folder=$build/marks
	rm -rf "$folder" "$logs/$1".model.[0-9]-*.json
	mkdir -p "$folder"
	mkfifo "$folder/answers" "$folder/monitor"
	exec {answers}<>"$folder/answers" {monitor}<>"$folder/monitor"
	vm_input=$folder/answers
	# shellcheck disable=SC2054
	vm_extra+=(
		-chardev "file,id=monitor,path=$logs/$1.monitor.log,input-path=$folder/monitor" -mon monitor
	)
	# There is something to read before the VM has begun.
	: >"$logs/$1.out"
}

# answer_marks NAME: until somebody ends it.
answer_marks()
{
	local marks=0 word
	# The script may have been killed, with nobody left to end this loop.
	while sleep 0.1 && kill -0 $$ 2>/dev/null; do
		word=$(mark_after "$logs/$1.out" "$marks")
		[ -n "$word" ] || continue
		marks=$((marks + 1))
		# Without an answer the VM waits until it counts as hung.
		if take_counters "$1" "$(marked_statistics "$1" "$marks-$word")"; then
			echo "go on" >&"$answers"
		fi
	done
}

# mark_after FILE COUNT: the mark that follows so many. The file grows by single characters; only a line with an end is
# whole.
mark_after()
{
	head -n "$(wc -l <"$1")" "$1" | tr -d '\r' | sed -n 's/^mark \([a-z]*\)$/\1/p' | sed -n "$(($2 + 1))p"
}

marked_statistics()
{
	echo "$logs/$1.model.$2.json"
}

# list_marked_statistics NAME: all that there are, in the order of time.
list_marked_statistics()
{
	find "$logs" -name "$1.model.[0-9]-*.json" | sort
}

# take_counters NAME FILE: the file appears whole.
take_counters()
{
	local model=/machine/peripheral/iommu tries
	printf "qom-set $model %s\n" "stats $2" "dump-stats true" "stats $(model_statistics "$1")" >&"$monitor"
	for ((tries = 0; tries < 100; tries++)); do
		[ ! -e "$2" ] || return 0
		sleep 0.1
	done
	return 1
}
