#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_reload.sh - lists of a million lines are loaded while the agent does its other work
#
# A reload takes a second and more then. Meanwhile new peers are judged without
# delay, others are answered, further changes wait for their turn, and the agent
# can be stopped. LINES_EACH can be set.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

LINES_EACH=${LINES_EACH:-1000000}
RATE=100 # new peers a second
LONGEST=$((300 * ${TESTBED_SLOW:-1})) # ms, for a new peer or another client
BLOCKED=$TESTBED/repgate/blocked.d

# big_list NUMBER: half of its lines are in no other one, in no order
big_list() {
	awk -v count="$LINES_EACH" -v number="$1" 'BEGIN {
		for (i = 0; i < count; i++) {
			n = i % 2 ? i : i + 2097152 * number
			n = n * 48271 % 67108864
			printf "%d.%d.%d.%d\n", 64 + n / 16777216, n / 65536 % 256, n / 256 % 256, n % 256
		}
	}' >"$TESTBED/list$1"
}

put_list() {
	ln "$TESTBED/list$1" "$BLOCKED/big.new"
	mv "$BLOCKED/big.new" "$BLOCKED/big.list"
}

reloads() {
	ctl --json status | jq .agent.reloads
}

entries() {
	ctl --json status | jq .lists.entries
}

# quiet: there was no load for 0.6 s. The agent reloads 200 ms after the last change in the directory,
# and nothing tells from outside that such a reload is still to come.
quiet() {
	local before
	before=$(reloads)
	! is_loading || return
	sleep 0.6
	[ "$(reloads)" = "$before" ] && ! is_loading
}

