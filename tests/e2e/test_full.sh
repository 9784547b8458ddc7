#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_full.sh - more listed peers at once than there is room for verdicts
#
# The map is full of verdicts that last, so each new one takes the place of another
# new one, a moment after it was made. Its own held SYN must have met it by then:
# no listed peer gets through, whatever is done with them, and nobody who is clean
# has to wait for that.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
testbed_reexec "$0" "$@"

ROOM=16 # the smallest max_verdicts
PEERS=300

# hosts NET COUNT
hosts() {
	local i
	for ((i = 0; i < $2; i++)); do
		echo "10.21.$(($1 * 4 + i / 250)).$((i % 250 + 1))"
	done
}

# meet <HOSTS: how many connected, and how many did not
meet() {
	in_clients "$BUILD/tests/syn_client" -t 300 -f - "$MX4" 25 |
		awk -F '\t' '{ $2 == "connected" ? met++ : not++ } END { print met + 0, not + 0 }'
}

count() {
	ctl --json stats | jq "$1"
}

# start ACTION
start() {
	CONF["zones"]="{ one = { suffix = \"bl.example\"; kind = \"standard\"; action = \"$1\";
		selftest = \"off\"; codes = [ \"127.0.0.2\" ]; }; }"
	repgate_config "max_verdicts = $ROOM;"
	repgate_start
}

# end ACTION: who is clean, after all that
end() {
	local evicted
	evicted=$(count .verdicts.evicted)
	check "$1: each verdict took the place of another ($evicted)" [ "$evicted" -ge $((PEERS - ROOM)) ]
	same "$1: no more are kept than there is room for" true "$(count ".verdicts.entries <= $ROOM")"
	same "$1: clean peers connect" "$PEERS 0" "$(hosts "$2" $PEERS | meet)"
	repgate_stop || true
	rm -rf "$REPGATE_PINS" "$TESTBED/repgate/state"
}

# no_way_in ACTION LISTED CLEAN
no_way_in() {
	start "$1"
	same "$1: no listed peer connects while there is room" "0 $ROOM" "$(hosts 0 $ROOM | meet)"
	same "$1: nor when there is none" "0 $PEERS" "$(hosts "$2" $PEERS | meet)"
	end "$1" "$3"
}

sessions_are() {
	[ "$(count .responder.sessions)" -eq "$1" ]
}

# all_answered LISTED CLEAN: by the responder, and not by the mail server
all_answered() {
	start reject
	same "reject: each listed peer connects" "$PEERS 0" \
		"$({ hosts 0 $ROOM | meet >/dev/null; hosts "$1" $PEERS | meet; })"
	check "reject: to the responder" wait_for 5 sessions_are $((ROOM + PEERS))
	end reject "$2"
}

testbed_up
{
	hosts 0 $ROOM | sed 's/$/ 127.0.0.2 7200/'
	for net in 1 4 7; do
		hosts $net $PEERS | sed 's/$/ 127.0.0.2 60/'
	done
} | dnsbl_zone bl.example 3600 3600
unset 'CONF[ers]'
zones_start
delay_start 20
sink_start
no_way_in drop 1 2
no_way_in reset 4 5
all_answered 7 8
finish
