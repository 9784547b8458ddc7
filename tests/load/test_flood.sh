#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_flood.sh - a flood of SYNs from made-up addresses
#
# One core sends SYNs as fast as it can, each from another address. Checked: known
# clean peers connect as fast as without the flood; unknown clean peers get in by
# their retransmission; listed peers do not; the agent's memory and its questions
# to the zones are bounded. FLOOD_SECONDS sets the length of the flood.
#
# A veth device is polled on the core that feeds it, so the core that makes a frame
# also filters it. If both cores fed one queue, either could poll it. While the
# other core polls, the generator fills the ring faster than it is emptied, and the
# device loses half of all SYNs before the filter sees them. So the receiving end
# has two queues, as a card has: one for the generator, one for all others. Then no
# SYN is lost (checked), and the figures are the filter's. The last flood uses one
# queue, to check that the rest holds even then.

# shellcheck source-path=SCRIPTDIR source=../testbed/testbed.sh
. "$(dirname "$0")/../testbed/testbed.sh"
# shellcheck source-path=SCRIPTDIR source=peers.sh
. "$(dirname "$0")/peers.sh"
testbed_reexec "$0" "$@"

FLOOD_SECONDS=${FLOOD_SECONDS:-8}
RATE=2000 # new_peers_per_second, the default
ZONES=2
KNOWN=200
NEW_RATE=8 # a second, of each kind
SLOWER_US=10000 # p99 of known peers, over that without a flood
MEMORY_KB=131072
MAC=02:00:00:00:00:25
CORE=1
FRESH=0 # addresses of new peers that were used
MADE_UP=(--source 64.0.0.0/3 --source 128.0.0.0/2 --source 2400::/8)
[ "$FLOOD_SECONDS" -ge 7 ] && [ "$FLOOD_SECONDS" -le 50 ] || skip "from 7 to 50 s: addresses"
[ "$(nproc)" -ge 2 ] || skip "the flood needs a core of its own"

# --- the flood ---------------------------------------------------------------

# flood_start NAME ARGUMENT...: floods in the background until flood_end
flood_start() {
	FLOOD=$1
	shift
	FLOOD_BEGAN=$EPOCHSECONDS
	ASKED=$(questions) TIMEOUTS=$(failed timeout) FILTERED=$(filtered)
	nsenter --net=/run/netns/clients -- "$BUILD/tests/syn_flood" --cpu $CORE \
		--seconds 300 "$@" "${MADE_UP[@]}" cl0 $MAC "$MX4,$MX6" 25 >"$TESTBED/flood" &
	FLOOD_PID=$!
}

# flood_end SECONDS: ends the flood once it has lasted that long
flood_end() {
	must "the flood ended" kill -0 "$FLOOD_PID"
	must "time stands still" wait_for "$1" has_lasted "$1"
	kill "$FLOOD_PID"
	wait "$FLOOD_PID" || not_ok "syn_flood" "status $?"
	echo "# $FLOOD: $(<"$TESTBED/flood")"
}

has_lasted() {
	[ $((EPOCHSECONDS - FLOOD_BEGAN)) -gt "$1" ]
}

# flooded FILTER: prints a part of the last flood's result
flooded() {
	jq "$1" "$TESTBED/flood"
}

# lost NAME MORE_THAN
lost() {
	[ "$(loss "$1")" -gt "$2" ]
}

# --- the peers ---------------------------------------------------------------

# COUNT peers that nobody has seen yet, of both families, in the qil zone, in the
# standard zone and in none; see prepare.
unknown_qil() {
	seq -f "203.0.113.%g" $((FRESH + 1)) $((FRESH + $1 / 2))
	seq $((FRESH + 1)) $((FRESH + $1 / 2)) | xargs printf '2001:db8:21:e%03x::25\n'
}

unknown_standard() {
	unknown_qil "$1" | sed 's/^203.0.113/10.21.240/; s/:e/:d/'
}

unknown_clean() {
	unknown_qil "$1" | sed 's/^203.0.113/198.51.100/; s/:e/:f/'
}

# summary FILE KEY
summary() {
	sed -n "s/^# .*\b$2=\([0-9]*\).*/\1/p" "$TESTBED/$1"
}

# Connects peers of all kinds during a flood of that many seconds. Retransmissions come after
# 1, 2, 3 and 4 s, so no new peer comes in the last 5.
meet_all() {
	local seconds=$1 new=$((NEW_RATE * ($1 - 5))) kind pids=()
	known $((2 * (seconds - 2))) | meet known 400 4500 &
	pids+=($!)
	for kind in clean qil standard; do
		"unknown_$kind" $new | meet $kind $NEW_RATE 4500 &
		pids+=($!)
	done
	wait "${pids[@]}"
	FRESH=$((FRESH + new / 2))
	for kind in known clean qil standard; do
		echo "# $FLOOD: $kind$(grep '^#' "$TESTBED/$kind" | tr -d '#')"
	done
}

# --- the agent ---------------------------------------------------------------

loss() {
	ctl --json stats | jq ".losses.$1"
}

losses() {
	ctl --json stats | jq -c '.losses | with_entries(select(.value > 0))'
}

