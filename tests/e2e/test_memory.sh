#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_memory.sh - no leak and no error under ASan and UBSan
#
# The agent is built with both, sees 10,000 peers, 100 reloads and every command,
# and ends. Sanitizers say by its log and its exit status what they found.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"

# Beside the other build, which stays as it is; kept for the next run.
ASAN=$BUILD/asan
if [ -z "${TESTBED_INSIDE:-}" ]; then
	make -C "$TOP" --no-print-directory BUILD="$ASAN" SANITIZE=1 CFLAGS="-O1 -g" \
		"$ASAN/repgated" "$ASAN/repgatectl"
fi
testbed_reexec "$0" "$@"

PEERS=10000
RELOADS=100
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:log_path=stderr
export UBSAN_OPTIONS=print_stacktrace=1

is_reloaded() {
	[ "$(ctl --json status | jq .agent.reloads)" -ge "$1" ]
}

# Reloads by command, by signal, good ones and bad ones, with lists that change.
reload_many() {
	local i good
	good=$(<"$REPGATE_CONF")
	for ((i = 1; i <= RELOADS; i++)); do
		seq -f "198.51.100.%g-198.51.100.$((100 + i))" 1 "$((1 + i % 7))" |
			local_list blocked "many$((i % 3))"
		if [ $((i % 10)) -eq 0 ]; then
			echo "203.0.113.300" | local_list approved bad
			ctl reload >/dev/null 2>&1 || echo "a bad line stopped a reload"
			rm "$TESTBED/repgate/approved.d/bad.list"
		elif [ $((i % 10)) -eq 1 ]; then
			printf '%s\nnonsense = [ 1 ];\n' "$good" >"$REPGATE_CONF"
			ctl reload >/dev/null 2>&1 && echo "a bad config was taken"
			echo "$good" >"$REPGATE_CONF"
		elif [ $((i % 10)) -eq 2 ]; then
			kill -HUP "${TESTBED_PID[repgated]}"
		fi
		ctl reload >/dev/null || echo "reload $i was refused"
	done
}

# Every command, with the tool that is built with the sanitizers, too.
commands() {
	local json command status
	for json in '' --json; do
		while read -r command; do
			status=0
			# shellcheck disable=SC2086 # words
			in_mail "$ASAN/repgatectl" --socket "$REPGATE_SOCKET" $json \
				$command >"$TESTBED/said" 2>&1 || status=$?
			if [ "$status" -gt 10 ] ||
				grep -q 'Sanitizer\|runtime error' "$TESTBED/said"; then
				echo "repgatectl $json $command: status $status"
				grep -m 5 'Sanitizer\|runtime error\|#[0-3] ' "$TESTBED/said"
			fi
		done <<-END
		status
		stats
		zones
		events
		dump
		list
		version
		lookup 10.21.0.1
		lookup 2001:db8:21:1::25
		lookup 198.51.100.200
		lookup 198.51.100.201 --store
		lookup nonsense
		approve 203.0.113.1 --for 1h --comment x
		block 203.0.113.2-203.0.113.9
		approve nonsense
		unlist 203.0.113.1
		unlist 203.0.113.2-203.0.113.9
		unlist 203.0.113.3
		flush 10.21.0.1
		flush ers-qil
		flush nonsense
		monitor on
		monitor off
		test-config $REPGATE_CONF
		test-config $TESTBED/nowhere
		nonsense
		END
	done
}

# A client that goes away before its answer.
impatient() {
	local i
	for i in 1 2 3 4 5; do
		in_mail timeout 0.005 "$BUILD/repgatectl" --socket "$REPGATE_SOCKET" \
			lookup "198.51.100.$((210 + i))" >/dev/null 2>&1 || true
	done
}

testbed_up
many_addresses "$PEERS" >"$TESTBED/addresses"
sed -n '1,1000s/$/ 127.1.0.1/p' "$TESTBED/addresses" | ers_zone standard
sed -n '1001,2000s/$/ 127.0.0.32/p' "$TESTBED/addresses" | ers_zone qil
zones_start
delay_start 20
sink_start
repgate_config
REPGATED="$ASAN/repgated" repgate_start --log-level debug

in_clients "$BUILD/tests/syn_client" -s -q -f "$TESTBED/addresses" -r 1500 -c 8000 \
	-t 1500 "$MX4,$MX6" 25 | tee "$TESTBED/met"
check "10,000 peers meet what they should" grep -q \
	'connected=8000 refused=1000 timeout=1000' "$TESTBED/met"
same "$RELOADS reloads, good and bad" '' "$(reload_many)"
same "every command" '' "$(commands)"
impatient
check "the agent answers" is_reloaded "$RELOADS"

# It ends with inquiries under way, held SYNs and a client that waits.
ctl flush all >/dev/null
kill -STOP "${TESTBED_PID[dns_delay]}"
in_clients "$BUILD/tests/syn_client" -q -f <(head -n 50 "$TESTBED/addresses") -t 300 \
	"$MX4,$MX6" 25
spawn waiting "$BUILD/repgatectl" --socket "$REPGATE_SOCKET" lookup 198.51.100.222
check "inquiries are under way" jq -e '.inquiries.open > 0' \
	<<<"$(ctl --json stats)"
STATUS=0
repgate_stop || STATUS=$?
same "repgated ends well" 0 "$STATUS"
kill -CONT "${TESTBED_PID[dns_delay]}"
same "the sanitizers found nothing" '' "$(grep -m 20 -A 12 \
	'Sanitizer\|runtime error' "$TESTBED/repgated.log" || true)"
finish
