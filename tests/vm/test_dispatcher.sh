#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_dispatcher.sh - repgate and another XDP program on one interface, by libxdp's dispatcher
#
#	test_dispatcher.sh [veth|virtio]
#
# The other one is xdp-filter of Debian's xdp-tools, which drops the sources it
# is told. The dispatcher needs a kernel that loads freplace programs.

# shellcheck source-path=SCRIPTDIR source=cards.sh
. "$(dirname "$0")/cards.sh"
both_devices "$0" "$@"
testbed_reexec "$0" "$@"
DEVICES=$1

FILTERED="198.51.100.200 2001:db8:21:200::25" # by xdp-filter
BLOCKED="198.51.100.66 2001:db8:21:66::25" # by repgate
OTHER="198.51.100.10 2001:db8:21:10::25"

# all OUTCOME ADDRESS...: does each of them meet this outcome?
all() {
	local outcome=$1
	shift
	[ "$(in_clients "$BUILD/tests/syn_client" -n -t $((200 * TESTBED_SLOW)) \
		"$MX4,$MX6" 25 "$@" | cut -f 2 | sort -u)" = "$outcome" ]
}

# programs: prints the names of the programs on the interface, as xdp-loader shows them
programs() {
	in_mail xdp-loader status mx0 | awk '$1 == "=>" { print $3 }' | xargs
}

filter_load() {
	local address
	in_mail xdp-filter load mx0 || return
	for address in $FILTERED; do
		in_mail xdp-filter ip --mode src "$address"
	done
}

filter_unload() {
	in_mail xdp-filter unload mx0
}

# filters WHO BLOCKED_MEET FILTERED_MEET
filters() {
	# shellcheck disable=SC2086 # words
	{
		check "$DEVICES, $1: what repgate blocks: $2" all "$2" $BLOCKED
		check "$DEVICES, $1: what xdp-filter drops: $3" all "$3" $FILTERED
		check "$DEVICES, $1: others connect" all connected $OTHER
	}
}

# What the kernel and libxdp do without repgate.
kernel_can() {
	check "$DEVICES: xdp-filter loads" filter_load
	check "$DEVICES: a second program loads" in_mail xdp-loader load \
		--mode native mx0 "$BUILD/tests/pass.bpf.o"
	same "$DEVICES: both are there" 'pass xdpfilt_alw_all' \
		"$(programs | tr ' ' '\n' | sort | xargs)"
	filters 'xdp-filter, pass' connected timeout
	check "$DEVICES: unload" in_mail xdp-loader unload --all mx0
}

# Without the dispatcher repgate wants the interface for itself.
alone() {
	local text status=0
	filter_load
	repgate_config
	text=$(in_mail timeout 60 "$BUILD/repgated" --config "$REPGATE_CONF" 2>&1) ||
		status=$?
	same "$DEVICES: repgated refuses an interface that is in use" 1 "$status"
	check "$DEVICES: and names the program" grep -q xdpfilt <<<"$text"
	filters 'refused' connected timeout
	filter_unload
	repgate_start
	check "$DEVICES: alone it starts" ctl status
	check "$DEVICES: then xdp-filter is refused" not filter_load
	filters 'alone' timeout connected
	repgate_stop
}

not() {
	! "$@"
}

# why_not: nothing, or why two programs can't be tried. repgated must say so itself
# where libxdp is too old for the kernel (docs/platforms.md).
why_not() {
	CONF[xdp_attach]='"dispatcher"'
	repgate_config
	"$BUILD/repgated" --check --config "$REPGATE_CONF" >/dev/null 2>&1 || {
		echo 'repgated does not know xdp_attach = "dispatcher"'
		return
	}
	spawn trial "$BUILD/repgated" --config "$REPGATE_CONF"
	wait_for 20 trial_is_ready_or_gone || true
	stop trial || true
	sed -n "s/.*error: .*\(libxdp [0-9.]* can't do it on new kernels\).*/\1/p" \
		"$TESTBED/trial.log"
}

# The wait is over when the agent answers, and also when it has ended.
trial_is_ready_or_gone() {
	ctl --json status || not_alive trial
}

# The programs in the dispatcher have the settings that are fixed at load: without them they hold nothing.
are_held() {
	[ "$(ctl --json stats | jq '.packets.unknown.hold')" -gt 0 ]
}

start_dispatched() {
	repgate_start
	filters "$1" timeout "$2"
}

together() {
	start_dispatched 'repgate in the dispatcher' connected
	check "$DEVICES: SYNs of unknown peers are held" are_held
	check "$DEVICES: xdp-filter loads, too" filter_load
	filters 'both' timeout timeout
	repgate_stop
	same "$DEVICES: repgate stopped, xdp-filter stays" xdpfilt_alw_all \
		"$(programs)"
	filters 'repgate stopped' connected timeout
	start_dispatched 'repgate as the second' timeout
	same "$DEVICES: two programs" 2 "$(programs | wc -w)"
	after_a_crash
	filter_unload
	filters 'xdp-filter unloaded' timeout connected
	repgate_stop
	same "$DEVICES: nothing is left" '' "$(programs)"
}

# An agent that was killed leaves its program; the next one must not add its own
# to that.
after_a_crash() {
	kill -KILL "${TESTBED_PID[repgated]}"
	stop repgated 2>/dev/null || true
	filters 'killed' timeout timeout
	start_dispatched 'started again' timeout
	same "$DEVICES: still two programs" 2 "$(programs | wc -w)"
}

testbed_up
driver_is_meant
sink_start
unset 'CONF[ers]'
repgate_config
tr ' ' '\n' <<<"$BLOCKED" | local_list blocked these
kernel_can
alone
# Not in a subshell: it sets CONF.
why_not >"$TESTBED/why_not"
if [ -s "$TESTBED/why_not" ]; then
	printf 'skipped: %s, two programs: %s\n' "$DEVICES" "$(cat "$TESTBED/why_not")"
else
	together
fi
finish