# failed WORD: questions that got no answer for that reason
failed() {
	ctl --json zones | jq --arg why "$1" '[.zones[].failed[$why] // 0] | add'
}

# The number of questions to unbound since its start.
questions() {
	unbound-control -c "$TESTBED/unbound.conf" stats_noreset |
		sed -n 's/^total.num.queries=//p'
}

# may_ask SECONDS: what the rate of new peers allows in that time, with its burst
# of two seconds' worth, a quarter more, and the self-tests
may_ask() {
	echo $((ZONES * (2 * RATE + 5 * RATE * $1 / 4 + 20)))
}

memory() {
	awk "\$1 == \"$1:\" { print \$2 }" "/proc/${TESTBED_PID[repgated]}/status"
}

# SYNs that the filter has counted
filtered() {
	ctl --json stats | jq '[.packets[][]] | add'
}

# --- the tests ---------------------------------------------------------------

prepare() {
	printf '%s 127.1.0.1\n' 10.21.240.0/24 2001:db8:21:d000::/52 | ers_zone standard
	printf '%s 127.0.0.32\n' 203.0.113.0/24 2001:db8:21:e000::/52 | ers_zone qil
	zones_start
	sink_start
	# Answers to made-up addresses go somewhere, and nobody is there.
	in_mail ip route add default via "$CLIENTS4"
	in_mail ip -6 route add default via "$CLIENTS6"
	# They come in bursts, and without a queue a veth loses what its ring can't hold.
	in_mail tc qdisc add dev mx0 root pfifo limit 20000
	in_mail ethtool -L mx0 rx 2
	CONF[ers]="{ activation_code_file = \"$TESTBED/repgate/activation-code\";
	qil_action = \"reset\"; }"
	repgate_config
	repgate_start
}

quiet() {
	known 1 | meet judged 400 2000
	same "$KNOWN clean peers are judged" $KNOWN "$(summary judged connected)"
	known 5 | meet quiet 400 2000
	same "they connect again" $((5 * KNOWN)) "$(summary quiet connected)"
	echo "# quiet:$(grep '^#' "$TESTBED/quiet" | tr -d '#')"
}

# Checks for every flood.
all_is_well() {
	same "$FLOOD: known clean peers connect" "$(summary known peers)" \
		"$(summary known connected)"
	check "$FLOOD: the agent stays under $MEMORY_KB KB: $(memory VmHWM)" \
		test "$(memory VmHWM)" -lt $MEMORY_KB
	same "$FLOOD: the agent was never missed" 0 "$(loss agent_silent)"
	echo "# $FLOOD: losses $(losses)"
}

# The device lost no SYN: the filter alone decided.
no_harm() {
	same "$FLOOD: no frame is lost on its way" 0 "$(flooded .dropped)"
	check "$FLOOD: all of it meets the filter" test $(($(filtered) - FILTERED)) -ge \
		"$(flooded .sent)"
	check "$FLOOD: known peers: p99 is $(summary known p99_us) us, $(summary quiet p99_us) before" \
		test "$(summary known p99_us)" -lt $(($(summary quiet p99_us) + SLOWER_US))
	same "$FLOOD: none of them has to come again" 0 "$(summary known resent)"
}

# What is asked is bounded, and answered: a listed peer gets in only if its own
# question was not, and no zone is given up.
asked_well() {
	local most asked=$(($(questions) - ASKED)) timeouts=$(($(failed timeout) - TIMEOUTS))
	local listed=$(($(summary qil connected) + $(summary standard connected)))
	most=$(may_ask $((EPOCHSECONDS + 1 - FLOOD_BEGAN)))
	check "$FLOOD: $asked questions, at most $most" test "$asked" -le "$most"
	echo "# $FLOOD: $timeouts questions without an answer in time"
	same "$FLOOD: no zone is given up" 0 "$(failed "zone off")"
	check "$FLOOD: $listed listed unknown peers get in" test "$listed" -le "$timeouts"
}

# Each SYN comes from a new peer.
new_peers() {
	flood_start "new peers"
	check "$FLOOD: its burst is over" wait_for 5 lost flood_first 100000
	meet_all "$FLOOD_SECONDS"
	flood_end "$FLOOD_SECONDS"
	all_is_well
	no_harm
	same "$FLOOD: unknown clean peers get in" "$(summary clean peers)" \
		"$(summary clean connected)"
	asked_well
}

# The same SYNs again and again: to the filter they are retransmissions, of which
# an unknown clean peer's is one in thousands. It need not get in.
again() {
	ctl set on_overload drop >/dev/null
	flood_start "again and again" --flows 100000
	check "$FLOOD: retransmissions are too many" wait_for 5 lost flood_retry 1000
	meet_all 7
	flood_end 7
	all_is_well
	no_harm
	asked_well
}

# All in one queue: the device loses SYNs of everybody, and the core that the
# resolver is on has no time for it. Known peers come again.
one_queue() {
	in_mail ethtool -L mx0 rx 1
	flood_start "one queue"
	meet_all 7
	flood_end 7
	all_is_well
}

testbed_up
prepare
quiet
new_peers
again
one_queue
repgate_stop || not_ok "repgated stops" "status $?"
finish
