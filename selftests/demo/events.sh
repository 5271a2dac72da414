# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# How often something has happened in the kernel, by its own trace events. Sourced after parts.sh.

tracing=/sys/kernel/tracing/events

# count_events EVENT KEY [FILTER]: begins to count an event, apart for each value of one of its fields.
count_events()
{
	echo "hist:keys=$2.hex:size=4096${3:+ if $3}" >"$tracing/$1/trigger" || failure "cannot count $1"
}

# events EVENT: how many so far.
events()
{
	sed -n 's/^ *Hits: //p' "$tracing/$1/hist"
}

# events_like EVENT PATTERN: how many so far with a value, in hexadecimal, that is like this.
events_like()
{
	awk -v pattern="^($2)\$" '$1 == "{" && $3 ~ pattern { sum += $NF } END { print sum + 0 }' "$tracing/$1/hist"
}
