# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lib.sh - what the parts of the bench share, on top of tests/testbed
#
# A part says on stderr what it does, and writes $BUILD/bench/PART.json:
#
#	part	its name
#	lines	the rows of the final table, see bench_line
#
# and whatever else it measured, rounds included.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testbed/testbed.sh"

BENCH=$BUILD/bench
# Listed addresses. With 8388608 as well, growth to 8 M is judged; without the index that takes
# some minutes and 2 GB more.
# shellcheck disable=SC2034
SIZES=${SIZES:-1000 131072 1048576}
# One core for what is measured, one for what feeds it.
# shellcheck disable=SC2034
SERVER_CORE=0 CLIENT_CORE=1
mkdir -p "$BENCH"

# progress TEXT...
progress() {
	printf '# %s\n' "$*" >&2
}

# need_cores: most parts are about one core that is fed by another one.
need_cores() {
	[ "$(nproc)" -ge 2 ] || skip "one core is measured, and another one feeds it"
}

# The index on and off.
index_variants() {
	echo "${VARIANTS:-off on}"
}

# jq functions for all parts. A line of the final table is an object: what, value,
# unit, and, where there is a bar, bar, least (true: at least so much) and met.
# shellcheck disable=SC2034,SC2016
BENCH_JQ='
def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def spread: { median: median, min: min, max: max };
def line($what; $value; $unit): { what: $what, value: $value, unit: $unit };
def at_most($what; $value; $unit; $bar): line($what; $value; $unit) +
	{ bar: $bar, least: false, met: ($value != null and $value <= $bar) };
def at_least($what; $value; $unit; $bar): line($what; $value; $unit) +
	{ bar: $bar, least: true, met: ($value != null and $value >= $bar) };
def size: if . >= 1048576 then "\(. / 1048576 | floor) M"
	elif . >= 1024 then "\(. / 1024 | floor) k" elif . == 1000 then "1 k" else "\(.)" end;
'

# with_index on|off: the setting of the agents that are started from now on
with_index() {
	if [ "$1" = on ]; then CONF["index"]=true; else CONF["index"]=false; fi
}

# The time now, in microseconds.
now_us() {
	echo "${EPOCHREALTIME/./}"
}

# agent_memory FIELD: of the agent's /proc/PID/status, in KiB
agent_memory() {
	awk -v field="$1:" '$1 == field { print $2 }' "/proc/${TESTBED_PID[repgated]}/status"
}

# agent_cpu_us: CPU time of the agent so far
agent_cpu_us() {
	cpu_us "${TESTBED_PID[repgated]}"
}

# cpu_us PID
cpu_us() {
	sed 's/(.*)/-/' "/proc/$1/stat" | awk -v tick="$(getconf CLK_TCK)" \
		'{ printf "%.0f\n", ($14 + $15) * 1000000 / tick }'
}

# one_zone: a single DNS list, bl.example, in place of ERS, of which
# nothing that is asked about is a member: each new peer costs one question.
one_zone() {
	echo "10.20.0.0/16 127.0.0.2" | dnsbl_zone bl.example 3600 3600
	unset 'CONF[ers]'
	CONF["zones"]='{ one = { suffix = "bl.example"; kind = "standard"; selftest = "off";
		codes = [ "127.0.0.2" ]; }; }'
}