met() {
	in_clients "$BUILD/tests/syn_client" -t 400 "$MX4" 25 "$1" | cut -f 2
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

under() {
	[ "$1" -lt "$2" ] || { echo "$1, expected less than $2" && return 1; }
}

# percentile N FILE: of the times in the file, ms
percentile() {
	sort -n "$2" | awk -v n="$1" '{ all[NR] = $1 } END { print all[int((NR - 1) * n / 100) + 1] }'
}

prepare() {
	ers_zone standard 3600 <<<"203.0.113.11 127.1.0.1"
	ers_zone qil 3600 <<<"203.0.113.32 127.0.0.32"
	zones_start
	sink_start
	repgate_config "max_list = $((2 * LINES_EACH));"
	big_list 0
	big_list 1
	repgate_start
}

# Lists are swapped until there is a file "over"; how long each took in "took".
swaps() {
	local number=0 began
	while [ ! -e "$TESTBED/over" ]; do
		put_list $number
		began=$(now_ms)
		ctl reload >/dev/null || echo "refused" >>"$TESTBED/swaps_failed"
		echo $(($(now_ms) - began)) >>"$TESTBED/took"
		number=$((1 - number))
	done
}

# is_loading: the thread that loads lists is there
is_loading() {
	grep -qx lists "/proc/${TESTBED_PID[repgated]}"/task/*/comm
}

# Others ask, too.
questions() {
	local began
	while [ ! -e "$TESTBED/over" ]; do
		began=$(now_ms)
		ctl --json status >/dev/null || echo "refused" >>"$TESTBED/swaps_failed"
		echo $(($(now_ms) - began)) >>"$TESTBED/asked"
		sleep 0.05
	done
}

new_peers_meanwhile() {
	local pids=()
	swaps &
	pids+=($!)
	questions &
	pids+=($!)
	in_clients "$BUILD/tests/syn_client" -n -t 3000 -r $RATE \
		-f <(many_addresses $((RATE * 16)) | grep -v :) "$MX4" 25 >"$TESTBED/met"
	touch "$TESTBED/over"
	wait "${pids[@]}"
	awk -F '\t' '{ print $3 / 1000 }' "$TESTBED/met" >"$TESTBED/times"
	printf '# %d reloads, median %d ms; %d new peers: median %.1f, 99 %% %.1f, longest %.1f ms; status: longest %d ms\n' \
		"$(wc -l <"$TESTBED/took")" "$(percentile 50 "$TESTBED/took")" "$(wc -l <"$TESTBED/met")" \
		"$(percentile 50 "$TESTBED/times")" "$(percentile 99 "$TESTBED/times")" \
		"$(percentile 100 "$TESTBED/times")" "$(percentile 100 "$TESTBED/asked")"
	check "lists were reloaded meanwhile" under 1 "$(wc -l <"$TESTBED/took")"
	check "no request was refused" test ! -e "$TESTBED/swaps_failed"
	same "all new peers get in" "$(wc -l <"$TESTBED/met")" "$(cut -f 2 "$TESTBED/met" | grep -c connected)"
	check "99 % of them without delay" under "$(percentile 99 "$TESTBED/times" | cut -d . -f 1)" $LONGEST
	check "others are answered meanwhile" under "$(percentile 99 "$TESTBED/asked")" $LONGEST
}

# Asked while one is under way: the files as they are now, and an answer for everyone.
requests_wait() {
	local before pids=() pid status=0
	rm "$BLOCKED/big.list"
	ctl reload >/dev/null
	must "it goes on loading" wait_for 10 quiet
	before=$(reloads)
	put_list 0
	ctl reload >/dev/null &
	pids+=($!)
	must "nothing is loaded" wait_for 10 is_loading
	same "the first one is under way" "0 $before" "$(entries) $(reloads)"
	echo 198.51.100.7 >"$BLOCKED/late.list"
	kill -HUP "${TESTBED_PID[repgated]}"
	for _ in 1 2 3; do
		ctl reload >/dev/null &
		pids+=($!)
	done
	ctl block 198.51.100.8 >/dev/null &
	pids+=($!)
	ctl monitor on >/dev/null
	ctl monitor off >/dev/null
	same "who asks later waits longer" "blocked timeout" \
		"$(lookup 198.51.100.8 .class) $(met 198.51.100.8)"
	for pid in "${pids[@]}"; do
		wait "$pid" || status=$?
	done
	same "all requests are answered" 0 "$status"
	same "the last state of the files is in force" "$((LINES_EACH + 2))" "$(entries)"
	same "an address of it is blocked" timeout "$(met 198.51.100.7)"
}

# A client need not wait for one answer before its next request.
requests_in_one_go() {
	put_list 1
	# shellcheck disable=SC2016 # variables of perl
	same "requests in one go are answered in their order" 'true false true true' "$(
		in_mail perl -MIO::Socket::UNIX -e '
			my $s = IO::Socket::UNIX->new(Peer => shift) or die;
			print $s join("", map { "{\"command\":$_}\n" } "\"reload\"",
				"\"block\",\"entry\":\"x y\"",
				"\"approve\",\"entry\":\"198.51.100.8\"", "\"status\"");
			$s->flush; $s->shutdown(1);
			while (<$s>) { print /^\{"ok": ?(\w+)/ ? "$1 " : "?" }' \
			"$REPGATE_SOCKET" | sed 's/ $//')"
	same "the approved one gets in" connected "$(met 198.51.100.8)"
}

bad_line() {
	local before
	before=$(entries)
	printf 'not an address\n198.51.100.77\n' >"$BLOCKED/worse.list"
	check "a bad line stops no reload" ctl reload
	check "status names its file and line" grep -q 'BAD LINE .*worse.list:1: ' <<<"$(ctl_lines status)"
	same "the line below it is in force" $((before + 1)) "$(entries)"
	rm "$BLOCKED/worse.list"
	check "it goes" ctl reload
	same "and the lists are as before" "$before" "$(entries)"
}

stop_meanwhile() {
	local status=0 began pid
	must "it goes on loading" wait_for 10 quiet
	put_list 0
	ctl reload >/dev/null 2>&1 &
	pid=$!
	ctl block 198.51.100.9 >/dev/null 2>&1 &
	must "nothing is loaded" wait_for 10 is_loading
	began=$(now_ms)
	repgate_stop || status=$?
	same "stopped meanwhile, it ends with status 0" 0 "$status"
	check "soon" under $(($(now_ms) - began)) $((5000 * ${TESTBED_SLOW:-1}))
	same "no pins are left" '' "$(ls -A "$REPGATE_PINS" 2>/dev/null)"
	status=0
	wait "$pid" || status=$?
	check "who waited is told, by the end of the connection" test "$status" -ne 0
	check "what was not answered is not done" test -z \
		"$(grep -s 198.51.100.9 "$TESTBED/repgate/state/blocked.list")"
}

testbed_up
prepare
new_peers_meanwhile
requests_wait
requests_in_one_go
bad_line
stop_meanwhile
finish
